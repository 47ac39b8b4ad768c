"""People against a machine, against one another and against the reference labels."""

from dataclasses import dataclass

import numpy as np
from django.utils.translation import gettext as _

from annotation.arrays_agreement import (
    Judgements,
    LeftOut,
    answered,
    has_answer,
    judgements,
    references,
)
from annotation.arrays_codes import Scope
from annotation.models import Sample
from annotation.reports import annotators
from annotation.reports.assisted import Assisted, assisted
from annotation.reports.figures import SideBySide, match, measures, resampling, side_by_side
from annotation.reports.replacing import USUAL, Replacing, replacing
from annotation.task_types.base import LabelRule
from synthlab.science.confusion import (
    Comparison,
    LabelFigures,
    compare,
    compare_multi_label,
)
from synthlab.science.estimation import Design, hajek_proportion


@dataclass(frozen=True)
class LabelRow:
    """How one label fares: the figures twice, and where both and each side alone gave it."""

    rule: LabelRule
    corrected: LabelFigures
    naive: LabelFigures
    both: int
    people_only: int
    model_only: int


@dataclass(frozen=True)
class Versus:
    """One side taken for the truth, and another that is compared with it."""

    rows: tuple[SideBySide, ...]
    labels: tuple[LabelRow, ...]
    samples: int  # with an answer of both sides
    by_lot: int  # of these, drawn with a known chance
    counts: np.ndarray | None  # the confusion matrix; None for multi-label
    weighted: np.ndarray | None  # in samples of the whole set; None without a draw by chance

    @property
    def accuracy(self) -> SideBySide:
        return self.rows[0]


@dataclass(frozen=True)
class Basis:
    """What the figures rest on."""

    drawn: int
    answered: int  # samples with an answer that counts
    by_lot: int  # of these, drawn with a known chance
    drawn_by_lot: int
    disputed: int
    settled: int
    frame: int  # the samples that a draw by lot speaks for
    size: int  # all samples of the project


@dataclass(frozen=True)
class Bounds:
    """The accuracy if every sample that people could not settle were wrong, and if right, and
    the interval that holds both doubts: of the draw and of these samples."""

    samples: int
    low: float
    high: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Report:
    """All that the page and the command show. None: there is nothing to compare."""

    scope: Scope
    basis: Basis
    left_out: LeftOut
    model: Versus | None
    bounds: Bounds | None
    people: annotators.People
    pairs: tuple[annotators.Pair, ...]
    pairs_in_all: int
    annotators: tuple[annotators.Annotator, ...]
    periods: tuple[annotators.Period, ...]
    reference: "Reference | None"
    replacing: Replacing | None
    assisted: Assisted | None


def report(scope: Scope, effort: str = USUAL) -> Report:
    """Read the rows once and compare everything; `effort` is for the test that may let the machine
    answer in a person's place."""
    read = judgements(scope)
    names = annotators.pseudonyms(scope, read.annotators)
    rests_on = basis(read)
    pairs, in_all = annotators.pairs(read, names)
    return Report(
        scope=scope,
        basis=rests_on,
        left_out=read.left_out,
        model=against_model(read) if scope.machine else None,
        bounds=bounds(read) if scope.machine else None,
        people=annotators.among_people(read),
        pairs=tuple(pairs),
        pairs_in_all=in_all,
        annotators=tuple(annotators.one_by_one(read, names)),
        periods=tuple(annotators.over_time(read)) if scope.machine else (),
        reference=against_reference(read, rests_on.size),
        replacing=replacing(read, names, effort) if scope.machine else None,
        assisted=assisted(read),
    )


def basis(read: Judgements) -> Basis:
    known = has_answer(read.codes).any(axis=1) | answered(read.settled)
    by_lot = read.design.measuring
    visible = Sample.objects.visible().filter(project=read.scope.project)
    return Basis(
        drawn=len(read.samples),
        answered=int(known.sum()),
        by_lot=int((known & by_lot).sum()),
        drawn_by_lot=int(by_lot.sum()),
        disputed=int(read.truth.disputed.sum()),
        settled=int(answered(read.settled).sum()),
        frame=read.design.size if read.measurable else 0,
        size=visible.count(),
    )


def against_model(read: Judgements) -> Versus:
    return versus(read, read.truth.value, read.model, read.design)


def versus(read: Judgements, truth: np.ndarray, said: np.ndarray, design: Design) -> Versus:
    scope = read.scope
    both = answered(truth) & answered(said)
    corrected, naive = (_compared(scope, truth, said, way) for way in (design, None))
    pairs = np.stack([truth, said], axis=1)
    rows = [
        side_by_side(name, label, measure, pairs, scope, design)
        for name, label, measure in measures(scope, 2)
    ]
    if scope.multiple:
        exact = _("Whole answers equal")
        rows.insert(0, SideBySide("exact", exact, corrected.accuracy, naive.accuracy, share=True))
    rows.append(SideBySide("macro_f1", _("Macro F1"), corrected.macro_f1, naive.macro_f1, True))
    by_lot = both & design.measuring
    return Versus(
        rows=tuple(rows),
        labels=_label_rows(scope, truth[both], said[both], corrected, naive),
        samples=int(both.sum()),
        by_lot=int(by_lot.sum()),
        counts=naive.matrix,
        weighted=corrected.matrix if by_lot.any() else None,
    )


def _compared(scope, truth, said, design) -> Comparison:
    bootstrap = resampling(len(truth))
    if scope.multiple:
        return compare_multi_label(truth, said, design, bootstrap)
    return compare(truth, said, len(scope.labels), design, bootstrap)


def _label_rows(scope, truth, said, corrected, naive):
    """The samples in each part of every label's two circles, beside its figures."""
    if scope.multiple:
        by_people, by_model = truth == 1, said == 1
    else:
        places = np.arange(len(scope.labels))
        by_people, by_model = truth[:, None] == places, said[:, None] == places
    parts = [by_people & by_model, by_people & ~by_model, ~by_people & by_model]
    counted = np.stack([part.sum(axis=0) for part in parts], axis=1).tolist()
    return tuple(
        LabelRow(rule, *figures, *numbers)
        for rule, figures, numbers in zip(
            scope.labels, zip(corrected.labels, naive.labels, strict=True), counted, strict=True
        )
    )


def bounds(read: Judgements) -> Bounds | None:
    """What the samples could do to the accuracy that people skipped, were unsure of or dispute;
    None where there is none of them or nothing was drawn by lot."""
    truth, model = read.truth, read.model
    unsettled = (truth.disputed | read.refused) & ~answered(truth.value)
    unsettled &= answered(model) & read.design.measuring
    if not unsettled.any():
        return None
    known = match(truth.value, model)
    low, high = (
        hajek_proportion(np.where(unsettled, filled, known), read.design) for filled in (0.0, 1.0)
    )
    ends = (low.interval or (0.0, 1.0))[0], (high.interval or (0.0, 1.0))[1]
    return Bounds(int(unsettled.sum()), low.value or 0.0, high.value or 0.0, ends)


@dataclass(frozen=True)
class Reference:
    """The reference labels against the machine (on all samples that have both) and people."""

    model: Versus | None
    people: Versus | None
    samples: int
    size: int


def against_reference(read: Judgements, size: int) -> Reference | None:
    """None where the project has no reference label that the edition knows."""
    scope = read.scope
    model = None
    if scope.machine is not None:
        reference, said = references(scope)
        if len(reference):
            # All that there are: a census of them, and of the whole set only if all have one.
            chance = 1.0 if len(reference) >= size else np.nan
            everything = Design(np.full(len(reference), chance))
            model = versus(read, reference, said, everything)
    people = versus(read, read.reference, read.truth.value, read.design)
    if model is None and not people.samples:
        return None
    return Reference(model, people if people.samples else None, model.samples if model else 0, size)
