"""How many samples may a round cost? In samples ("200"), per cent ("15%") or by a threshold."""

import math
import re
from collections.abc import Mapping

import numpy as np

from synthlab.science.selection.base import Pool

Wish = Mapping[str, float]  # one of {"samples": 200}, {"percent": 15}, {"confidence_below": 0.8}

_FORMS = {
    "samples": re.compile(r"(\d+)"),
    "percent": re.compile(r"(\d+(?:\.\d+)?)\s*%"),
    "confidence_below": re.compile(r"confidence\s*<\s*(\d*\.?\d+)", re.IGNORECASE),
}


def read(text: str) -> dict[str, float]:
    """A budget as people write it, as the mapping to store; ValueError says what is allowed."""
    for name, form in _FORMS.items():
        if match := form.fullmatch(text.strip()):
            return {name: float(match[1])}
    raise ValueError(
        f"“{text}” is no budget. Write a number of samples (200), a share (15%) "
        "or a threshold (confidence<0.8)."
    )


def budget(wish: str | Wish, pool: Pool) -> int:
    """How many samples of this pool the wish amounts to, at most all of them.

    A share is rounded to the nearest sample and is at least one. A threshold counts the samples
    below it and those without a confidence, which are routed on purpose.
    """
    if pool.size == 0:
        raise ValueError("There are no samples to draw from.")
    stated = read(wish) if isinstance(wish, str) else dict(wish)
    if len(stated) != 1 or not stated.keys() <= _FORMS.keys():
        raise ValueError(f"A budget is one of {', '.join(_FORMS)}.")
    ((name, amount),) = stated.items()
    if name == "samples":
        return _samples(amount, pool)
    if name == "percent":
        return _share(amount, pool)
    return _below(amount, pool)


def _samples(amount: float, pool: Pool) -> int:
    if amount < 1 or amount != math.floor(amount):
        raise ValueError("A budget in samples is a whole number of at least 1.")
    return min(int(amount), pool.size)


def _share(percent: float, pool: Pool) -> int:
    if not 0 < percent <= 100:
        raise ValueError("A budget in per cent is above 0 and at most 100.")
    return max(1, math.floor(pool.size * percent / 100 + 0.5))


def _below(threshold: float, pool: Pool) -> int:
    if not 0 < threshold <= 1:
        raise ValueError("A confidence threshold is above 0 and at most 1.")
    # Not "below" rather than "below": NaN compares false, so a missing confidence counts.
    return int(pool.size - np.sum(pool.column("confidence") >= threshold))
