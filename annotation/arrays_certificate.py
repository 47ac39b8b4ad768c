"""What a certificate rests on: an audit's frame and lot, labels fixed before it, people's labels.

A draw can be judged only against the frame that it was made from. The frame is read anew and held
against the hash that the draw left: where they differ nobody can say what the lot speaks for.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db.models import Exists, Min, OuterRef

from annotation.arrays import CHUNK, hash_of
from annotation.arrays_agreement import Judgements, answered, judgements
from annotation.arrays_codes import Coder, Scope
from annotation.filters import SampleFilter
from annotation.models import (
    Adjudication,
    Annotation,
    Assignment,
    MachineAnnotator,
    Round,
    RoundItem,
    Sample,
    Suggestion,
)
from annotation.reports.figures import match
from annotation.reports.scope import alike, scope_of

BY_LOT = {"audit", "uniform"}  # parts of a draw in which every set of samples is as likely
SAME = 1e-9
UNDRAWN = SampleFilter(split=Sample.Split.POOL, drawn=False)  # what the draw form offers


def drawn_by_lot(round_: Round) -> np.ndarray:
    """The samples with a known chance of being drawn, ids ascending."""
    known = round_.items.exclude(inclusion=None).order_by("sample")
    return _ids(known.values_list("sample", flat=True))


def is_uniform(round_: Round) -> bool:
    """Was what has a known chance one uniform draw without replacement from the whole frame?

    Equal chances are not enough: strata, too, give them. A draw of the whole frame is one.
    """
    known = round_.items.exclude(inclusion=None).values_list("inclusion", "stratum")
    rows, size = set(known.distinct()), round_.frame.get("size", 0)
    share = known.count() / size if size else 0
    even = all(abs(inclusion - share) < SAME for inclusion, _part in rows)
    return even and (share == 1 or {part for _chance, part in rows} <= BY_LOT)


def frame_of(round_: Round) -> np.ndarray | None:
    """The samples that the round was drawn from, ids ascending; None where that cannot be told
    any more, since samples or answers that the filter asks about have changed."""
    stated = dict(round_.frame.get("filter", {}))
    drawn = stated.pop("drawn", None)
    passing = SampleFilter.of(stated).samples(round_.project, at=round_.created_at)
    if drawn is not None:
        # Items are numbered as they are written: these were there before this draw.
        first = round_.items.aggregate(first=Min("pk"))["first"]
        earlier = Exists(RoundItem.objects.filter(sample=OuterRef("pk"), pk__lt=first or 0))
        passing = passing.filter(earlier) if drawn else passing.exclude(earlier)
    # What came in later has higher ids.
    ids = _ids(passing.order_by("pk").values_list("pk", flat=True)[: round_.frame.get("size", 0)])
    return ids if hash_of(ids) == round_.frame.get("hash") else None


def stated_confidence(
    machine: MachineAnnotator, samples: np.ndarray, before: datetime | None = None
) -> np.ndarray:
    """How sure the machine is of its label of each of these samples (ids ascending).

    NaN where it gave none by then, or did not say how sure it is.
    """
    said = Suggestion.objects.filter(machine=machine, confidence__isnull=False)
    said = said if before is None else said.filter(created_at__lt=before)
    rows = said.order_by("sample").values_list("sample", "confidence")
    read = np.fromiter(
        rows.iterator(chunk_size=CHUNK), dtype=[("sample", np.int64), ("confidence", np.float64)]
    )
    known = np.full(len(samples), np.nan)
    inside = np.isin(read["sample"], samples)
    known[np.searchsorted(samples, read["sample"][inside])] = read["confidence"][inside]
    return known


@dataclass(frozen=True)
class Outcomes:
    """What became of the samples of an audit; arrays aligned with `samples`, ids ascending.

    Only `right` is a label that may stay: what nobody has settled is not taken for right.
    """

    samples: np.ndarray
    right: np.ndarray
    wrong: np.ndarray  # people settled on another label
    waiting: np.ndarray  # a seat that was asked for is still open
    read: Judgements

    @property
    def unsettled(self) -> np.ndarray:
        """Skipped, unsure, disputed, not answered blind, or settled on what nobody said blind."""
        return ~(self.right | self.wrong | self.waiting)


def outcomes(scope: Scope, round_: Round, samples: np.ndarray) -> Outcomes:
    """Hold the machine's labels against what people answered blind in this round.

    An adjudicator may have seen the machine's label: theirs makes it right only where somebody
    had given it blind. A sample with an open seat is not settled, whatever the others said, so
    that looking early can only accept less, never other labels.
    """
    read = judgements(scope_of(scope.project, scope.edition, [round_], scope.machine))
    at = np.searchsorted(read.samples, samples)
    truth, model, codes = read.truth.value[at], read.model[at], read.codes[at]
    same = match(truth, model)
    agree = codes == model[:, None]
    somebody = (agree if agree.ndim == 2 else agree.all(axis=2)).any(axis=1)
    waiting = np.isin(samples, _with_open_seats(round_))
    known = answered(truth) & ~waiting
    # A label that the edition does not have, is not what people would say.
    wrong = known & ((same == 0) | (~answered(model)))
    return Outcomes(samples, known & (same == 1) & somebody, wrong, waiting, read)


def _with_open_seats(round_: Round) -> np.ndarray:
    waiting = round_.assignments.filter(state__in=[Assignment.State.OPEN, Assignment.State.LEASED])
    return _ids(waiting.values_list("round_item__sample", flat=True))


def labelled_by_people(scope: Scope, before: datetime | None = None) -> np.ndarray:
    """The samples whose label people have settled under this edition's meaning, ids ascending.

    As an export decides it: adjudicated, else what most people say, and no tie. "Unsure" and
    labels of other editions are none.
    """
    books = [book.pk for book in alike(scope.edition)]
    said = Annotation.objects.filter(project=scope.project, codebook__in=books, extra=False)
    settled = Adjudication.objects.filter(project=scope.project, codebook__in=books)
    if before is None:
        said, settled = said.current(), settled.filter(superseded_by=None)
    else:
        said, settled = (rows.filter(created_at__lt=before) for rows in (said, settled))
    rows = said.order_by("pk").values_list("sample", "annotator", "code")
    final = _most_votes(rows.iterator(chunk_size=CHUNK))
    final |= dict(settled.order_by("pk").values_list("sample", "code"))
    samples = np.fromiter(final, dtype=np.int64, count=len(final))
    numbers = Coder(scope).numbers(list(final.values()))
    known = answered(np.maximum(numbers, -1)) if len(final) else np.zeros(0, dtype=bool)
    return np.sort(samples[known])


def _most_votes(rows: Iterable[tuple[int, int, str]]) -> dict[int, str | None]:
    """The code that most people give a sample now; None where two have as many."""
    latest = {(sample, who): code for sample, who, code in rows}
    votes: dict[int, Counter[str]] = {}
    for (sample, _who), code in latest.items():
        votes.setdefault(sample, Counter())[code] += 1
    return {sample: _winner(given) for sample, given in votes.items()}


def _winner(votes):
    (code, most), *others = votes.most_common(2)
    return None if others and others[0][1] == most else code


def undrawn(scope: Scope) -> np.ndarray:
    """The samples that a fresh audit would be drawn from, ids ascending."""
    return _ids(UNDRAWN.samples(scope.project).order_by("pk").values_list("pk", flat=True))


def everything(scope: Scope) -> np.ndarray:
    """All visible samples of the project, ids ascending."""
    visible = Sample.objects.visible().filter(project=scope.project)
    return _ids(visible.order_by("pk").values_list("pk", flat=True))


def _ids(rows) -> np.ndarray:
    return np.fromiter(rows.iterator(chunk_size=CHUNK), dtype=np.int64)
