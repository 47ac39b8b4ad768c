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


@dataclass(frozen=True)
class Matrix:
    rules: tuple[LabelRule, ...]
    rows: tuple[MatrixRow, ...]
    totals: tuple[float, ...]
    weighted: bool
    may_be_weighted: bool


def matrix(versus: Versus, counts: bool) -> Matrix | None:
    """Weighted unless raw counts are asked for or nothing was drawn by lot; None: multi-label."""
    if versus.counts is None:
        return None
    may_be = versus.weighted is not None
    weighted = may_be and not counts
    shown = versus.weighted if weighted and versus.weighted is not None else versus.counts
    totals = shown.sum(axis=1, keepdims=True)
    shares = np.divide(shown, totals, out=np.zeros(shown.shape), where=totals > 0)
    rules = tuple(row.rule for row in versus.labels)
    rows = tuple(
        MatrixRow(
            people,
            tuple(
                Cell(people, model, value, share, int(count))
                for model, value, share, count in zip(rules, *parts, strict=True)
            ),
            sum(parts[0]),
        )
        for people, parts in zip(
            rules,
            zip(shown.tolist(), shares.tolist(), versus.counts.tolist(), strict=True),
            strict=True,
        )
    )
    return Matrix(rules, rows, tuple(shown.sum(axis=0).tolist()), weighted, may_be)
