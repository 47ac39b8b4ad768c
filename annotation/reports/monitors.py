"""A round's monitor: is more than the target of a machine's labels what people say?

It may be looked at after every answer, because it takes the samples in the order in which they
were drawn by lot. The order in which answers arrive will not do: what is easy is answered sooner,
and a machine is more often right there. So it goes as far as the first sample that still waits for
an answer; what was answered beyond it counts when that one is. Looking at any time is then harmless
(Ville's inequality holds for all lengths of that one sequence at once).

A sample that people did not settle counts as wrong. Settling it later can only add evidence, so
that what was decided without it stands.
"""

from dataclasses import dataclass

import numpy as np
from django.db.models import QuerySet

from annotation.arrays_certificate import BY_LOT, is_uniform, outcomes
from annotation.models import Round, RoundItem
from annotation.reports.scope import scope_of
from synthlab.science.monitoring import Monitor, monitor

# Why there is nothing to monitor by.
NO_MACHINE, NOT_BLIND, NOT_BY_LOT, UNEVEN = "machine", "blind", "lot", "uneven"
ABOVE, BELOW, OPEN = "above", "below", "open"
ROWS, POINTS = 15, 200


@dataclass(frozen=True)
class Point:
    """What could be said after so many samples."""

    n: int
    share: float
    low: float
    high: float
    evidence: float


@dataclass(frozen=True)
class Monitoring:
    """All that the page shows. Where there is an `obstacle`, or no answer yet, `found` is None."""

    round: Round
    target: float
    alpha: float
    obstacle: str = ""
    drawn: int = 0  # samples drawn by lot
    beyond: int = 0  # answered, but after one that still waits
    unsettled: int = 0  # of those that count: skipped, unsure or disputed, taken for wrong
    found: Monitor | None = None
    points: tuple[Point, ...] = ()

    @property
    def last(self) -> Point:
        return self.points[-1]

    @property
    def decision(self) -> str:
        if self.found is None or self.found.interval is None:
            return OPEN
        if self.found.declared_at is not None:
            return ABOVE
        return BELOW if self.last.high < self.target else OPEN

    @property
    def rows(self) -> tuple[Point, ...]:
        """Few of the points, the last among them, for the table."""
        return tuple(self.points[at] for at in _spread(len(self.points), ROWS))


def obstacle(round_: Round) -> str:
    """What the design of the round lacks for a monitor."""
    if round_.machine_id is None:
        return NO_MACHINE
    if not round_.blind:
        return NOT_BLIND
    if not by_lot(round_).exists():
        return NOT_BY_LOT
    return "" if is_uniform(round_) else UNEVEN


def by_lot(round_: Round) -> QuerySet[RoundItem]:
    """What was drawn by lot, in the order in which the lot brought it: ranks keep that. Where a
    round took the whole frame, its main part has a known chance too, but no order by lot."""
    return round_.items.filter(inclusion__isnull=False, stratum__in=BY_LOT).order_by("rank")


def monitoring(round_: Round) -> Monitoring | None:
    """None where the round is judged at its end."""
    if round_.monitor is None:
        return None
    target, alpha = round_.monitor["target"], round_.monitor["alpha"]
    if why := obstacle(round_):
        return Monitoring(round_, target, alpha, why)
    order = np.array(by_lot(round_).values_list("sample", flat=True), dtype=np.int64)
    samples = np.sort(order)
    said = outcomes(
        scope_of(round_.project, round_.codebook, [round_], round_.machine), round_, samples
    )
    at = np.searchsorted(samples, order)
    waiting = said.waiting[at]
    n = int(waiting.argmax()) if waiting.any() else len(at)
    right, unsettled = said.right[at][:n], said.unsettled[at][:n]
    size = round_.frame.get("size")
    found = monitor(right.astype(float), target, alpha, size)
    return Monitoring(
        round=round_,
        target=target,
        alpha=alpha,
        drawn=len(at),
        beyond=int((~waiting[n:]).sum()),
        unsettled=int(unsettled.sum()),
        found=found if n else None,
        points=_points(found, right, unsettled, alpha, size),
    )


def _points(found, right, unsettled, alpha, size):
    """The interval reaches from all of the unsettled wrong to all of them right; where there are
    any, each end has half of alpha to itself."""
    lower, upper = found.lower, found.upper
    if unsettled.any():
        wrong, kind = (said.astype(float) for said in (right, right | unsettled))
        lower = monitor(wrong, 0.5, alpha / 2, size).lower
        upper = monitor(kind, 0.5, alpha / 2, size).upper
    shares = np.cumsum(right) / np.arange(1, len(right) + 1)
    return tuple(
        Point(n + 1, float(shares[n]), float(lower[n]), float(upper[n]), float(found.trail[n]))
        for n in _spread(len(right), POINTS)
    )


def _spread(n, most):
    """Rows evenly spread over n, the first and the last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int)).tolist() if n else []
