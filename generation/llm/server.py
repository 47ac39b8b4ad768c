"""The protocol layer of an OpenAI-compatible server: enough HTTP/1.1, and the shapes of replies.

The offline stand-in and the scripted server of the tests both stand on it. It serves loopback and
tests; it is no web server for strangers.
"""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import responses
from types import TracebackType
from typing import Any

MAX_REQUEST = 4_000_000
MAX_HEAD = 64_000


@dataclass(frozen=True)
class Received:
    """One HTTP request as it arrived; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What goes back. An iterator as body is sent piece by piece, as slowly as it yields.

    `claimed` is a Content-Length that need not be true: one that is too large makes a body that
    breaks off, because the connection is closed after it.
    """

    status: int = 200
    body: bytes | AsyncIterator[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    claimed: int | None = None


Answerer = Callable[[Received], Awaitable[Answer]]


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    body = json.dumps(value, ensure_ascii=False).encode()
    return Answer(status, body, {"content-type": "application/json", **(headers or {})})


def error_answer(
    status: int,
    message: str,
    code: str | None = None,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    error = {"message": message, "type": code or "error", "param": param, "code": code}
    return json_answer({"error": error}, status, headers)


def completion(
    asked: Mapping[str, Any],
    content: str | None,
    *,
    prompt_tokens: int = 0,
    completion_tokens: int = 0,
    finish_reason: str = "stop",
    refusal: str | None = None,
    logprobs: Sequence[Sequence[tuple[str, float]]] | None = None,
    model: str = "",
    number: int = 0,
) -> dict[str, Any]:
    """The body of a chat completion. `logprobs`: for each output token its alternatives, the
    sampled one first."""
    message = {"role": "assistant", "content": content, "refusal": refusal}
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": finish_reason}
    choice["logprobs"] = None if logprobs is None else {"content": [_token(p) for p in logprobs]}
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model or asked.get("model", ""),
        "choices": [choice],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


def _token(alternatives: Sequence[tuple[str, float]]) -> dict[str, Any]:
    listed = [
        {"token": token, "logprob": logprob, "bytes": list(token.encode())}
        for token, logprob in alternatives
    ]
    top = sorted(listed, key=lambda entry: -float(str(entry["logprob"])))
    return {**listed[0], "top_logprobs": top}


def models_answer(*names: str) -> Answer:
    listed = [{"id": name, "object": "model", "created": 0, "owned_by": "local"} for name in names]
    return json_answer({"object": "list", "data": listed})


def prompt_of(asked: Mapping[str, Any]) -> str:
    """All message texts of a chat request, in order."""
    messages = asked.get("messages") or []
    return "\n\n".join(str(message.get("content", "")) for message in messages)


class Server:
    """Serves one answerer on an address, in the running event loop."""

    def __init__(self, answerer: Answerer, host: str = "127.0.0.1", port: int = 0) -> None:
        self._answerer = answerer
        self._host, self._port = host, port
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        """Begins to listen; gives the base URL, with the port that the system chose for 0."""
        self._server = await asyncio.start_server(
            self._connected, self._host, self._port, limit=MAX_HEAD
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return f"http://{self._host}:{self._port}/v1"

    async def stop(self) -> None:
        """Stops listening and drops every open connection, hanging ones too."""
        if self._server is not None:
            self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A handler task of asyncio's own would report the cancellation at stop() as an error.
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while (received := await _receive(reader)) is not None:
                    if not await _send(writer, await self._answer(received, reader)):
                        break
        finally:
            writer.close()

    async def _answer(self, received: Received, reader: asyncio.StreamReader) -> Answer:
        """The answer, or a broken connection as soon as the asker has gone away."""
        answering = asyncio.ensure_future(self._answerer(received))
        try:
            while not (await asyncio.wait([answering], timeout=1.0))[0]:
                if reader.at_eof():
                    raise ConnectionResetError
            return answering.result()
        finally:
            answering.cancel()


async def _receive(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, _, rest = first.partition(" ")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MAX_REQUEST:
        return None
    body = await reader.readexactly(int(length))
    return Received(method, rest.partition(" ")[0], headers, body)


async def _send(writer: asyncio.StreamWriter, answer: Answer) -> bool:
    """Writes an answer; false means that the connection cannot be used any more."""
    whole = isinstance(answer.body, bytes)
    length = answer.claimed
    if length is None and isinstance(answer.body, bytes):
        length = len(answer.body)
    head = [f"HTTP/1.1 {answer.status} {responses.get(answer.status, 'Unknown')}"]
    head += [f"{name}: {value}" for name, value in answer.headers.items()]
    head.append("connection: close" if length is None else f"content-length: {length}")
    start = ("\r\n".join(head) + "\r\n\r\n").encode("latin-1", "replace")
    if isinstance(answer.body, bytes):
        writer.write(start + answer.body)
    else:
        writer.write(start)
        async for piece in answer.body:
            writer.write(piece)
            await writer.drain()
    await writer.drain()
    return whole and answer.claimed is None


class ServerThread:
    """A server on a thread of its own: `with ServerThread(answerer) as base_url: ...`."""

    def __init__(self, answerer: Answerer, host: str = "127.0.0.1", port: int = 0) -> None:
        self._server = Server(answerer, host, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return asyncio.run_coroutine_threadsafe(self._server.start(), self._loop).result(10)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


def serve_forever(
    answerer: Answerer, host: str, port: int, listening: Callable[[str], None]
) -> None:
    """Serves until the process is told to stop; `listening` gets the base URL once it is open."""

    async def run() -> None:
        listening(await Server(answerer, host, port).start())
        await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())
