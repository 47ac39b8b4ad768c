"""A pool in the words of `learning`: what machines say of its samples, and what people said."""

import numpy as np

from synthlab.science.learning.evidence import Clues
from synthlab.science.selection.base import Pool


def answers_of(pool: Pool) -> np.ndarray:
    """The codes of the machine's labels: as stored, else the likeliest; -1 where there is none."""
    if pool.answers is not None:
        return np.asarray(pool.answers, dtype=int)
    if pool.probabilities is None or pool.multiple:
        raise ValueError("No machine's labels are known here: one label a sample is needed.")
    unknown = np.isnan(pool.probabilities).any(axis=1)
    likeliest = np.nan_to_num(pool.probabilities).argmax(axis=1)
    return np.asarray(np.where(unknown, -1, likeliest), dtype=int)


def said_in(pool: Pool) -> np.ndarray:
    """The codes of what people said, -1 where nobody was asked."""
    return np.full(pool.size, -1) if pool.known is None else np.asarray(pool.known, dtype=int)


def clues_of(pool: Pool) -> Clues:
    answers = answers_of(pool)
    codes = [answers, said_in(pool), pool.votes]
    most = max((int(c.max()) for c in codes if c is not None and c.size), default=-1)
    columns = 0 if pool.probabilities is None else pool.probabilities.shape[1]
    confidence = pool.confidence
    if confidence is None and pool.probabilities is not None:
        confidence = pool.column("confidence")
    return Clues(
        answers=answers,
        labels=max(1, most + 1, columns),
        confidence=confidence,
        probabilities=pool.probabilities,
        votes=pool.votes,
        signals=pool.signals,
        features=pool.features,
    )


def asked_last(scores: np.ndarray, pool: Pool) -> np.ndarray:
    """The scores, with 0 where people have answered already: nothing is left to find there.

    Scores of the others must be above 0.
    """
    return np.asarray(np.where(said_in(pool) >= 0, 0.0, scores))
