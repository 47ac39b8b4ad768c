"""Figures in tables: a value with its interval or why there is none; both drawn on one scale."""

from dataclasses import dataclass
from functools import partial

from django import template

from annotation.reports.figures import SideBySide
from annotation.reports.words import MENDABLE, METHODS, REASONS
from annotation.templatetags.synthlab import number, percent
from synthlab.science.figures import NO_DRAW, Figure

register = template.Library()


@register.inclusion_tag("annotation/_estimate.html")
def estimate(figure: Figure, share: bool = True, short: bool = False, digits: int = 2) -> dict:
    """One figure; `digits` are for what is no share. `short` leaves out how its interval was made,
    for tables of many."""
    say = percent if share else partial(number, digits=digits)
    low, high = figure.interval or (None, None)
    return {
        "value": None if figure.value is None else say(figure.value),
        "low": None if low is None else say(low),
        "high": None if high is None else say(high),
        "exact": figure.interval is not None and low == high,
        "n": figure.n,
        "reason": "" if short and figure.reason == NO_DRAW else REASONS.get(figure.reason, ""),
        "mendable": figure.reason in MENDABLE,
        "method": "" if short else METHODS.get(figure.method, figure.method),
    }


@register.inclusion_tag("annotation/_naive.html")
def naive(figure: Figure) -> dict:
    """A share among the answered samples as they are, small, to stand under the corrected one."""
    low, high = figure.interval or (None, None)
    return {"value": figure.value, "low": low, "high": high}


@dataclass(frozen=True)
class Bar:
    """A range and its point on a track 100 wide, as SVG attributes."""

    start: str
    width: str
    point: str


def _bar(figure: Figure) -> Bar | None:
    if figure.value is None or figure.interval is None:
        return None
    start, end = (100 * min(1.0, max(0.0, x)) for x in figure.interval)
    point = 99.2 * min(1.0, max(0.0, figure.value))
    return Bar(f"{start:.2f}", f"{max(end - start, 0.5):.2f}", f"{point:.2f}")


@register.inclusion_tag("annotation/_bars.html")
def bars(row: SideBySide) -> dict:
    """The corrected and the naive interval above one another, from 0 to 1; below 0 is cut off."""
    return {"corrected": _bar(row.corrected), "naive": _bar(row.naive)}


@register.filter
def whole(value: float) -> str:
    """Samples of the whole set that a cell stands for, as a whole number; never "-0"."""
    return number(abs(value), 0)
