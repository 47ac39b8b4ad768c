"""Least confidence: ask people where the model trusts its own answer least."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from synthlab.science.selection.base import Drawn, Pool, highest


@dataclass(frozen=True)
class LeastConfidence:
    """What it does: takes the samples whose likeliest label has the lowest probability.

    Source: Lewis & Gale (1994), "A Sequential Algorithm for Training Text Classifiers"; for
    relabelling a model's answers, Wang et al. (2021), "Want To Reduce Labeling Cost?".
    Use when: people should correct as many wrong labels as possible within a budget.
    Not when: a figure about the whole set is wanted: what is left out has no chance of being
    drawn, so nothing here tells how good the rest is. Add an audit part.
    """

    name: ClassVar[str] = "least_confidence"
    label: ClassVar[str] = "Least confident: lowest probability of the model's answer"
    needs: ClassVar[tuple[str, ...]] = ("probabilities",)
    by_chance: ClassVar[bool] = False
    ranks: ClassVar[bool] = True

    def select(self, pool: Pool, k: int, rng: np.random.Generator) -> Drawn:
        return highest(1 - pool.column("confidence"), k, rng)
