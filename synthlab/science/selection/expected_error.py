"""Expected error: ask people where what they said so far suggests that the label is wrong."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from synthlab.science.learning.errors import Learned, learn
from synthlab.science.learning.evidence import gather
from synthlab.science.selection.base import Drawn, Pool, highest
from synthlab.science.selection.people import answers_of, asked_last, clues_of, said_in


@dataclass(frozen=True)
class ExpectedError:
    """What it does: learns from people's answers so far where the label that would be released is
    wrong, from the machine's confidence, its probabilities, the votes of other prompts and the
    text, and takes the samples with the highest predicted chance of an error. Until 20 answers are
    there it asks where the machine itself is least sure; also later it keeps to the machine's own
    doubt where learning does not predict held-out answers better.

    Source: Lewis & Catlett (1994), "Heterogeneous Uncertainty Sampling for Supervised Learning",
    turned on a machine's errors; cross-fitting after Chernozhukov et al. (2018), "Double/Debiased
    Machine Learning", section 3.
    Use when: people should put as many wrong labels right as possible within a budget, and have
    answered a first round; part of that should be drawn by lot.
    Not when: a figure about the whole set is wanted: from the second round on the draw follows what
    was learnt and is no probability sample, so add an audit part. With several labels a sample.
    """

    name: ClassVar[str] = "expected_error"
    label: ClassVar[str] = "Expected error: where people's answers suggest that the label is wrong"
    needs: ClassVar[tuple[str, ...]] = ("probabilities",)
    by_chance: ClassVar[bool] = False
    ranks: ClassVar[bool] = True

    correct: bool = True  # count the corrector's label, where it proved itself, as the released one

    def select(self, pool: Pool, k: int, rng: np.random.Generator) -> Drawn:
        """Scores are chances of an error; 0 where people have answered."""
        if pool.size == 0:
            return highest(np.empty(0), k, rng)
        if pool.error is not None:  # learned already, from more samples than may be drawn
            return highest(asked_last(pool.error, pool), k, rng)
        if pool.answers is None and pool.probabilities is None:  # nothing to learn from yet
            return highest(1 - pool.column("confidence"), k, rng)
        return highest(asked_last(self.predict(pool, rng).error, pool), k, rng)

    def predict(self, pool: Pool, rng: np.random.Generator) -> Learned:
        """What the draw goes by: the labels to release and the chance that each is wrong."""
        clues = clues_of(pool)
        if pool.size == 0:
            raise ValueError("There are no samples to learn about.")
        known = said_in(pool)
        evidence = gather(clues, rng)
        return learn(evidence, answers_of(pool), known, clues.labels, rng, correct=self.correct)
