"""Uniform sampling: every sample has the same chance, so that the answers speak for all."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from synthlab.science.selection.base import Drawn, Pool, highest


@dataclass(frozen=True)
class Uniform:
    """What it does: draws samples by lot; each has the same, known chance of being drawn.

    Source: simple random sampling without replacement; Cochran (1977), "Sampling Techniques".
    Use when: figures about the whole set are wanted: accuracy, agreement, how common a label is.
    Not when: people's time should go to the model's likely errors; most of this draw is right.
    """

    name: ClassVar[str] = "uniform"
    label: ClassVar[str] = "Uniform: every sample has the same chance"
    needs: ClassVar[tuple[str, ...]] = ()
    by_chance: ClassVar[bool] = True
    ranks: ClassVar[bool] = True

    def select(self, pool: Pool, k: int, rng: np.random.Generator) -> Drawn:
        drawn = highest(np.zeros(pool.size), k, rng)
        share = len(drawn.rows) / max(pool.size, 1)
        return Drawn(drawn.rows, drawn.scores, np.full(pool.size, share))
