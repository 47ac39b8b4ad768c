"""The confusion matrix as a page shows it: a row for what people said, a cell for each label."""

from dataclasses import dataclass

import numpy as np

from annotation.reports.agreement import Versus
from annotation.task_types.base import LabelRule


@dataclass(frozen=True)
class Cell:
    """`shown` is samples answered, or samples of the whole set that they stand for."""

    people: LabelRule
    model: LabelRule
    shown: float
    share: float  # of its row
    count: int

    @property
    def agree(self) -> bool:
        return self.people is self.model


@dataclass(frozen=True)
class MatrixRow:
    rule: LabelRule
    cells: tuple[Cell, ...]
    total: float


MOST = 60  # labels; more would make a page of many megabytes that nobody reads


@dataclass(frozen=True)
class Matrix:
    """The labels that occur most. Totals count the others too: `left_out` of them are not shown."""

    rules: tuple[LabelRule, ...]
    rows: tuple[MatrixRow, ...]
    totals: tuple[float, ...]
    weighted: bool
    may_be_weighted: bool
    left_out: int = 0


def matrix(versus: Versus, counts: bool) -> Matrix | None:
    """Weighted unless raw counts are asked for or nothing was drawn by lot; None: multi-label."""
    if versus.counts is None:
        return None
    may_be = versus.weighted is not None
    weighted = may_be and not counts
    shown = versus.weighted if weighted and versus.weighted is not None else versus.counts
    totals = shown.sum(axis=1, keepdims=True)
    shares = np.divide(shown, totals, out=np.zeros(shown.shape), where=totals > 0)
    kept = _most_used(versus.counts)
    rules = tuple(versus.labels[place].rule for place in kept)
    rows = tuple(
        MatrixRow(
            people,
            tuple(
                Cell(people, model, value, share, int(count))
                for model, value, share, count in zip(rules, *parts, strict=True)
            ),
            total,
        )
        for people, total, *parts in zip(
            rules,
            totals[kept, 0].tolist(),
            *(part[np.ix_(kept, kept)].tolist() for part in (shown, shares, versus.counts)),
            strict=True,
        )
    )
    sums = tuple(shown.sum(axis=0)[kept].tolist())
    return Matrix(rules, rows, sums, weighted, may_be, len(versus.labels) - len(kept))


def _most_used(counts: np.ndarray) -> list[int]:
    """The places of the labels that are shown, in the codebook's order."""
    used = counts.sum(axis=0) + counts.sum(axis=1)
    return sorted(np.argsort(-used, kind="stable")[:MOST].tolist())
