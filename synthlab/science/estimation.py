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
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from synthlab.science.figures import EMPTY_STRATUM, NO_ANSWERS, NO_DRAW, Figure
from synthlab.science.intervals import (
    clopper_pearson_interval,
    hypergeometric_interval,
    shrunk_for_small,
    wilson_interval,
)


@dataclass(frozen=True)
class Design:
    """How the answered samples were drawn, as arrays aligned with them.

    `inclusion` NaN means: not drawn by chance, so this answer measures nothing. `frame` is the
    number of samples drawn from (unstated: what the inclusions imply). Strata, in which a fixed
    number was drawn, are measured and resampled apart. Answers of one cluster (copies of one
    text) are taken for one draw: a text that came up twice tells little more than once.
    """

    inclusion: np.ndarray
    frame: int | None = None
    strata: np.ndarray | None = None
    clusters: np.ndarray | None = None

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
        # How many of a domain a stratum gives is chance: its variance is then that of no strata.
        strata = None if self.strata is None or domain else self.strata[mask]
        clusters = None if self.clusters is None else self.clusters[mask]
        return Design(self.inclusion[mask], frame, strata, clusters)

    @cached_property
    def clustered(self) -> bool:
        """Does any cluster hold two answers?"""
        return self.clusters is not None and len(np.unique(self.clusters)) < len(self.clusters)

    @cached_property
    def drawn_together(self) -> np.ndarray:
        """The number of each answer's cluster, from 0 on; its own where nothing is clustered."""
        if self.clusters is None:
            return np.arange(len(self.inclusion))
        return np.asarray(np.unique(self.clusters, return_inverse=True)[1]).reshape(-1)


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
    even = np.ptp(kept.inclusion) < 1e-12 and not kept.clustered
    if even and np.isin(y, (0, 1)).all():
        low, high = hypergeometric_interval(int(y.sum()), n, design.size, level)
        value = float(y.mean())
        return Figure(value, n, (low, high), n_eff=float(n), method="hypergeometric")
    return _korn_graubard(y, kept, level)


def _korn_graubard(y: np.ndarray, design: Design, level: float) -> Figure:
    n, w = len(y), design.weights
    value = float(np.clip((w * y).sum() / w.sum(), 0, 1))
    units = int(design.drawn_together.max()) + 1
    variance = 0.0 if np.ptp(y) == 0 else variance_of_mean(y, design)
    if variance > 0:
        n_eff = min(units, value * (1 - value) / variance)
    else:
        n_eff = effective_size(np.bincount(design.drawn_together, weights=w))
    n_eff = shrunk_for_small(n_eff, units, level)
    interval = clopper_pearson_interval(n_eff * value, n_eff, level)
    return Figure(value, n, interval, n_eff=n_eff, method="korn_graubard")


def variance_of_mean(y: np.ndarray, design: Design) -> float:
    """The variance of Hajek's mean of any numbers, of a design in which every answer measures.

    Linearised: the deviations from the mean, weighted, are summed by cluster and squared; within
    strata their mean is taken off, as a fixed number was drawn there (Saerndal, Swensson &
    Wretman 1992, "Model Assisted Survey Sampling", 5.7 and 7.2). A stratum of one answer, which
    cannot tell how much it varies, keeps its deviation from the mean of all.
    """
    w = design.weights
    apart = np.sqrt(1 - design.inclusion) * w * (y - (w * y).sum() / w.sum()) / w.sum()
    sums = np.bincount(design.drawn_together, weights=apart)
    units = len(sums)
    if design.strata is None:
        return float((sums**2).sum()) * (units / max(units - 1, 1) if design.clustered else 1.0)
    stratum = np.zeros(units, dtype=int)
    stratum[design.drawn_together] = np.unique(design.strata, return_inverse=True)[1].reshape(-1)
    drawn = np.bincount(stratum)
    centre = np.where(drawn > 1, np.bincount(stratum, weights=sums) / drawn, 0)
    spread = np.bincount(stratum, weights=(sums - centre[stratum]) ** 2)
    return float((spread * drawn / np.maximum(drawn - 1, 1)).sum())


def stratified_proportion(
    values: np.ndarray, strata: np.ndarray, sizes: dict[int, int], level: float = 0.95
) -> Figure:
    """The share of a frame that was cut into strata, each drawn from by lot: sum N_h / N mean_h.

    `sizes` has the number of samples in every stratum of the frame. Who did not answer (NaN) is
    taken to be like those who did in the same stratum. Cochran (1977), section 5.3.
    """
    y = np.asarray(values, dtype=float)
    known = ~np.isnan(y)
    y, stratum = y[known], np.asarray(strata)[known]
    if len(y) == 0:
        return Figure(None, 0, reason=NO_ANSWERS)
    names, place, answers = np.unique(stratum, return_inverse=True, return_counts=True)
    if set(names.tolist()) != {name for name, size in sizes.items() if size}:
        return Figure(None, len(y), reason=EMPTY_STRATUM)
    chances = answers / np.array([sizes[name] for name in names.tolist()])
    design = Design(chances[place.reshape(-1)], sum(sizes.values()), stratum)
    return replace(hajek_proportion(y, design, level), method="stratified")


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
