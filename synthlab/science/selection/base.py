"""What every selection strategy is given, and what it gives back."""

from dataclasses import dataclass, fields, replace
from typing import ClassVar, Literal, Protocol

import numpy as np

from synthlab.science import uncertainty

Column = Literal["confidence", "entropy", "margin"]


@dataclass(frozen=True)
class Pool:
    """The samples that may be drawn, as arrays aligned by row. Absent means unknown.

    The stored columns spare a draw from a million samples the probabilities; NaN in them means
    that the machine said nothing about this sample.
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
        return derive[name](self.probabilities, multiple=self.multiple)

    def take(self, rows: np.ndarray) -> "Pool":
        """The pool of these rows only, in their order."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        taken = {name: a[rows] for name, a in arrays.items() if isinstance(a, np.ndarray)}
        return replace(self, size=len(rows), **taken)


@dataclass(frozen=True)
class Drawn:
    """The chosen rows, best first. No `inclusion` means: not a probability sample."""

    rows: np.ndarray
    scores: np.ndarray
    inclusion: np.ndarray | None = None


class Strategy(Protocol):
    """A way to choose samples. `needs` names the arrays of the Pool that it cannot do without."""

    name: ClassVar[str]
    label: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]

    def select(self, pool: Pool, k: int, rng: np.random.Generator) -> Drawn: ...


def highest(scores: np.ndarray, k: int, rng: np.random.Generator) -> Drawn:
    """The k highest scores, unknown (NaN) first. The seed breaks ties, never the row order."""
    urgency = np.where(np.isnan(scores), np.inf, scores)
    rows = np.lexsort((rng.random(len(scores)), -urgency))[:k]
    return Drawn(rows, scores[rows])
