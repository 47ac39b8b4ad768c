"""What labelling would bring: a stored forecast read for one intended round and one target."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from annotation import arrays_forecast as arrays
from annotation.models import (
    Adjudication,
    Annotation,
    Codebook,
    Forecast,
    MachineAnnotator,
    Project,
    Sample,
    Suggestion,
)
from synthlab.science.forecast_lines import CHANCE, ITSELF, LOT
from synthlab.science.planned_round import Effort, at, effort, interval_to_come, mixed, needed

ASSUMED_SECONDS = 30.0
FEWEST_TIMED = 10  # answers without whose seconds an assumption stands


@dataclass(frozen=True)
class Wish:
    """The round that somebody thinks of. Budget and audit are numbers of samples."""

    machine: MachineAnnotator
    edition: Codebook
    budget: int
    audit: int
    overlap: int
    target: float  # share of right labels
    seconds: float | None = None  # an answer's, where stated; else as measured
    wage: float | None = None  # an hour's


@dataclass(frozen=True)
class Span:
    """An expected value, and between which values it should come out; None: nobody can tell."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Reach:
    """Labels until the target: expected, and at the good and the bad end of the band. None where
    the target is out of reach by labelling what may be drawn."""

    labels: int | None
    soonest: int | None
    latest: int | None
    banded: bool


@dataclass(frozen=True)
class Row:
    """One strategy, or several that rank alike, for the intended round."""

    strategies: tuple[str, ...]
    kind: str
    optimistic: bool  # ranked and judged by the same answers
    accuracy: Span
    fixed: Span  # errors put right
    measuring: int  # samples that measure the machine's accuracy
    interval: tuple[float, float] | None  # that they should give
    reach: Reach

    @property
    def strategy(self) -> str:
        """The one that the round form takes."""
        return "uniform" if self.kind == LOT else self.strategies[0]

    @property
    def width(self) -> float | None:
        return None if self.interval is None else self.interval[1] - self.interval[0]


@dataclass(frozen=True)
class Since:
    """What came after a forecast was made."""

    answers: int
    settled: int
    samples: int
    suggestions: int
    rounds: int

    def __bool__(self) -> bool:
        return any((self.answers, self.settled, self.samples, self.suggestions, self.rounds))


@dataclass(frozen=True)
class Time:
    """How long an answer takes: measured from so many answers, or stated."""

    seconds: float
    quartiles: tuple[float, float] | None
    answers: int  # 0: not measured
    stated: bool


@dataclass(frozen=True)
class Plan:
    """What the page shows of a forecast for the wish."""

    wish: Wish
    result: dict[str, Any]
    rows: tuple[Row, ...]
    effort: Effort
    time: Time
    cost: float | None

    @property
    def now(self) -> float:
        """The expected share of right labels without the round."""
        return float(self.result["lines"][0]["accuracy"][0])

    @property
    def drawn(self) -> int:
        return self.wish.budget + self.wish.audit


def newest(machine: MachineAnnotator, edition: Codebook) -> Forecast | None:
    """The newest forecast that was worked out."""
    done = Forecast.objects.filter(machine=machine, codebook=edition, state=Forecast.State.DONE)
    return done.order_by("-pk").first()


def unfinished(machine: MachineAnnotator, edition: Codebook) -> Forecast | None:
    """The newest of all, if it is not worked out: waiting, at work, or failed."""
    last = Forecast.objects.filter(machine=machine, codebook=edition).order_by("-pk").first()
    return None if last is None or last.state == Forecast.State.DONE else last


def since(forecast: Forecast) -> Since:
    """How many rows came that the forecast does not know."""
    then = forecast.inputs["newest"]
    project = forecast.project
    now = arrays.marks(project, forecast.machine)

    def more(name, rows):
        return rows.filter(pk__gt=then[name]).count() if now[name] > then[name] else 0

    pool = Sample.objects.visible().filter(project=project, split=Sample.Split.POOL)
    return Since(
        more("answer", Annotation.objects.filter(project=project)),
        more("settled", Adjudication.objects.filter(project=project)),
        more("sample", pool),
        more("suggestion", Suggestion.objects.filter(machine=forecast.machine)),
        more("round", project.rounds.begun()),
    )


def has_curves(forecast: Forecast | None) -> bool:
    return forecast is not None and bool(forecast.result.get("lines"))


def plan(forecast: Forecast, wish: Wish) -> Plan:
    """Read the forecast, which has curves, for the wish."""
    result = forecast.result
    rows = tuple(_row(result, line, wish) for line in result["lines"])
    time = time_of(forecast.project, wish.seconds)
    answers = min(wish.budget + wish.audit, result["counts"]["free"]) * wish.overlap
    took = effort(answers, time.seconds, time.quartiles)
    return Plan(wish, result, rows, took, time, None if wish.wage is None else took.cost(wish.wage))


def time_of(project: Project, stated: float | None) -> Time:
    measured = arrays.seconds_of(project)
    if stated is not None:
        return Time(stated, None, len(measured), stated=True)
    if len(measured) < FEWEST_TIMED:
        return Time(ASSUMED_SECONDS, None, 0, stated=False)
    low, median, high = (float(x) for x in np.quantile(measured, [0.25, 0.5, 0.75]))
    return Time(median, (low, high), len(measured), stated=False)


def _row(result: dict[str, Any], line: dict[str, Any], wish: Wish) -> Row:
    labels = np.array(result["labels"], dtype=float)
    size, free = result["counts"]["samples"], result["counts"]["free"]
    main, audit = min(wish.budget, free), min(wish.audit, free)
    shares = [
        None if line[name] is None else np.array(line[name], dtype=float)
        for name in ("accuracy", "low", "high")
    ]
    accuracy = Span(*(None if y is None else mixed(labels, y, main, audit, free) for y in shares))
    fixed = Span(*(_fixed(y, labels, main, audit, free, size) for y in shares[:1]))
    measuring = min(audit if line["kind"] not in (LOT, CHANCE) else main + audit, free)
    effect = _effect(line, labels, main + audit)
    right = 1 - result["expected_error"]
    return Row(
        tuple(line["strategies"]),
        line["kind"],
        line["judged"] == ITSELF,
        accuracy,
        fixed,
        measuring,
        interval_to_come(right, measuring, free, effect),
        _reach(labels, shares, wish.target),
    )


def _fixed(accuracy, labels, main, audit, free, size):
    return max(0.0, (mixed(labels, accuracy, main, audit, free) - accuracy[0]) * size)


def _effect(line, labels, drawn):
    effects = line["design_effects"]
    if effects is None:
        return 1.0
    known = [(k, e) for k, e in zip(labels, effects, strict=True) if e is not None and k > 0]
    return at(*map(np.array, zip(*known, strict=True)), drawn) if known else 1.0


def _reach(labels, shares, target):
    accuracy, low, high = shares
    soonest, latest = (None if y is None else needed(labels, y, target) for y in (high, low))
    return Reach(needed(labels, accuracy, target), soonest, latest, low is not None)
