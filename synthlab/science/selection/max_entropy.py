"""Maximum entropy: ask people where the model spreads its belief most widely."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from synthlab.science.selection.base import Drawn, Pool, highest


@dataclass(frozen=True)
class MaxEntropy:
    """What it does: takes the samples whose probabilities are spread most evenly over the labels.

    Source: Shannon (1948); as a query strategy, Settles (2009), "Active Learning Literature
    Survey", section 3.1.
    Use when: there are many labels and doubt among all of them counts, not only among the best two.
    Not when: a figure about the whole set is wanted (no probability sample: add an audit part), or
    there are two labels, where it ranks exactly as least confidence and margin do.
    """

    name: ClassVar[str] = "max_entropy"
    label: ClassVar[str] = "Highest entropy: belief spread most widely over the labels"
    needs: ClassVar[tuple[str, ...]] = ("probabilities",)
    by_chance: ClassVar[bool] = False
    ranks: ClassVar[bool] = True

    def select(self, pool: Pool, k: int, rng: np.random.Generator) -> Drawn:
        return highest(pool.column("entropy"), k, rng)
