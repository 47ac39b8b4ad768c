"""What people's answers to a draw say about the whole frame: shares with honest intervals.

The corrected figure is Hajek's ratio estimator (1971) with the variance of a Poisson draw and the
interval of Korn & Graubard (1998), "Confidence intervals for proportions with small expected
number of positive counts". The naive one (Wilson 1927) is there only to be shown beside it.

Finite frames: where every sample had the same chance, the interval inverts the hypergeometric
distribution (Wright 1991, "Exact Confidence Bounds when Sampling from Small Finite Universes").
It narrows as the audit eats up the frame and is a point when all of it was answered. Where the
chances differ, the factors 1 - pi in the variance do the narrowing, but Korn and Graubard's
cap at n keeps it from being narrower than that of n answers out of an endless frame.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from synthlab.science.figures import NO_ANSWERS, NO_DRAW, Figure


@dataclass(frozen=True)
class Design:
    """How the answered samples were drawn, as arrays aligned with them.

    `inclusion` NaN means: not drawn by chance, so this answer measures nothing. `frame` is the
    number of samples drawn from (unstated: what the inclusions imply). Strata are resampled apart.
    """

    inclusion: np.ndarray
    frame: int | None = None
    strata: np.ndarray | None = None

    def __post_init__(self) -> None:
        known = self.inclusion[~np.isnan(self.inclusion)]
        if ((known <= 0) | (known > 1)).any():
            raise ValueError("An inclusion probability lies above 0 and at most at 1.")

    @property
    def measuring(self) -> np.ndarray:
        return np.asarray(~np.isnan(self.inclusion))

    @cached_property
    def weights(self) -> np.ndarray:
        """How many samples of the frame each answer stands for; 0 where it measures nothing."""
        return np.where(self.measuring, 1 / np.nan_to_num(self.inclusion, nan=1.0), 0.0)

    @property
    def size(self) -> int:
        """The number of samples in the frame, never fewer than were drawn from it."""
        implied = round(float(self.weights.sum()))
        return max(implied if self.frame is None else self.frame, int(self.measuring.sum()))

    def take(self, mask: np.ndarray, domain: bool = False) -> "Design":
        """The design of these answers only; as a `domain` the frame shrinks by their weight."""
        frame = self.frame
        if domain:
            share = self.weights[mask].sum() / max(self.weights.sum(), 1e-300)
            frame = math.ceil(self.size * float(share) - 1e-9)
        strata = None if self.strata is None else self.strata[mask]
        return Design(self.inclusion[mask], frame, strata)


def proportion(values: np.ndarray, design: Design | None, level: float = 0.95) -> Figure:
    """The corrected share where a design is given, the naive one where not."""
    if design is None:
        return naive_proportion(values, level)
    return hajek_proportion(values, design, level)


def hajek_proportion(values: np.ndarray, design: Design, level: float = 0.95) -> Figure:
    """The share of the frame with value 1 (values from 0 to 1; NaN = not answered)."""
    y = np.asarray(values, dtype=float)
    answered = ~np.isnan(y)
    kept = design.take(answered & design.measuring)
    y = y[answered & design.measuring]
    n = len(y)
    if n == 0:
        return Figure(None, 0, reason=NO_DRAW if answered.any() else NO_ANSWERS)
    if n == design.size:
        value = float(y.mean())
        return Figure(value, n, (value, value), n_eff=float(n), method="census")
    if np.ptp(kept.inclusion) < 1e-12 and np.isin(y, (0, 1)).all():
        low, high = hypergeometric_interval(int(y.sum()), n, design.size, level)
        value = float(y.mean())
        return Figure(value, n, (low, high), n_eff=float(n), method="hypergeometric")
    return _korn_graubard(y, kept.inclusion, level)


def _korn_graubard(y: np.ndarray, inclusion: np.ndarray, level: float) -> Figure:
    n, w = len(y), 1 / inclusion
    if np.ptp(y) == 0:
        value, n_eff = float(y[0]), effective_size(w)
    else:
        value = float((w * y).sum() / w.sum())
        variance = float(((1 - inclusion) * (w * (y - value)) ** 2).sum() / w.sum() ** 2)
        n_eff = min(n, value * (1 - value) / variance) if variance > 0 else effective_size(w)
    # Korn & Graubard shrink n_eff by (t(n - 1) / t(degrees of freedom))^2. That is 1 for draws
    # without clusters; the normal quantile above keeps small, unevenly weighted draws honest.
    tail = (1 + level) / 2
    n_eff *= float(stats.norm.ppf(tail) / stats.t.ppf(tail, max(n - 1, 1))) ** 2
    interval = clopper_pearson_interval(n_eff * value, n_eff, level)
    return Figure(value, n, interval, n_eff=n_eff, method="korn_graubard")


def naive_proportion(values: np.ndarray, level: float = 0.95) -> Figure:
    """The share among the answers as they are, with Wilson's interval: right for no other draw
    than a uniform one."""
    y = np.asarray(values, dtype=float)
    y = y[~np.isnan(y)]
    if len(y) == 0:
        return Figure(None, 0, reason=NO_ANSWERS)
    n, value = len(y), float(y.mean())
    interval = wilson_interval(value, n, level)
    return Figure(value, n, interval, n_eff=float(n), method="wilson")


def wilson_interval(share: float, n: float, level: float = 0.95) -> tuple[float, float]:
    z = float(stats.norm.ppf((1 + level) / 2))
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def clopper_pearson_interval(x: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """The exact binomial interval of x in n; neither need be whole (Korn & Graubard)."""
    tail = (1 - level) / 2
    low = 0.0 if x <= 0 else float(stats.beta.ppf(tail, x, n - x + 1))
    high = 1.0 if x >= n else float(stats.beta.ppf(1 - tail, x + 1, n - x))
    return low, high


def hypergeometric_interval(x: int, n: int, frame: int, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of the share in a frame of which n were drawn evenly and x had it."""
    return 1 - _largest_share(n - x, n, frame, level), _largest_share(x, n, frame, level)


def _largest_share(x: int, n: int, frame: int, level: float) -> float:
    """The largest share under which so few as x are not yet too unlikely, found by bisection."""
    low, high = x, frame - n + x  # what was seen bounds the count from both sides
    while low < high:
        middle = (low + high + 1) // 2
        if stats.hypergeom.cdf(x, frame, middle, n) > (1 - level) / 2:
            low = middle
        else:
            high = middle - 1
    return low / frame


def effective_size(weights: np.ndarray) -> float:
    """Kish (1965): how many evenly weighted answers say as much. Weight 0 does not count."""
    w = np.asarray(weights, dtype=float)
    squares = float((w**2).sum())
    return float(w.sum()) ** 2 / squares if squares > 0 else 0.0


def union_inclusion(rounds: np.ndarray) -> np.ndarray:
    """The chance that a sample is in any of the rounds: 1 - prod(1 - pi), from (rounds, samples).

    Each row holds the chance of every sample in that round, also of those not drawn: 0 outside its
    frame, NaN where the round gave no known chance. NaN in all rounds stays NaN: not measuring.
    """
    pi = np.atleast_2d(np.asarray(rounds, dtype=float))
    union = 1 - np.prod(1 - np.nan_to_num(pi, nan=0.0), axis=0)
    return np.where(np.isnan(pi).all(axis=0) | (union == 0), np.nan, union)


@dataclass(frozen=True)
class Covered:
    """How much of a frame an estimate speaks for."""

    samples: int
    size: int

    @property
    def share(self) -> float | None:
        return self.samples / self.size if self.size else None


def covered(inclusion: np.ndarray) -> Covered:
    """The samples of a frame that had any chance of being drawn; NaN and 0 had none."""
    pi = np.nan_to_num(np.asarray(inclusion, dtype=float), nan=0.0)
    return Covered(int((pi > 0).sum()), len(pi))
