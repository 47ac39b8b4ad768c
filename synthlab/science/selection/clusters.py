"""What clustering strategies share: exact copies count as one, and what is short comes by lot."""

from dataclasses import dataclass

import numpy as np

from synthlab.science.selection.base import Drawn

PLACES = 6  # rows that are equal to so many places are copies


@dataclass(frozen=True)
class Distinct:
    """The different rows among some vectors, in random order."""

    vectors: np.ndarray  # (different, dimensions) in float64
    first: np.ndarray  # (different,): a row of the pool for each, by lot among its copies
    counts: np.ndarray  # (different,): its copies, itself included


def distinct(vectors: np.ndarray, rng: np.random.Generator) -> Distinct:
    order = rng.permutation(len(vectors))
    rounded = np.round(np.asarray(vectors, dtype=float)[order], PLACES) + 0.0  # no -0.0
    kept, first, counts = np.unique(rounded, axis=0, return_index=True, return_counts=True)
    shuffled = rng.permutation(len(kept))
    return Distinct(kept[shuffled], order[first[shuffled]], counts[shuffled])


def spread(
    rows: np.ndarray, shares: np.ndarray, k: int, size: int, rng: np.random.Generator
) -> Drawn:
    """These rows, who stands for most first, filled up to k by lot from the others (score 0)."""
    order = np.lexsort((rng.random(len(rows)), -shares))
    rest = rng.permutation(np.setdiff1d(np.arange(size), rows))[: k - len(rows)]
    return Drawn(
        np.concatenate([rows[order], rest]).astype(int),
        np.concatenate([shares[order], np.zeros(len(rest))]),
    )
