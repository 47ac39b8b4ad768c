"""Where people and a machine, or people among themselves, differ: sample by sample."""

from dataclasses import dataclass

import numpy as np
from django.utils.translation import gettext as _

from annotation.arrays_agreement import Judgements, answered
from annotation.models import Adjudication, Annotation, RoundItem, Sample, Suggestion
from annotation.reports.annotators import pseudonyms
from annotation.task_types.base import UNSURE, LabelRule
from synthlab.science.agreement import MISSING

MODEL, PEOPLE = "model", "people"
NOT = "~"  # before a slug: multi-label answers that do not hold it


@dataclass(frozen=True)
class Which:
    """A cell of the matrix (`people` and `model` are slugs, either may be empty), else everything
    where people and model differ, or where people differ among themselves."""

    people: str = ""
    model: str = ""
    between: str = MODEL


@dataclass(frozen=True)
class Answer:
    """What one person said, blind."""

    name: str
    words: str
    unsure: bool
    row: Annotation


@dataclass(frozen=True)
class Place:
    """Where the reader stands: the sample, its neighbours, and how many there are."""

    sample: int | None
    previous: int | None
    next: int | None
    number: int
    total: int


@dataclass(frozen=True)
class Disagreement:
    """One sample with both labels, their rules, and everything said about it."""

    sample: Sample
    people: str  # in words; "" where nothing counts
    model: str
    disputed: bool
    people_rules: tuple[LabelRule, ...]
    model_rules: tuple[LabelRule, ...]
    answers: tuple[Answer, ...]
    suggestion: Suggestion | None
    bars: tuple[tuple[str, float], ...]  # label and probability, the likeliest first
    settled: Adjudication | None
    settled_words: str
    reference: str
    item: RoundItem | None


def find(read: Judgements, which: Which, at: int | None) -> Place:
    """The sample asked for, or the first one behind it that is in the selection."""
    samples = read.samples[_mask(read, which)]
    if not len(samples):
        return Place(None, None, None, 0, 0)
    place = 0 if at is None else min(int(np.searchsorted(samples, at)), len(samples) - 1)
    return Place(
        int(samples[place]),
        int(samples[place - 1]) if place else None,
        int(samples[place + 1]) if place + 1 < len(samples) else None,
        place + 1,
        len(samples),
    )


def _mask(read: Judgements, which: Which) -> np.ndarray:
    truth, model = read.truth.value, read.model
    if which.people or which.model:
        mask = answered(truth) & answered(model)
        return mask & _has(read, truth, which.people) & _has(read, model, which.model)
    if which.between == PEOPLE:
        return _differing(read.codes)
    both = answered(truth) & answered(model)
    return both & (truth != model if truth.ndim == 1 else (truth != model).any(axis=1))


def _has(read, said, slug):
    """Those samples where this side gave the label; all where none is asked for."""
    slugs = [label.slug for label in read.scope.labels]
    if not slug:
        return np.ones(len(said), dtype=bool)
    bare = slug.removeprefix(NOT)
    if bare not in slugs:
        return np.zeros(len(said), dtype=bool)
    place = slugs.index(bare)
    holds = said == place if said.ndim == 1 else said[:, place] == 1
    return ~holds if slug.startswith(NOT) else holds


def _differing(codes):
    given = codes if codes.ndim == 3 else codes[:, :, None]
    known = given != MISSING
    highest = np.where(known, given, -1).max(axis=1, initial=-1)
    lowest = np.where(known, given, np.iinfo(np.int64).max).min(
        axis=1, initial=np.iinfo(np.int64).max
    )
    return (known.any(axis=1) & (highest != lowest)).any(axis=1)


def disagreement(read: Judgements, sample_id: int) -> Disagreement:
    """Everything about one sample of the scope, in a fixed number of queries."""
    scope, task = read.scope, read.scope.project.task
    sample = Sample.objects.get(pk=sample_id)
    at = int(np.searchsorted(read.samples, sample_id))
    people, model = _slugs(read, read.truth.value[at]), _slugs(read, read.model[at])
    rows = _blind_answers(scope, sample)
    said = Suggestion.objects.filter(machine=scope.machine, sample=sample).first()
    standing = Adjudication.objects.filter(
        sample=sample, superseded_by=None, round_item__round__in=scope.rounds
    )
    settled = standing.order_by("pk").last()
    return Disagreement(
        sample=sample,
        people=_words(scope, people),
        model=_words(scope, model),
        disputed=bool(read.truth.disputed[at]),
        people_rules=_rules(scope, people),
        model_rules=_rules(scope, model),
        answers=_answers(scope, rows),
        suggestion=said,
        bars=_bars(scope, said),
        settled=settled,
        settled_words=_words(scope, task.slugs(settled.value)) if settled else "",
        reference="" if sample.reference is None else _words(scope, task.slugs(sample.reference)),
        item=rows[-1].round_item if rows else None,
    )


def _slugs(read, said):
    """One side's answer as slugs; None where nothing counts."""
    slugs = [label.slug for label in read.scope.labels]
    if said.ndim:
        missing = bool((said == MISSING).any())
        return None if missing else [slugs[i] for i in np.flatnonzero(said == 1)]
    return None if said == MISSING else [slugs[int(said)]]


def _words(scope, slugs):
    if slugs is None:
        return ""
    names = {UNSURE: _("unsure"), **{label.slug: label.name for label in scope.labels}}
    return ", ".join(names.get(slug, slug) for slug in slugs) or _("none of the labels")


def _rules(scope, slugs):
    return tuple(label for label in scope.labels if label.slug in (slugs or ()))


def _blind_answers(scope, sample):
    blind = Annotation.objects.filter(
        sample=sample, extra=False, round_item__round__in=scope.rounds
    ).measuring()
    return list(blind.select_related("round_item__round").order_by("pk"))


def _answers(scope, rows):
    people = np.array(sorted({row.annotator_id for row in rows}), dtype=np.int64)
    named = dict(zip(people.tolist(), pseudonyms(scope, people), strict=True))
    said = [(row, scope.project.task.slugs(row.value)) for row in rows]
    return tuple(
        Answer(named[row.annotator_id], _words(scope, slugs), slugs == [UNSURE], row)
        for row, slugs in said
    )


def _bars(scope, said):
    if said is None:
        return ()
    names = {label.slug: label.name for label in scope.labels}
    likely = sorted(said.probabilities.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple((names.get(slug, slug), share) for slug, share in likely)
