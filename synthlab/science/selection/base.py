"""What every selection strategy is given, and what it gives back."""

from dataclasses import dataclass, fields, replace
from typing import ClassVar, Literal, Protocol

import numpy as np

from synthlab.science import uncertainty

Column = Literal["confidence", "entropy", "margin"]

ABSENT = -1  # a vote that was never cast: this prompt was not asked, or its call failed
UNPARSABLE = -2  # a vote that was cast but names no label of the codebook
NEAR_ONE = 0.01  # probabilities of 500 labels, each rounded to three places, miss one by so much


@dataclass(frozen=True)
class Pool:
    """The samples that may be drawn, as arrays aligned by row. Absent means unknown.

    The stored columns spare a draw from a million samples the probabilities; NaN in them means
    that the machine said nothing about this sample. A vote is the label's place in the codebook,
    ABSENT or UNPARSABLE.
    """

    size: int
    probabilities: np.ndarray | None = None  # (size, labels): a machine annotator's beliefs
    features: np.ndarray | None = None  # (size, dimensions)
    strata: np.ndarray | None = None  # (size,)
    confidence: np.ndarray | None = None  # (size,), stored with the suggestions
    entropy: np.ndarray | None = None  # (size,)
    margin: np.ndarray | None = None  # (size,)
    answers: np.ndarray | None = None  # (size,), codes of the machine's labels, -1: none
    known: np.ndarray | None = None  # (size,), codes of what people said so far, -1: not asked
    signals: np.ndarray | None = None  # (size, signals), other numbers, such as a second machine's
    error: np.ndarray | None = None  # (size,): predicted chance that the machine's label is wrong
    votes: np.ndarray | None = None  # (size, prompts): one machine's label codes, prompt by prompt
    multiple: bool = False  # multi-label: each label has a yes/no probability of its own

    def column(self, name: Column) -> np.ndarray:
        """The stored column, else the one that follows from the probabilities."""
        stored: np.ndarray | None = getattr(self, name)
        if stored is not None:
            return np.asarray(stored, dtype=float)
        if self.probabilities is None:
            raise ValueError(f"No {name} is known here: let a machine label these samples first.")
        derive = {
            "confidence": uncertainty.confidence,
            "entropy": uncertainty.entropy,
            "margin": uncertainty.margin,
        }
        return derive[name](_checked(self.probabilities, self.multiple), multiple=self.multiple)

    def vectors(self) -> np.ndarray:
        """The features; ValueError where they are absent or not numbers."""
        if self.features is None:
            raise ValueError("No features are known here: compute them for these samples first.")
        if self.features.ndim != 2 or len(self.features) != self.size:
            raise ValueError("Features are a table with one row for each sample.")
        if not np.isfinite(self.features).all():
            raise ValueError("Features must be numbers: some are missing or infinite.")
        return self.features

    def take(self, rows: np.ndarray) -> "Pool":
        """The pool of these rows only, in their order."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        taken = {name: a[rows] for name, a in arrays.items() if isinstance(a, np.ndarray)}
        return replace(self, size=len(rows), **taken)


@dataclass(frozen=True)
class Drawn:
    """The chosen rows, best first. No `chances` means: not a probability sample."""

    rows: np.ndarray
    scores: np.ndarray
    chances: np.ndarray | None = None  # (size of the pool,): of all, also of those not drawn
    recall: float | None = None  # share of the nearest neighbours that were found, if not all

    @property
    def inclusion(self) -> np.ndarray | None:
        """The chance that each chosen row had of being chosen."""
        return None if self.chances is None else self.chances[self.rows]


class Strategy(Protocol):
    """A way to choose samples. `needs` names the arrays of the Pool that it cannot do without.

    `by_chance`: the draw comes with `chances`, and is of exactly k samples. `ranks`: a score is
    a sample's own, so that one that was not drawn has a score too; else scores depend on what else
    was drawn.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]
    by_chance: ClassVar[bool]
    ranks: ClassVar[bool]

    def select(self, pool: Pool, k: int, rng: np.random.Generator) -> Drawn: ...


def _checked(probabilities: np.ndarray, multiple: bool) -> np.ndarray:
    """The probabilities; ValueError where they are none. A row with NaN is an unknown belief."""
    p = np.asarray(probabilities, dtype=float)
    if ((p < 0) | (p > 1 + NEAR_ONE)).any():
        raise ValueError("A probability lies between 0 and 1.")
    if not multiple and (np.abs(p.sum(axis=1) - 1) > NEAR_ONE).any():
        raise ValueError("The probabilities of a sample's labels must sum to one.")
    return p


def affordable(k: int, size: int) -> int:
    """How many samples a draw of k takes from so many; ValueError below 0."""
    if k < 0:
        raise ValueError("A draw cannot be smaller than no sample.")
    return min(k, size)


def highest(scores: np.ndarray, k: int, rng: np.random.Generator) -> Drawn:
    """The k highest scores, unknown (NaN) first. The seed breaks ties, never the row order."""
    urgency = np.where(np.isnan(scores), np.inf, scores)
    rows = np.lexsort((rng.random(len(scores)), -urgency))[: affordable(k, len(scores))]
    return Drawn(rows, scores[rows])
