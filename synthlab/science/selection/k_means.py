"""k-means: as many clusters as people can label samples, and of each the most central sample."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from sklearn.cluster import KMeans

from synthlab.science.selection.base import Drawn, Pool, affordable
from synthlab.science.selection.clusters import distinct, spread

LONGEST = 50  # rounds of Lloyd's algorithm: what still moves then moves little
CAREFUL = 50_000_000  # samples times clusters up to which centres are first spread out (k-means++)


@dataclass(frozen=True)
class KMeansCentres:
    """What it does: makes as many clusters of like samples as the budget has samples, and takes
    from each the one nearest to its centre; large clusters come first.

    Source: Lloyd (1982) started by k-means++ (Arthur & Vassilvitskii 2007); as a way to choose
    what to label, Kang, Ryu & Kwon (2004), "Using Cluster-Based Sampling to Select Initial Training
    Set for Active Learning in Text Classification". Empty clusters are made up for by lot.
    Use when: people should see the whole range of texts: a first codebook, labels for a student.
    Not when: wrong labels should be found: for correcting it is no better than chance. No
    probability sample either: add an audit part.
    """

    name: ClassVar[str] = "k_means"
    label: ClassVar[str] = "k-means: the most central sample of each cluster"
    needs: ClassVar[tuple[str, ...]] = ("features",)
    by_chance: ClassVar[bool] = False
    ranks: ClassVar[bool] = False

    def select(self, pool: Pool, k: int, rng: np.random.Generator) -> Drawn:
        """Scores are the share of the pool that each drawn sample stands for."""
        k = affordable(k, pool.size)
        different = distinct(pool.vectors(), rng)
        clusters = min(k, len(different.first))
        if clusters == 0:
            return spread(np.array([], dtype=int), np.array([]), k, pool.size, rng)
        if clusters == len(different.first):
            return spread(different.first, different.counts / pool.size, k, pool.size, rng)
        careful = len(different.first) * clusters <= CAREFUL
        fitted = KMeans(
            clusters,
            init="k-means++" if careful else "random",
            n_init=1,
            max_iter=LONGEST,
            random_state=int(rng.integers(2**31)),
        ).fit(different.vectors, sample_weight=different.counts)
        away = np.linalg.norm(
            different.vectors - fitted.cluster_centers_[fitted.labels_], axis=1
        ).round(9)
        # The rows are shuffled, so that the first of those equally near comes by lot.
        nearest_first = np.lexsort((away, fitted.labels_))
        found, start = np.unique(fitted.labels_[nearest_first], return_index=True)
        weights = np.bincount(fitted.labels_, weights=different.counts)[found]
        central = different.first[nearest_first[start]]
        return spread(central, weights / pool.size, k, pool.size, rng)
