"""The only road to the network: guarded addresses, few headers, a cap on what comes back."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextvars import ContextVar
from ssl import SSLContext
from typing import Any, cast

import httpcore2
import httpx2

from generation.llm.base import LLMError
from generation.llm.egress import EgressGuard

MAX_BODY = 1_000_000
KEEPALIVE_SECONDS = 5.0
# The SDK adds what it finds in the environment (organisation, project, custom headers) and what it
# knows of this machine; none of that is the endpoint's business.
SENT_HEADERS = frozenset(
    b"host content-type content-length accept authorization user-agent idempotency-key".split()
)


class Flight:
    """One call on its way. `sent` turns true with the first byte written to the connection."""

    def __init__(self) -> None:
        self.sent = False


# httpcore works in the caller's task, so that each call sees its own flight.
flight: ContextVar[Flight] = ContextVar("flight")


class GuardedTransport(httpx2.AsyncBaseTransport):
    """HTTP/1.1 with keep-alive through the egress guard; no proxy, no redirect, no compression."""

    def __init__(self, guard: EgressGuard, context: SSLContext | None, connections: int) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=KEEPALIVE_SECONDS,
            network_backend=_GuardedBackend(guard),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        headers = [(name, value) for name, value in request.headers.raw if _may_leave(name, value)]
        answer = await self._pool.handle_async_request(
            httpcore2.Request(
                method=request.method,
                url=httpcore2.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=[*headers, (b"accept-encoding", b"identity")],
                content=cast(AsyncIterable[bytes], request.stream),
                extensions=request.extensions,
            )
        )
        stream = _CappedStream(answer)
        for name, value in answer.headers:
            # A compressed body could unpack to any size, and we did not ask for one.
            if name.lower() == b"content-encoding" and value.strip().lower() != b"identity":
                await stream.aclose()
                raise LLMError(
                    "server",
                    "The endpoint sent a compressed answer that was not asked for.",
                    answer.status,
                    True,
                )
        return httpx2.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=stream,
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


def _may_leave(name: bytes, value: bytes) -> bool:
    """A key that is empty leaves no "Bearer" behind: local servers may refuse one."""
    name = name.lower()
    return name in SENT_HEADERS and not (name == b"authorization" and value.strip() == b"Bearer")


class _CappedStream(httpx2.AsyncByteStream):
    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._answer.aiter_stream():
            size += len(part)
            if size > MAX_BODY:
                message = f"The endpoint's answer is larger than {MAX_BODY:,} bytes."
                raise LLMError("too_large", message, self._answer.status, True)
            yield part

    async def aclose(self) -> None:
        await self._answer.aclose()


class _GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Resolves and checks by the guard, then connects to exactly the addresses it gave."""

    def __init__(self, guard: EgressGuard) -> None:
        self._guard = guard
        self._backend = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        failure: Exception | None = None
        for address in await self._guard.addresses(host, port):
            try:
                stream = await self._backend.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return _Watched(stream)
        raise failure or httpcore2.ConnectError(f"{host} has no address")


class _Watched(httpcore2.AsyncNetworkStream):
    """A connection that notes on the flight whether anything was written."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        flight.get().sent = True
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        return _Watched(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
