"""Requests on their way: an event loop on a thread of its own, so that the caller stays plain.

The caller keeps the ledger; the wire only sends what it was given, in that order, under the limits.
"""

import asyncio
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from generation.llm.base import AnyRequest, LLMError, Reply
from generation.llm.limits import LONGEST_WAIT, Limits
from generation.llm.openai_client import Client

# These say nothing about how much the endpoint can bear.
HARMLESS = frozenset({"bad_request", "context_overflow", "too_large"})


SWITCH_SECONDS = 0.0005


@dataclass(eq=False)
class Ask:
    """One request that is to be sent. `before`: how many of other workers' come first."""

    call_id: int
    request: AnyRequest
    slot: str = ""
    before: int = 0


@dataclass(eq=False)
class Outcome:
    """What became of an ask: a reply or an error. `sent_at` is the wall clock's time."""

    ask: Ask
    sent_at: float
    reply: Reply | None = None
    error: LLMError | None = None
    receipt: dict[str, Any] = field(default_factory=dict)  # the caller's, by `on_outcome`


@dataclass
class Wire:
    """`with Wire(client, limits) as wire:` then `send`, `received`, and `recall` what is unsent."""

    client: Callable[[], Client]
    limits: Limits
    on_send: Callable[[int], None] | None = None  # told each call's id before its first byte
    on_outcome: Callable[[Outcome], None] | None = None  # before the next request may go out
    _ready: deque[Ask] = field(default_factory=deque)
    _outcomes: queue.SimpleQueue[Outcome] = field(default_factory=queue.SimpleQueue)
    _crash: BaseException | None = None
    in_flight: int = 0

    def __enter__(self) -> Self:
        # The caller's database work must not keep the loop waiting for the interpreter: at Python's
        # default of 5 ms every step of a call would wait that long.
        sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_SECONDS))
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)
        self._thread.start()
        self._client = self._call(self._opened)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    def send(self, asks: Iterable[Ask]) -> None:
        added = list(asks)
        self._loop.call_soon_threadsafe(self._take, added)

    def received(self, wait: float, most: int = 64) -> list[Outcome]:
        """What came back; gathers for `wait` seconds so that it can be stored in one go."""
        until = time.monotonic() + wait
        found: list[Outcome] = []
        while len(found) < most and (left := until - time.monotonic()) > 0:
            try:
                found.append(self._outcomes.get(timeout=left))
            except queue.Empty:
                break
        if self._crash is not None:
            raise self._crash
        return found

    def recall(self) -> list[Ask]:
        """Take back what was not sent; it never will be."""

        async def taken() -> list[Ask]:
            back = list(self._ready)
            self._ready.clear()
            return back

        return asyncio.run_coroutine_threadsafe(taken(), self._loop).result(30)

    def wait_for(self, seconds: float) -> None:
        """Send nothing for as long, as another worker was told by the endpoint."""
        until = time.monotonic() + seconds
        self.limits.blocked_until = max(self.limits.blocked_until, until)

    def idle(self) -> bool:
        """Nothing is on its way and nothing waits to be collected."""
        return self.in_flight == 0 and self._outcomes.empty()

    def _call(self, function: Callable[[], Client]) -> Client:
        async def called() -> Client:
            return function()

        return asyncio.run_coroutine_threadsafe(called(), self._loop).result(30)

    def _opened(self) -> Client:
        return self.client()

    async def _close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
        await self._client.__aexit__(None, None, None)

    def _take(self, asks: list[Ask]) -> None:
        self._ready.extend(asks)
        self._start_what_may_go()

    def _start_what_may_go(self) -> None:
        limits = self.limits
        if limits.halted or limits.broken:
            return
        if self._ready and (wait := limits.blocked_until - time.monotonic()) > 0:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(
                min(wait + 0.01, LONGEST_WAIT), self._start_what_may_go
            )
            return
        while self._ready and self.in_flight + self._ready[0].before < limits.width:
            self.in_flight += 1
            task = self._loop.create_task(self._ask(self._ready.popleft()))
            self._tasks.add(task)
            task.add_done_callback(self._done)

    async def _ask(self, ask: Ask) -> None:
        if self.on_send is not None:
            self.on_send(ask.call_id)
        sent_at, start = time.time(), time.monotonic()
        try:
            outcome = Outcome(ask, sent_at, reply=await self._client.ask(ask.request, ask.slot))
        except LLMError as error:
            outcome = Outcome(ask, sent_at, error=error)
            if error.kind not in HARMLESS or error.parameter:
                self.limits.failed(error, start, time.monotonic())
        else:
            self.limits.succeeded()
        if self.on_outcome is not None:
            self.on_outcome(outcome)
        self._outcomes.put(outcome)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.in_flight -= 1
        if not task.cancelled() and (crash := task.exception()) is not None:
            self._crash = crash
        self._start_what_may_go()
