"""The curve as it came out: how right the set became with every label of people, by the lot's word.

How many errors the machine made in all is estimated from the answers to samples drawn by lot. What
people put right is counted. The difference is what was left after each label.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from annotation.arrays_agreement import judgements
from annotation.arrays_codes import Scope
from annotation.arrays_outcome import Labelled, labelled_in_order, pool_counts
from annotation.models import Forecast, Round
from annotation.reports.figures import match
from synthlab.science.estimation import hajek_proportion
from synthlab.science.forecast_lines import LOT
from synthlab.science.planned_round import mixed

POINTS = 25
FEWEST = 10  # answers drawn by lot, as everywhere a figure begins
COVERS = 0.95  # of the pool; below, the page says how much the lot speaks for


@dataclass(frozen=True)
class Point:
    """After so many samples had a label of people: what was right, and what had been expected."""

    labels: int
    at: datetime
    fixed: int  # errors put right until then, counted
    accuracy: float
    low: float
    high: float
    expected: float | None = None  # by the forecast, with its band
    expected_low: float | None = None
    expected_high: float | None = None


@dataclass(frozen=True)
class Outcome:
    """`by_lot` answers carry it; below 10 there are no points. `forecast` was stored before the
    round that `strategy` names; None where there was none."""

    points: tuple[Point, ...]
    by_lot: int
    covers: int  # samples that the lot speaks for
    size: int
    forecast: Forecast | None = None
    round: Round | None = None
    strategies: tuple[str, ...] = ()

    @property
    def partly(self) -> bool:
        return self.covers < COVERS * self.size

    @property
    def inside(self) -> int:
        """How many points with a band lie in it."""
        return sum(p.expected_low <= p.accuracy <= p.expected_high for p in self.banded)

    @property
    def banded(self) -> list[Point]:
        return [point for point in self.points if point.expected_low is not None]


def outcome(scope: Scope, chosen: Forecast | None = None) -> Outcome | None:
    """Of the rounds of the scope; None where nobody has labelled anything. `chosen` is held against
    it, else the forecast before the newest round with answers that had one."""
    labelled = labelled_in_order(scope)
    if not len(labelled.samples) or not scope.rounds:
        return None
    read = judgements(scope)
    agrees = match(read.truth.value, read.model)
    figure = hajek_proportion(agrees, read.design)
    size, silent = pool_counts(scope)
    covers = min(read.frame or 0, size)
    if figure.value is None or figure.interval is None or figure.n < FEWEST:
        return Outcome((), figure.n, covers, size)
    shares = (figure.value, *figure.interval)
    errors = [(1 - share) * (size - silent) + silent for share in shares]
    forecast, round_ = _before(scope, chosen)
    line = _line(forecast, round_)
    points = tuple(
        _expecting(point, forecast, line, round_) for point in _points(labelled, errors, size)
    )
    names = tuple(line["strategies"]) if line else ()
    return Outcome(points, figure.n, covers, size, forecast, round_, names)


def _points(labelled: Labelled, errors: list[float], size: int) -> list[Point]:
    """What is left cannot be fewer errors than were put right later."""
    fixed = np.concatenate([[0], np.cumsum(labelled.fixed)])
    total = len(labelled.samples)
    shown = np.unique(np.linspace(0, total, min(POINTS, total) + 1).round().astype(int))[1:]
    points = []
    for k in shown:
        left = [float(np.clip(e - fixed[k], fixed[-1] - fixed[k], size - k)) for e in errors]
        value, high, low = (1 - x / size for x in left)
        low, high = sorted((low, high))
        points.append(Point(int(k), labelled.at[k - 1], int(fixed[k]), value, low, high))
    return points


def forecasts_of(scope: Scope) -> list[Forecast]:
    """All that have curves, newest first."""
    done = Forecast.objects.filter(
        machine=scope.machine, codebook=scope.edition, state=Forecast.State.DONE
    )
    return [found for found in done.order_by("-pk") if found.result.get("lines")]


def _before(scope, chosen):
    """The forecast to hold against what came, and the first round after it that was answered."""
    answered = [r for r in scope.rounds if r.assignments.filter(state="done").exists()]
    for found in [chosen] if chosen else forecasts_of(scope):
        later = [r for r in answered if r.created_at > found.created_at]
        if later or chosen:
            return found, later[0] if later else None
    return None, None


def _line(forecast: Forecast | None, round_: Round | None) -> dict[str, Any] | None:
    """That of the strategy which was drawn by, else that of the lot."""
    if forecast is None:
        return None
    lines = forecast.result["lines"]
    named = [line for line in lines if round_ and round_.strategy in line["strategies"]]
    by_lot = [line for line in lines if line["kind"] == LOT]
    return (named or by_lot or lines)[0]


def _expecting(point, forecast, line, round_):
    """The point with what the forecast says of so many labels, drawn with the round's audit."""
    if line is None:
        return point
    counts, lot = forecast.result["counts"], _audit_share(round_)
    more = point.labels - counts["labelled"]
    if not 0 <= more <= counts["free"]:
        return point
    labels = np.array(forecast.result["labels"], dtype=float)
    found = {}
    for name, stored in (
        ("expected", "accuracy"),
        ("expected_low", "low"),
        ("expected_high", "high"),
    ):
        if line[stored] is not None:
            curve = np.array(line[stored], dtype=float)
            found[name] = mixed(labels, curve, (1 - lot) * more, lot * more, counts["free"])
    return Point(**{**vars(point), **found})


def _audit_share(round_):
    if round_ is None:
        return 0.0
    samples = round_.parameters.get("samples", 0)
    return round_.parameters.get("audit_samples", 0) / samples if samples else 0.0
