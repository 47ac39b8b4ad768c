"""The client of every OpenAI-compatible endpoint, and the only file that imports openai.

The SDK's defaults retry silently, follow redirects, read proxies and headers from the environment
and have no total deadline; none of that may happen to a call that has a row in the ledger.
"""

import asyncio
import hashlib
import time
from dataclasses import replace
from types import TracebackType
from typing import Self

import httpcore2
import httpx2
from openai import APIConnectionError, APIStatusError, AsyncOpenAI

from generation.llm.base import AnyRequest, EmbeddingRequest, LLMError, Reply
from generation.llm.completion import BodyError, clean, read_completion, read_receipt
from generation.llm.egress import EgressGuard
from generation.llm.embeddings import read_vectors
from generation.llm.errors import error_from
from generation.llm.transport import Flight, GuardedTransport, flight

BROKEN = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.TimeoutException,  # the system's own, while connecting
    httpx2.HTTPError,
    APIConnectionError,
)
SHORTEST_KEY = 6  # a shorter "key", such as "none", is no secret and would blot out plain words


class Client:
    """Talks to one endpoint: `async with Client(...) as client: await client.ask(request)`.

    It belongs to the event loop that it is first used in. `deadline` is the most seconds that one
    call can take in all. Raises LLMError("blocked") at once for a URL that the guard refuses.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        deadline: float,
        guard: EgressGuard,
        connections: int = 64,
    ) -> None:
        target = guard.check_url(base_url)
        secure = target.scheme == "https"
        context = httpx2.create_ssl_context(trust_env=False) if secure else None
        self._key = key
        self._deadline = deadline
        self._openai = AsyncOpenAI(
            api_key=key or "none",
            base_url=base_url,
            max_retries=0,
            timeout=None,  # our own deadline is total; the SDK's is only for each read
            default_headers={"Authorization": f"Bearer {key}", "User-Agent": "SynthLab"},
            http_client=httpx2.AsyncClient(
                transport=GuardedTransport(guard, context, connections),
                follow_redirects=False,
                trust_env=False,
                timeout=None,
            ),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._openai.close()

    async def ask(self, request: AnyRequest, slot: str = "") -> Reply:
        """One HTTP request, one reply, or LLMError. Nothing is retried here.

        `slot` names the planned result: with it goes an Idempotency-Key, so that an endpoint that
        knows the header does not charge twice for a request sent again after an unknown outcome.
        """
        trip = Flight()
        flight.set(trip)
        start = time.monotonic()
        try:
            async with asyncio.timeout(self._deadline):
                response = await self._post(request, slot)
            return self._reply(response, request, start)
        except TimeoutError:
            message = f"No complete answer within {self._deadline:g} seconds."
            error = LLMError("timeout", message, sent=trip.sent)
        except LLMError as raised:
            error = raised
            error.sent = error.sent or trip.sent
        except BROKEN as cause:
            error = LLMError("transport", _connection_message(cause), sent=trip.sent)
        error.latency_ms = _since(start)
        error.message = self._without_key(error.message)
        error.request_id = self._without_key(error.request_id)
        raise error from None

    async def _post(self, request: AnyRequest, slot: str) -> httpx2.Response:
        """The raw answer, whatever its status, read whole under the transport's byte cap."""
        headers = {}
        if slot:
            joined = f"{request.hash()}:{slot}"
            headers["Idempotency-Key"] = hashlib.sha256(joined.encode()).hexdigest()
        try:
            # `chat.completions.create` walks the body and the answer through its type tables,
            # which costs more than the call; this is the same request without them.
            return await self._openai.post(
                request.path,
                content=request.payload(),
                cast_to=httpx2.Response,
                options={"headers": headers},
            )
        except APIStatusError as error:
            return error.response

    def _reply(self, response: httpx2.Response, request: AnyRequest, start: float) -> Reply:
        raw = self._without_key(clean(response.content.decode("utf-8", "replace")))
        if response.status_code >= 300:
            raise error_from(response.status_code, response.headers, raw)
        try:
            reply = _read(raw, request)
        except BodyError as bad:
            message = f"The endpoint answered, but not with what was asked for. {bad}"
            raise LLMError("server", message, response.status_code, True, raw=raw) from None
        return replace(
            reply,
            status=response.status_code,
            request_id=self._request_id(response) or reply.request_id,
            latency_ms=_since(start),
        )

    def _request_id(self, response: httpx2.Response) -> str:
        return self._without_key(clean(response.headers.get("x-request-id", "")))[:200]

    def _without_key(self, text: str) -> str:
        """An endpoint may repeat the key in what it says; it goes no further than here."""
        return text.replace(self._key, "[key]") if len(self._key) >= SHORTEST_KEY else text


def _read(raw: str, request: AnyRequest) -> Reply:
    if isinstance(request, EmbeddingRequest):
        read_vectors(raw, len(request.texts))  # only whether it can be read
        return read_receipt(raw, request)
    return read_completion(raw, request)


def _connection_message(cause: Exception) -> str:
    if isinstance(cause, (httpcore2.ConnectError, httpcore2.ConnectTimeout)):
        return "No connection to the endpoint; is it running, and is the address right?"
    return "The connection broke before the answer was complete."


def _since(start: float) -> int:
    return round((time.monotonic() - start) * 1000)
