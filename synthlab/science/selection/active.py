"""Uncertainty-weighted sampling: likely errors more often, everything with a known chance."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from synthlab.science.selection.base import Drawn, Pool, affordable
from synthlab.science.selection.chances import by_lot, proportional
from synthlab.science.selection.options import Option, option

LEAST_UNIFORM = 0.1
UNIFORM = Option(
    "Uniform share of the draw",
    "More of it narrows the interval where the machine's doubt means little; less finds more "
    "errors.",
    least=LEAST_UNIFORM,
    most=1,
)


@dataclass(frozen=True)
class UncertaintyWeighted:
    """What it does: draws by lot, a sample the likelier the more probable an error of the machine
    is there; a share of the draw (`uniform`) gives all the same chance. Every chance is known.

    Source: Zrnic & Candès (2024), "Active Statistical Inference", ICML: pi = (1 - tau) n u / sum(u)
    + tau n / N. Drawn by systematic sampling over a random order (Hartley & Rao 1962). u is the
    predicted error where a pilot has taught one, else 1 - confidence; unknown counts as 1.
    Use when: one round should find many errors and also measure the whole set.
    Not when: the machine's confidence is worthless: then the chances only widen the interval
    (raise `uniform` or draw uniformly), or only errors found count (least confidence finds more).
    """

    name: ClassVar[str] = "uncertainty_weighted"
    label: ClassVar[str] = "Weighted by uncertainty: finds errors and still measures"
    needs: ClassVar[tuple[str, ...]] = ("probabilities",)
    by_chance: ClassVar[bool] = True
    ranks: ClassVar[bool] = True

    uniform: float = option(0.3, UNIFORM)  # tau

    def select(self, pool: Pool, k: int, rng: np.random.Generator) -> Drawn:
        """Scores are the errors expected of the drawn; the rows come in random order."""
        k = affordable(k, pool.size)
        expected = expected_errors(pool)
        chances = self.chances(expected, k)
        rows = by_lot(chances, rng)
        return Drawn(rows, expected[rows], chances)

    def chances(self, expected: np.ndarray, k: int) -> np.ndarray:
        """The chance of every sample in a draw of k, from its expected error."""
        if not LEAST_UNIFORM <= self.uniform <= 1:
            raise ValueError(f"The uniform share of the draw lies from {LEAST_UNIFORM} to 1.")
        total = expected.sum()
        if total == 0:
            return proportional(np.ones(len(expected)), k)
        mixed = (1 - self.uniform) * expected / total + self.uniform / len(expected)
        return proportional(mixed, k)


def expected_errors(pool: Pool) -> np.ndarray:
    """The chance that the machine is wrong, sample by sample; 1 where nothing is known."""
    known = 1 - pool.column("confidence") if pool.error is None else pool.error
    expected = np.where(np.isnan(known), 1.0, known)
    if ((expected < -1e-6) | (expected > 1 + 1e-6)).any():
        raise ValueError("A confidence or a predicted error lies between 0 and 1.")
    return np.asarray(np.clip(expected, 0, 1))
