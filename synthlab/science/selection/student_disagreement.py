"""Student disagreement: ask people where a small classifier does not see what the machine sees."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from synthlab.science.learning.student import held_out_beliefs
from synthlab.science.selection.base import Drawn, Pool, highest
from synthlab.science.selection.people import answers_of, asked_last, clues_of, said_in


@dataclass(frozen=True)
class StudentDisagreement:
    """What it does: teaches a small classifier the labels of all *other* samples (people's where
    they answered, the machine's elsewhere) and takes those whose own label it finds least likely.

    Source: confident learning's held-out probabilities, Northcutt, Jiang & Chuang (2021),
    "Confident Learning: Estimating Uncertainty in Dataset Labels", section 3, applied to a
    machine's labels.
    Use when: the machine states no confidence, or the same one everywhere, and nobody has answered
    yet: texts and the machine's labels are all it needs.
    Not when: there is a confidence that means something (it finds more errors), texts are very
    short or few, or a figure about the whole set is wanted: no probability sample, add an audit
    part.
    """

    name: ClassVar[str] = "student_disagreement"
    label: ClassVar[str] = "Student disagreement: a small classifier expects another label"
    needs: ClassVar[tuple[str, ...]] = ("features", "probabilities")
    by_chance: ClassVar[bool] = False
    ranks: ClassVar[bool] = True

    def select(self, pool: Pool, k: int, rng: np.random.Generator) -> Drawn:
        """A sample without a machine's label is unknown (NaN) and comes first."""
        features, answers, known = pool.vectors(), answers_of(pool), said_in(pool)
        if pool.size == 0:
            return highest(np.empty(0), k, rng)
        codes = np.where(known >= 0, known, answers)
        beliefs = held_out_beliefs(features, codes, clues_of(pool).labels, rng)
        mine = beliefs[np.arange(pool.size), np.maximum(answers, 0)]
        scores = np.where(answers < 0, np.nan, np.maximum(1 - mine, 1e-12))
        return highest(asked_last(scores, pool), k, rng)
