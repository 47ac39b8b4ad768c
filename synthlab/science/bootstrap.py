"""Resampling of drawn samples with their weights, cheap because samples that are alike are grouped.

Efron (1979); strata are resampled apart. A replicate is one multinomial count over the groups, so
that its cost depends on how many kinds of answers there are, not on how many samples.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from synthlab.science.intervals import short_of_one

_CELLS = 4_000_000  # of one block of replicates: 32 MB
MANY = 1000  # different weights, above which close ones are taken together
ALIKE = 0.005  # so close: as the difference of their logarithms


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
    weights: np.ndarray  # (groups,): the mean weight of such a unit
    strata: np.ndarray  # (groups,)
    clusters: "Clusters | None" = None  # where units come together, they are drawn together


@dataclass(frozen=True)
class Clusters:
    """Clusters of units with the same make-up, counted once."""

    units: sparse.csr_array  # (kinds, groups): how many units of each group such a cluster holds
    size: np.ndarray  # (kinds,): how many such clusters there are
    strata: np.ndarray  # (kinds,)


def group(
    profile: np.ndarray,
    weights: np.ndarray,
    strata: np.ndarray | None,
    clusters: np.ndarray | None = None,
) -> Groups:
    """Group units (at least one) by their profile, a (units, columns) array of whole numbers.

    Units with the same number in `clusters` are resampled as one. Where weights are many, those
    within half a per cent of one another count as alike; their sum is kept.
    """
    stratum = np.zeros(len(weights), int) if strata is None else _numbered(strata)
    key = _numbered(weights)
    if key.max() > MANY:
        key = _numbered(np.round(np.log(np.maximum(weights, 1e-300)) / ALIKE))
    for column in (stratum, *profile.T):
        key = _numbered(key * (np.ptp(column) + 1) + column)
    _, first, of, size = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    together = None if clusters is None else _clusters(_numbered(clusters), of.reshape(-1), stratum)
    mean = np.bincount(of.reshape(-1), weights=weights) / size
    return Groups(first, size, mean, stratum[first], together)


def _clusters(cluster: np.ndarray, group_of: np.ndarray, stratum: np.ndarray) -> Clusters:
    """Clusters of the same make-up have the same sum of random marks, one for each group."""
    marks = np.random.default_rng(0).integers(1, 2**62, int(group_of.max()) + 1, dtype=np.uint64)
    signature = np.zeros(int(cluster.max()) + 1, dtype=np.uint64)
    np.add.at(signature, cluster, marks[group_of])  # wraps around at 2^64
    _, one, kind, size = np.unique(
        signature, return_index=True, return_inverse=True, return_counts=True
    )
    kind = kind.reshape(-1)
    shown = one[kind[cluster]] == cluster  # the units of one cluster of each kind
    ones = (np.ones(int(shown.sum())), (kind[cluster[shown]], group_of[shown]))
    units = sparse.coo_array(ones, shape=(len(size), len(marks))).tocsr()
    of_kind = np.zeros(len(size), dtype=int)
    of_kind[kind[cluster]] = stratum
    return Clusters(units, size, of_kind)


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
    size, strata = groups.size, groups.strata
    if groups.clusters is not None:
        weighted = groups.clusters.units @ weighted
        size, strata = groups.clusters.size, groups.clusters.strata
    block = max(1, _CELLS // max(len(size), 1))
    values = []
    for start in range(0, bootstrap.replicates, block):
        times = _multiplicities(size, strata, min(block, bootstrap.replicates - start), rng)
        values.append(statistic(times @ weighted))
    return np.concatenate(values)


def _multiplicities(
    size: np.ndarray, strata: np.ndarray, replicates: int, rng: np.random.Generator
) -> np.ndarray:
    times = np.empty((replicates, len(size)))
    for stratum in np.unique(strata):
        inside = strata == stratum
        n = int(size[inside].sum())
        times[:, inside] = rng.multinomial(n, size[inside] / n, size=replicates)
    return times


MOST = 2  # times the answers there are: no lucky variance of replicates counts for more


def interval_below_one(
    replicates: np.ndarray,
    value: float,
    differing: float,
    n: int,
    level: float,
    fraction: float = 0.0,
) -> tuple[float, float] | None:
    """Of a coefficient that is 1 where nothing differs, from its replicates; `differing` is the
    share of the n samples that do. It narrows as `interval` does and is None as that is.
    """
    known = replicates[~np.isnan(replicates)]
    if len(known) < 0.9 * len(replicates):
        return None
    if fraction >= 1 or value >= 1:
        return value, value
    deviation = float(np.std(known)) * (1 - fraction) ** 0.5
    return short_of_one(value, deviation, differing, n, MOST * n / (1 - fraction), level)


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
