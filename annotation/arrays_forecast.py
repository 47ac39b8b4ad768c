"""What a forecast stands on: the pool as it is labelled now, what machine and people said of it.

Of large pools a part is read by lot, in which each row stands for several samples.
"""

from dataclasses import dataclass, replace

import numpy as np

from annotation import arrays, arrays_certificate
from annotation.arrays_agreement import Judgements, judgements
from annotation.arrays_learning import lessons
from annotation.filters import SampleFilter
from annotation.models import (
    Adjudication,
    Annotation,
    Codebook,
    MachineAnnotator,
    Project,
    Round,
    Sample,
    Suggestion,
)
from annotation.reports.figures import match
from annotation.reports.scope import rounds_under, scope_of
from synthlab.science.estimation import hajek_proportion
from synthlab.science.figures import NO_DRAW, Figure
from synthlab.science.forecast import Checked, Population
from synthlab.science.selection.base import Pool

MOST_ROWS = 50_000  # of each kind: free, waiting, labelled
SAME = 1e-9
# Why there is no curve.
NO_SAMPLES, NO_SUGGESTIONS, NO_CONFIDENCE = "no_samples", "no_suggestions", "no_confidence"
NEWEST = 5000  # answers whose seconds say how long one takes


@dataclass(frozen=True)
class Ground:
    """The pool as arrays aligned by row, and its size in samples of every kind."""

    frame: arrays.Frame  # all of the pool
    pool: Pool  # of the rows that were read
    population: Population
    checked: Checked  # by lot, and answered blind
    right: np.ndarray  # (rows,): the machine's label is people's, 1 or 0; NaN: unknown
    by_lot: np.ndarray  # (rows,), bool: drawn with the same chance as all others
    measured: Figure  # the machine's accuracy so far
    counts: dict[str, int]


def marks(project: Project, machine: MachineAnnotator) -> dict[str, int]:
    """The newest row of everything that a forecast follows from; 0 where there is none."""
    newest = {
        "answer": Annotation.objects.filter(project=project),
        "settled": Adjudication.objects.filter(project=project),
        "sample": Sample.objects.visible().filter(project=project, split=Sample.Split.POOL),
        "suggestion": Suggestion.objects.filter(machine=machine),
        "round": Round.objects.begun().filter(project=project),
    }
    pks = {name: rows.order_by("-pk").values_list("pk", flat=True) for name, rows in newest.items()}
    return {name: rows.first() or 0 for name, rows in pks.items()}


def pool_size(project: Project) -> int:
    return Sample.objects.visible().filter(project=project, split=Sample.Split.POOL).count()


def ground(machine: MachineAnnotator, codebook: Codebook, seed: int, *, texts: bool) -> Ground:
    """Read it all. With `texts` the stored vectors too; raises NoFeatures where there are none."""
    project = machine.project
    scope = scope_of(project, codebook, rounds_under(codebook), machine)
    which = SampleFilter(split=Sample.Split.POOL, machine=machine.pk)
    frame = arrays.frame(project, which)
    ids = frame.samples
    labelled = np.isin(ids, arrays_certificate.labelled_by_people(scope))
    free = np.isin(ids, arrays_certificate.undrawn(scope)) & ~labelled
    said = np.isin(ids, _said(machine))
    kinds = [labelled, free, ~labelled & ~free]
    rows, weights = _part(kinds, np.random.default_rng(seed))
    pool = _pool(machine, codebook, frame, rows, said, texts)
    pool = replace(pool, known=_only(pool.known, labelled[rows]))
    population = Population(len(ids), weights, free[rows], kinds[2][rows])
    read = judgements(scope) if scope.rounds else None
    checked, right, by_lot, measured = _checked(read, ids[rows], labelled[rows])
    confidence = frame.pool.confidence
    stated = confidence[said & ~np.isnan(confidence)]
    counts = {
        "samples": len(ids),
        **dict(zip(("labelled", "free", "waiting"), (int(k.sum()) for k in kinds), strict=True)),
        "silent": int((~said).sum()),
        "unstated": int(said.sum() - len(stated)),
        "rows": len(rows),
        "confidences": len(np.unique(stated)),
        "answered": int((~np.isnan(right)).sum()),
        "by_lot": len(checked.rows),
    }
    return Ground(frame, pool, population, checked, right, by_lot, measured, counts)


def _said(machine):
    rows = Suggestion.objects.filter(machine=machine).order_by("sample")
    return np.fromiter(
        rows.values_list("sample", flat=True).iterator(chunk_size=arrays.CHUNK), dtype=np.int64
    )


def _part(kinds, rng):
    """Rows in ascending order, at most so many of each kind, and what each stands for."""
    weights = np.zeros(len(kinds[0]))
    for kind in kinds:
        rows = np.flatnonzero(kind)
        taken = np.sort(rng.permutation(rows)[:MOST_ROWS])
        weights[taken] = len(rows) / max(len(taken), 1)
    rows = np.flatnonzero(weights)
    return rows, weights[rows]


def _pool(machine, codebook, frame, rows, said, texts):
    stored = {name: getattr(frame.pool, name)[rows] for name in arrays.COLUMNS}
    if frame.pool.multiple:
        spoke = np.where(said[rows], 0, -1)
        return Pool(len(rows), answers=spoke, multiple=True, **stored)
    taught = lessons(machine, codebook, frame.samples[rows], texts=texts)
    pool = taught.pool.take(taught.rows_of(frame.samples[rows]))
    spoke = np.where(said[rows], pool.answers, -1)
    return replace(pool, answers=spoke, **stored)


def _only(known, labelled):
    return None if known is None else np.where(labelled, known, -1)


def _checked(
    read: Judgements | None, samples: np.ndarray, labelled: np.ndarray
) -> tuple[Checked, np.ndarray, np.ndarray, Figure]:
    right, by_lot = np.full(len(samples), np.nan), np.zeros(len(samples), dtype=bool)
    if read is None:
        empty = np.empty(0)
        return (
            Checked(empty.astype(int), empty, empty),
            right,
            by_lot,
            Figure(None, 0, None, NO_DRAW),
        )
    agrees = match(read.truth.value, read.model)
    at = np.minimum(np.searchsorted(samples, read.samples), max(len(samples) - 1, 0))
    here = (samples[at] == read.samples) if len(samples) else np.zeros(len(at), dtype=bool)
    here &= ~np.isnan(agrees)
    here[here] &= labelled[at[here]]
    right[at[here]] = agrees[here]
    design, lot = read.design, here & read.design.measuring
    if lot.any() and np.ptp(read.inclusion[lot]) < SAME:
        by_lot[at[lot]] = True
    checked = Checked(at[lot], 1 - agrees[lot], design.weights[lot], read.texts[lot])
    return checked, right, by_lot, hajek_proportion(agrees, design)


def seconds_of(project: Project) -> np.ndarray:
    """Active seconds of the newest answers of a project, as the page measured them."""
    measured = Annotation.objects.filter(project=project, seconds__gt=0).order_by("-pk")
    return np.array(measured.values_list("seconds", flat=True)[:NEWEST], dtype=float)
