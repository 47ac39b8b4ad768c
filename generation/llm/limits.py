"""How fast a connection may be used: what it asked for, and what it turned out to bear.

Additive increase, multiplicative decrease as in TCP (Chiu & Jain 1989), and a circuit breaker that
stops asking when nothing comes back. Pure: the caller tells the time.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from generation.llm.base import LLMError

LONGEST_WAIT = 120.0  # what an endpoint asks beyond it ends the slice instead of waiting in it
LONGEST_BACKOFF = 60.0
BREAKER_FAILURES = 10
BREAKER_BURSTS = 2
STEP_UP_AFTER = 25
DECREASE = 0.75
MINUTE = 60.0
MENDED_BY_PEOPLE = frozenset({"quota", "auth", "not_found", "blocked"})
SLICE = 10  # a tenth of a minute's allowance may go at once


def needs_a_person(error: LLMError) -> bool:
    """Every other request would fail in the same way until somebody has changed something."""
    return error.kind in MENDED_BY_PEOPLE or bool(error.parameter)


@dataclass
class Limits:
    """The window of one worker on one connection. Times are monotonic seconds.

    `careful`: one request at a time until one succeeds; `fragile`: the first failure breaks.
    """

    most: int
    careful: bool = False
    fragile: bool = False
    window: float = field(init=False)
    blocked_until: float = 0.0
    failures: int = 0  # in a row
    bursts: int = 0  # of failures; requests on their way together fail together
    streak: int = 0
    last_failure: float = -1.0
    halted: bool = False  # only a person can mend what the endpoint said
    rng: random.Random = field(default_factory=random.Random, repr=False)

    def __post_init__(self) -> None:
        self.window = float(self.most)

    @property
    def width(self) -> int:
        """How many requests may be on their way at once."""
        return 1 if self.careful else max(1, int(self.window))

    def succeeded(self) -> None:
        self.careful = self.fragile = False
        self.failures = self.bursts = 0
        self.streak += 1
        if self.streak >= STEP_UP_AFTER:
            self.window = min(self.window + 1, float(self.most))
            self.streak = 0

    def failed(self, error: LLMError, sent_at: float, now: float) -> None:
        """Narrow the window on 429, and wait exactly as long as the endpoint asked."""
        self.halted = self.halted or needs_a_person(error)
        self.failures += 1
        self.streak = 0
        fresh = sent_at >= self.last_failure
        if fresh:
            self.bursts += 1
            self.last_failure = now
        if error.kind == "rate_limited":
            if fresh:
                self.window = max(1.0, self.window * DECREASE)
            wait = self.backoff(self.bursts) if error.retry_after is None else error.retry_after
            self.blocked_until = max(self.blocked_until, now + wait)

    def backoff(self, failures: int) -> float:
        """Exponential, with jitter so that workers do not come back in step."""
        longest = min(LONGEST_BACKOFF, 0.5 * 2.0 ** min(failures, 10))
        return longest * self.rng.uniform(0.5, 1.0)

    @property
    def broken(self) -> bool:
        """Nothing comes back any more: stop instead of spinning."""
        if self.fragile:
            return self.failures > 0
        return self.failures >= BREAKER_FAILURES and self.bursts >= BREAKER_BURSTS


def room(
    history: Sequence[tuple[float, int]], per_minute: int | None, tokens_per_minute: int | None
) -> tuple[int, int]:
    """How many requests and tokens may still be started now, from the age in seconds and the tokens
    of those started before. A tenth of a minute's allowance at most goes within a tenth of it."""
    return (
        _left([(age, 1) for age, _ in history], per_minute),
        _left(history, tokens_per_minute),
    )


def _left(history: Sequence[tuple[float, int]], allowance: int | None) -> int:
    if allowance is None:
        return 1 << 31
    used = sum(amount for age, amount in history if age < MINUTE)
    lately = sum(amount for age, amount in history if age < MINUTE / SLICE)
    return min(allowance - used, max(1, -(-allowance // SLICE)) - lately)
