"""k-medoids: as many medoids as people can label samples, each the sample most like its cluster."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from sklearn.cluster import kmeans_plusplus

from synthlab.science.features import unit_rows
from synthlab.science.selection.base import Drawn, Pool, affordable
from synthlab.science.selection.clusters import distinct, spread

LONGEST = 50
PANEL = 2**23  # likenesses held at one time
BETTER = 1e-9


@dataclass(frozen=True)
class KMedoids:
    """What it does: finds as many samples as the budget has so that all others are as like to the
    nearest of them (cosine) as can be; a sample that stands for many comes first.

    Source: Kaufman & Rousseeuw (1987), "Clustering by means of medoids", by the alternating search
    of Park & Jun (2009), started by k-means++ (Arthur & Vassilvitskii 2007). What copies leave
    over is drawn by lot.
    Use when: people should see the whole range of texts and outliers should weigh less than with
    k-means: every centre is a real sample.
    Not when: wrong labels should be found: for correcting it is no better than chance. No
    probability sample either: add an audit part.
    """

    name: ClassVar[str] = "k_medoids"
    label: ClassVar[str] = "k-medoids: the samples most like all others"
    needs: ClassVar[tuple[str, ...]] = ("features",)
    by_chance: ClassVar[bool] = False
    ranks: ClassVar[bool] = False

    def select(self, pool: Pool, k: int, rng: np.random.Generator) -> Drawn:
        """Scores are the share of the pool that each drawn sample stands for."""
        k = affordable(k, pool.size)
        different = distinct(unit_rows(pool.vectors()), rng)
        clusters = min(k, len(different.first))
        if clusters == 0:
            return spread(np.array([], dtype=int), np.array([]), k, pool.size, rng)
        chosen, weights = medoids(different.vectors, different.counts, clusters, rng)
        return spread(different.first[chosen], weights / pool.size, k, pool.size, rng)


def medoids(
    unit: np.ndarray, counts: np.ndarray, clusters: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The rows of the medoids among different unit rows, and how many samples each stands for."""
    seed = int(rng.integers(2**31))
    _, chosen = kmeans_plusplus(unit, clusters, sample_weight=counts, random_state=seed)
    chosen = _all_different(chosen, len(unit))
    label, likeness = _assigned(unit, chosen)
    for _ in range(LONGEST):
        moved = _central(unit, counts, label, chosen)
        label_then, likeness_then = _assigned(unit, moved)
        if counts @ likeness_then <= counts @ likeness + BETTER:
            break
        chosen, label, likeness = moved, label_then, likeness_then
    return chosen, np.bincount(label, weights=counts, minlength=clusters)


def _all_different(chosen: np.ndarray, size: int) -> np.ndarray:
    """k-means++ may draw a row twice when what is left is very near: other rows take its place."""
    kept = np.unique(chosen)
    others = np.setdiff1d(np.arange(size), kept)[: len(chosen) - len(kept)]
    return np.concatenate([kept, others])


def _assigned(unit: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row the place of its medoid and the cosine with it; medoids keep themselves."""
    label = np.empty(len(unit), dtype=int)
    likeness = np.empty(len(unit))
    step = max(1, PANEL // len(chosen))
    for start in range(0, len(unit), step):
        cosines = unit[start : start + step] @ unit[chosen].T
        label[start : start + step] = cosines.argmax(axis=1)
        likeness[start : start + step] = cosines.max(axis=1)
    label[chosen] = np.arange(len(chosen))
    return label, likeness


def _central(
    unit: np.ndarray, counts: np.ndarray, label: np.ndarray, chosen: np.ndarray
) -> np.ndarray:
    """The row of each cluster with the largest sum of cosines to it, which is one product:
    the sum over y of x * y is x * (the sum of y)."""
    sums = np.zeros((len(chosen), unit.shape[1]))
    np.add.at(sums, label, unit * counts[:, None])
    support = (unit * sums[label]).sum(axis=1).round(9)
    order = np.lexsort((-support, label))
    _, start = np.unique(label[order], return_index=True)
    return np.asarray(order[start])
