"""Margin sampling: ask people where the model's two best labels are closest."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from synthlab.science.selection.base import Drawn, Pool, highest


@dataclass(frozen=True)
class Margin:
    """What it does: takes the samples whose two likeliest labels are closest together.

    Source: Scheffer, Decomain & Wrobel (2001), "Active Hidden Markov Models for Information
    Extraction".
    Use when: the model wavers between pairs of labels and the boundary between them matters.
    Not when: a figure about the whole set is wanted: the draw depends on the machine and is no
    probability sample, so add an audit part. With two labels it ranks as least confidence does.
    """

    name: ClassVar[str] = "margin"
    label: ClassVar[str] = "Smallest margin between the two likeliest labels"
    needs: ClassVar[tuple[str, ...]] = ("probabilities",)
    by_chance: ClassVar[bool] = False
    ranks: ClassVar[bool] = True

    def select(self, pool: Pool, k: int, rng: np.random.Generator) -> Drawn:
        return highest(-pool.column("margin"), k, rng)
