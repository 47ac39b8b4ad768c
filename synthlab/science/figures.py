"""A figure as a page may show it: never without saying what it rests on, or why it is missing."""

from dataclasses import dataclass

# Why a figure has no value, as whole phrases so that pages can translate them.
ONE_LABEL = "everyone used one label"
NO_PAIRS = "no sample has two answers"
NO_ANSWERS = "there are no answers yet"
NO_DRAW = "no answered sample was drawn with a known chance"
UNEQUAL_OVERLAP = "the samples do not all have the same number of answers"
TOO_FEW_LABELS = "there are fewer than two labels"
NEVER_USED = "nobody used this label"
NEVER_GIVEN = "the model never gave this label"
TOO_FEW_ANSWERS = "fewer than 10 effective answers"
TOO_ALIKE = "the answers are too few or too alike for an interval"
RARE_LABELS = "some labels have fewer than 10 effective answers"
EMPTY_STRATUM = "a part of the frame has no answer"

REASONS = (
    ONE_LABEL,
    NO_PAIRS,
    NO_ANSWERS,
    NO_DRAW,
    UNEQUAL_OVERLAP,
    TOO_FEW_LABELS,
    NEVER_USED,
    NEVER_GIVEN,
    TOO_FEW_ANSWERS,
    TOO_ALIKE,
    RARE_LABELS,
    EMPTY_STRATUM,
)


@dataclass(frozen=True)
class Figure:
    """A value with its interval, or none with the reason in words."""

    value: float | None
    n: int  # the samples that it rests on
    interval: tuple[float, float] | None = None
    reason: str = ""  # one of REASONS where there is no value
    n_eff: float | None = None  # the size of a uniform draw that would say as much
    method: str = ""  # how the interval was made
