"""Is the new codebook, prompt or model better? Two answers to the same samples, paired.

Only samples on which one is right and the other wrong say anything. For an even draw the test is
McNemar's (1947), exact; with any design the difference of the two accuracies has a weighted
estimate. Its interval is that of Agresti & Min (2005), half an answer added to each cell, on as
many answers as the design is worth, after Korn & Graubard (1998).

Whoever looks again and again finds something: the level is shared out over the looks. If their
number was fixed, evenly (Bonferroni); if not, look k spends alpha * 6 / (pi * k)^2, which adds up
to alpha however many there are (alpha spending after Lan & DeMets 1983, by the union bound).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from synthlab.science.estimation import Design, effective_size, variance_of_mean
from synthlab.science.figures import NO_ANSWERS, NO_DRAW, Figure
from synthlab.science.intervals import shrunk_for_small

ALWAYS_ALIKE = "both were right and wrong on the same samples"
UNEQUAL_CHANCES = "the samples had unequal chances of being drawn; read the interval"
LOOKS_USED_UP = "all the looks that were planned have been taken"
NO_DIFFERENCE = "there is no difference to find"
IMPOSSIBLE_DIFFERENCE = "they cannot differ by more than the share on which they disagree"
TOO_SMALL_TO_FIND = "even a million samples would not be enough"

REASONS = (
    ALWAYS_ALIKE,
    UNEQUAL_CHANCES,
    LOOKS_USED_UP,
    NO_DIFFERENCE,
    IMPOSSIBLE_DIFFERENCE,
    TOO_SMALL_TO_FIND,
)
MOST = 1_000_000


@dataclass(frozen=True)
class McNemar:
    """The exact test. Without a p-value there is a reason."""

    gained: int  # samples on which only the second is right
    lost: int  # samples on which only the first is right
    p: float | None
    reason: str = ""


@dataclass(frozen=True)
class PairedComparison:
    """Second minus first. `better` is None while the answers do not decide at this look's level."""

    difference: Figure
    test: McNemar
    level: float  # what this look may spend of alpha
    better: bool | None
    reason: str = ""


def level_at(look: int, alpha: float = 0.05, planned: int | None = None) -> float:
    """The share of alpha that look 1, 2, 3 ... may spend; 0 once the planned ones are used up."""
    if look < 1 or (planned is not None and planned < 1):
        raise ValueError("Looks are counted from 1.")
    if planned is not None:
        return alpha / planned if look <= planned else 0.0
    return alpha * 6 / (math.pi * look) ** 2


def mcnemar(first: np.ndarray, second: np.ndarray) -> McNemar:
    """From (samples,) of 1 right, 0 wrong, NaN unknown, of the first and of the second."""
    one, two = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    both = ~np.isnan(one) & ~np.isnan(two)
    gained = int((both & (two > one)).sum())
    lost = int((both & (one > two)).sum())
    if not gained + lost:
        return McNemar(0, 0, None, ALWAYS_ALIKE if both.any() else NO_ANSWERS)
    return McNemar(gained, lost, float(stats.binomtest(gained, gained + lost, 0.5).pvalue))


def paired_difference(
    first: np.ndarray, second: np.ndarray, design: Design | None = None, level: float = 0.95
) -> Figure:
    """The accuracy of the second minus that of the first, over the frame if there is a design."""
    d = np.asarray(second, dtype=float) - np.asarray(first, dtype=float)
    kept = ~np.isnan(d)
    if design is not None:
        reason = NO_DRAW if kept.any() else NO_ANSWERS
        kept &= design.measuring
    else:
        reason = NO_ANSWERS
    n = int(kept.sum())
    if not n:
        return Figure(None, 0, reason=reason)
    part = None if design is None else design.take(kept)
    d = d[kept]
    w = np.ones(n) if part is None else part.weights
    value = float(np.average(d, weights=w))
    if part is not None and n == part.size:
        return Figure(value, n, (value, value), n_eff=float(n), method="census")
    n_eff, units = _worth(d, w, part)
    n_eff = shrunk_for_small(n_eff, units, level)
    gained, lost = np.average(d > 0, weights=w), np.average(d < 0, weights=w)
    interval = _agresti_min(float(gained), float(lost), n_eff, level)
    low, high = min(interval[0], value), max(interval[1], value)
    return Figure(value, n, (low, high), n_eff=n_eff, method="agresti_min")


def compare_paired(
    first: np.ndarray,
    second: np.ndarray,
    design: Design | None = None,
    alpha: float = 0.05,
    look: int = 1,
    planned: int | None = 1,
) -> PairedComparison:
    """One look at whether the second is better. Count every look at the same samples, also those
    that nobody acted on; `planned` None: nobody knows how many there will be."""
    level = level_at(look, alpha, planned)
    difference = paired_difference(first, second, design, 1 - level if level else 1 - alpha)
    uneven = False
    if design is not None:  # what was not drawn by chance measures nothing
        uneven = len(np.unique(design.inclusion[design.measuring].round(12))) > 1
        first = np.where(design.measuring, first, np.nan)
        second = np.where(design.measuring, second, np.nan)
    test = mcnemar(first, second)
    if difference.value is None or not level:
        return PairedComparison(difference, test, level, None, difference.reason or LOOKS_USED_UP)
    if uneven:
        test = McNemar(test.gained, test.lost, None, UNEQUAL_CHANCES)
        low, high = difference.interval or (-1.0, 1.0)
        decided = low > 0 or high < 0
    else:
        decided = test.p is not None and test.p <= level
    return PairedComparison(difference, test, level, difference.value > 0 if decided else None)


def _worth(d: np.ndarray, weights: np.ndarray, design: Design | None) -> tuple[float, int]:
    """How many answers of an even draw from an endless frame say as much, at most
    n / (1 - n / size), and Kish's number where no two answers differ; how many were drawn apart."""
    if design is None:
        return float(len(d)), len(d)
    units = int(design.drawn_together.max()) + 1
    most = units / (1 - len(d) / design.size)
    even = float(np.average((d - np.average(d, weights=weights)) ** 2, weights=weights))
    variance = variance_of_mean(d, design) if np.ptp(d) > 0 else 0.0
    if variance > 0:
        return min(even / variance, most), units
    kish = effective_size(np.bincount(design.drawn_together, weights=weights))
    return min(kish, most), units


def _agresti_min(gained: float, lost: float, n: float, level: float) -> tuple[float, float]:
    plus, minus = gained * n + 0.5, lost * n + 0.5
    total = n + 2
    middle = (plus - minus) / total
    spread = math.sqrt(max(plus + minus - (plus - minus) ** 2 / total, 0)) / total
    half = float(stats.norm.ppf((1 + level) / 2)) * spread
    return max(-1.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class Power:
    """How likely an exact McNemar test would see a difference, before anybody relabels."""

    n: int
    power: float | None  # with n samples
    needed: int | None  # samples for the power wanted
    wanted: float
    reason: str = ""


def mcnemar_power(n: int, gained: float, lost: float, alpha: float = 0.05) -> float:
    """The exact power: over every number of disagreements, the chance of a p of at most alpha.

    `gained` and `lost` are the shares of samples on which only the second, only the first is right.
    """
    middle = n * (gained + lost)
    width = 8 * math.sqrt(middle) + 20  # disagreements further out have no weight
    apart = np.arange(max(0, int(middle - width)), min(n, int(middle + width)) + 1)
    likely = stats.binom.pmf(apart, n, gained + lost)
    edge = stats.binom.ppf(alpha / 2, apart, 0.5).astype(int)
    few = np.where(2 * stats.binom.cdf(edge, apart, 0.5) <= alpha, edge, edge - 1)
    share = gained / (gained + lost)
    seen = stats.binom.cdf(few, apart, share) + stats.binom.sf(apart - few - 1, apart, share)
    return float(likely @ np.where(few >= 0, seen, 0))


def planned_power(
    n: int,
    difference: float,
    disagreement: float,
    alpha: float = 0.05,
    wanted: float = 0.8,
) -> Power:
    """What n samples could show, and how many would be needed.

    `difference` is the change in accuracy worth finding, `disagreement` the share of samples on
    which one is right and the other wrong. Give the level of the look as `alpha`. The exact power
    goes up in small teeth; `needed` reaches what is wanted and lies on the first rise past it.
    """
    if difference == 0:
        return Power(n, None, None, wanted, NO_DIFFERENCE)
    if not abs(difference) <= disagreement <= 1:
        return Power(n, None, None, wanted, IMPOSSIBLE_DIFFERENCE)
    gained, lost = (disagreement + abs(difference)) / 2, (disagreement - abs(difference)) / 2
    power = mcnemar_power(n, gained, lost, alpha)
    low, high = 0, 8
    while high <= MOST and mcnemar_power(high, gained, lost, alpha) < wanted:
        low, high = high, 2 * high
    if high > MOST:
        return Power(n, power, None, wanted, TOO_SMALL_TO_FIND)
    while high - low > 1:
        middle = (low + high) // 2
        reached = mcnemar_power(middle, gained, lost, alpha) >= wanted
        low, high = (low, middle) if reached else (middle, high)
    return Power(n, power, high, wanted)
