"""Resampling of drawn samples with their weights, cheap because samples that are alike are grouped.

Efron (1979); strata are resampled apart. A replicate is one multinomial count over the groups, so
that its cost depends on how many kinds of answers there are, not on how many samples.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_CELLS = 4_000_000  # of one block of replicates: 32 MB


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are resampled. The seed decides them, so that a page shows the same twice."""

    seed: int = 0
    replicates: int = 1000
    level: float = 0.95


@dataclass(frozen=True)
class Groups:
    """Units with the same answers, weight and stratum, counted once."""

    first: np.ndarray  # (groups,): a unit of each group
    size: np.ndarray  # (groups,): how many units are in it
    weights: np.ndarray  # (groups,): the weight of each such unit
    strata: np.ndarray  # (groups,)


def group(profile: np.ndarray, weights: np.ndarray, strata: np.ndarray | None) -> Groups:
    """Group units (at least one) by their profile, a (units, columns) array of whole numbers."""
    stratum = np.zeros(len(weights), int) if strata is None else _numbered(strata)
    key = _numbered(weights)
    for column in (stratum, *profile.T):
        key = _numbered(key * (np.ptp(column) + 1) + column)
    _, first, size = np.unique(key, return_index=True, return_counts=True)
    return Groups(first, size, weights[first], stratum[first])


def _numbered(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.unique(values, return_inverse=True)[1]).reshape(-1)


def replicate(
    groups: Groups,
    contributions: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
    bootstrap: Bootstrap,
) -> np.ndarray:
    """The statistic in every replicate, from weighted totals of the groups' contributions."""
    rng = np.random.default_rng(bootstrap.seed)
    weighted = contributions * groups.weights[:, None]
    block = max(1, _CELLS // max(len(groups.size), 1))
    values = []
    for start in range(0, bootstrap.replicates, block):
        times = _multiplicities(groups, min(block, bootstrap.replicates - start), rng)
        values.append(statistic(times @ weighted))
    return np.concatenate(values)


def _multiplicities(groups: Groups, replicates: int, rng: np.random.Generator) -> np.ndarray:
    times = np.empty((replicates, len(groups.size)))
    for stratum in np.unique(groups.strata):
        inside = groups.strata == stratum
        n = int(groups.size[inside].sum())
        times[:, inside] = rng.multinomial(n, groups.size[inside] / n, size=replicates)
    return times


def interval(
    replicates: np.ndarray, value: float, level: float, fraction: float = 0.0
) -> tuple[float, float] | None:
    """The percentile interval, narrowed to sqrt(1 - fraction) where that share of a finite frame
    was answered. None where more than a tenth of the replicates is undefined."""
    known = replicates[~np.isnan(replicates)]
    if len(known) < 0.9 * len(replicates):
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    narrowing = float(np.sqrt(max(0.0, 1 - fraction)))
    return (
        value + narrowing * (min(float(low), value) - value),
        value + narrowing * (max(float(high), value) - value),
    )
