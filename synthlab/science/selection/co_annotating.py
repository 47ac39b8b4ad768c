"""CoAnnotating: ask people where one machine answers differently when it is asked differently."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from synthlab.science.selection.base import ABSENT, UNPARSABLE, Drawn, Pool, highest


@dataclass(frozen=True)
class CoAnnotating:
    """What it does: takes the samples on which one machine's answers to several wordings of the
    question are spread most widely (entropy of the votes, in bits). An answer that cannot be read
    is a category of its own.

    Source: Li et al. (2023), "CoAnnotating: Uncertainty-Guided Work Allocation between Human and
    Large Language Models for Data Annotation", EMNLP: seven to nine prompt types, temperature 0.
    Use when: probabilities are not to be had and the machine has answered several prompts.
    Not when: there is one prompt, or the same one several times: votes hardly differ. When a figure
    about the whole set is wanted: no probability sample, add an audit part.
    """

    name: ClassVar[str] = "co_annotating"
    label: ClassVar[str] = "CoAnnotating: answers differ from prompt to prompt"
    needs: ClassVar[tuple[str, ...]] = ("votes",)
    by_chance: ClassVar[bool] = False
    ranks: ClassVar[bool] = True

    def select(self, pool: Pool, k: int, rng: np.random.Generator) -> Drawn:
        """A sample without any vote is unknown (NaN) and comes first."""
        if pool.votes is None:
            raise ValueError("No votes are known here: let a machine answer several prompts first.")
        return highest(vote_entropy(pool.votes), k, rng)


def vote_entropy(votes: np.ndarray) -> np.ndarray:
    """The entropy in bits of each row's votes; absent ones do not count. NaN: there is no vote.

    `votes` is (size, prompts): label codes from 0 on, ABSENT or UNPARSABLE.
    """
    if votes.ndim != 2 or not np.issubdtype(votes.dtype, np.integer):
        raise ValueError("Votes are a table of label codes, one row for each sample.")
    if (votes < min(ABSENT, UNPARSABLE)).any():
        raise ValueError("A vote is a label code from 0 on, or absent, or unparsable.")
    cast = votes != ABSENT
    number = cast.sum(axis=1)
    bits = np.zeros(len(votes))
    for prompt in range(votes.shape[1]):  # each vote adds log2(votes / votes like it)
        alike = (votes == votes[:, prompt, None]).sum(axis=1)
        bits += np.where(cast[:, prompt], np.log2(np.maximum(number, 1) / alike), 0)
    return np.where(number == 0, np.nan, bits / np.maximum(number, 1))
