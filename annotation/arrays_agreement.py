"""What people, a machine and the reference say of the samples of some rounds, as aligned arrays.

Only answers measure that were given blind, on a seat of the round, with a label of the edition;
everything else is counted. "Unsure" is no label: it is counted and left out.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from django.db.models import Count, F, Q

from annotation.arrays_chances import drawn_from, inclusion_of, strata_of
from annotation.arrays_codes import NOT_SURE, UNKNOWN, Coder, Scope
from annotation.models import Adjudication, Annotation, Assignment, Sample, Suggestion
from synthlab.science.agreement import MISSING
from synthlab.science.estimation import Design
from synthlab.science.measures import counts

ROUNDING = 1e-6  # by so much probabilities may add up to more than 1


@dataclass(frozen=True)
class LeftOut:
    """Answers of the rounds that measure nothing, by reason."""

    not_blind: int = 0
    changed_after: int = 0  # the blind answer counts, the change after seeing the suggestion not
    extra: int = 0
    unsure: int = 0
    other_labels: int = 0
    skipped: int = 0
    open: int = 0

    @property
    def total(self) -> int:
        return self.not_blind + self.extra + self.unsure + self.other_labels + self.skipped


@dataclass(frozen=True)
class Judgements:
    """Everything said of the drawn samples. Arrays are aligned by sample, ids ascending.

    `codes` is (samples, annotators), for multi-label (samples, annotators, labels); the others
    have no annotators' axis. MISSING where nothing counts.
    """

    scope: Scope
    samples: np.ndarray
    annotators: np.ndarray  # their ids
    codes: np.ndarray
    settled: np.ndarray
    model: np.ndarray
    reference: np.ndarray
    inclusion: np.ndarray  # the chance to have been drawn by any of the rounds; NaN: none known
    frame: int | None  # how many samples the rounds drew by chance from
    texts: np.ndarray  # by sample: a number that copies of one text share
    strata: np.ndarray | None  # by sample, where a fixed number of each was drawn
    # One entry for each answer that counts, in the order they were given:
    answer_sample: np.ndarray = field(repr=False)  # rows of `samples`
    answer_annotator: np.ndarray = field(repr=False)  # columns of `annotators`
    seconds: np.ndarray = field(repr=False)
    given_at: list = field(repr=False)
    unsure: np.ndarray  # by annotator
    skipped: np.ndarray  # by annotator
    refused: np.ndarray  # by sample: somebody skipped it or was unsure
    left_out: LeftOut

    @cached_property
    def design(self) -> Design:
        return Design(self.inclusion, self.frame, self.strata, self.texts)

    @property
    def measurable(self) -> bool:
        """Was anything drawn with a known chance?"""
        return bool(self.design.measuring.any())

    @cached_property
    def votes(self) -> "Truth":
        """What most people say, without adjudication."""
        return majority(self.codes, len(self.scope.labels), self.scope.multiple)

    @cached_property
    def truth(self) -> "Truth":
        """The adjudicated answer where there is one, else what most people say."""
        settled = answered(self.settled)
        value = self.votes.value.copy()
        value[settled] = self.settled[settled]
        return Truth(value, self.votes.disputed & ~settled)


@dataclass(frozen=True)
class Truth:
    """One answer a sample. Disputed: answers stand against each other evenly."""

    value: np.ndarray
    disputed: np.ndarray


def answered(codes: np.ndarray) -> np.ndarray:
    """Which samples have an answer, of shape (samples,) or (samples, labels)."""
    return codes != MISSING if codes.ndim == 1 else (codes != MISSING).all(axis=1)


def has_answer(codes: np.ndarray) -> np.ndarray:
    """Which annotator answered which sample: (samples, annotators)."""
    return codes != MISSING if codes.ndim == 2 else (codes != MISSING).all(axis=2)


def majority(codes: np.ndarray, labels: int, multiple: bool) -> Truth:
    """The label with the most votes; for multi-label, each label by itself."""
    if multiple:
        ticks, answers = (codes == 1).sum(axis=1), (codes != MISSING).sum(axis=1)
        disputed = ((2 * ticks == answers) & (answers > 0)).any(axis=1)
        value = np.where(answers > 0, 2 * ticks > answers, MISSING).astype(np.int8)
        value[disputed] = MISSING
        return Truth(value, disputed)
    given = counts(codes, labels) if labels else np.zeros((len(codes), 1), int)
    most = given.max(axis=1)
    disputed = (most > 0) & ((given == most[:, None]).sum(axis=1) > 1)
    return Truth(np.where((most > 0) & ~disputed, given.argmax(axis=1), MISSING), disputed)


def judgements(scope: Scope) -> Judgements:
    """Read it all, in a number of queries that grows with the rounds only."""
    coder = Coder(scope)
    drawn = drawn_from(scope.rounds)
    samples = drawn.samples
    inclusion, frame = inclusion_of(scope.project, scope.rounds, drawn)
    answers = _answers(scope, samples, coder)
    return Judgements(
        scope=scope,
        samples=samples,
        settled=_aligned(_settled(scope), samples, coder),
        model=_aligned(_suggested(scope), samples, coder),
        reference=_aligned(_references(scope), samples, coder),
        inclusion=inclusion,
        frame=frame,
        texts=_texts(scope),
        strata=strata_of(scope.rounds, drawn),
        **answers,
    )


def _texts(scope):
    """In the order of the samples' ids: copies of one text are no answers of their own."""
    drawn = Sample.objects.filter(**_in_rounds(scope, "round_items__round"))
    hashes = drawn.order_by("pk").distinct().values_list("pk", "content_hash")
    return np.unique([content for _pk, content in hashes], return_inverse=True)[1].reshape(-1)


def _in_rounds(scope, path="round_item__round"):
    return {f"{path}__in": [round_.pk for round_ in scope.rounds]}


def _answers(scope, samples, coder):
    until = scope.until.annotation if scope.until else None
    blind = Annotation.objects.filter(extra=False, **_in_rounds(scope)).measuring(until)
    rows = list(
        blind.order_by("pk").values_list("sample", "annotator", "code", "seconds", "created_at")
    )
    said = coder.numbers([row[2] for row in rows])
    at = np.searchsorted(samples, np.array([row[0] for row in rows], dtype=np.int64))
    skips = np.array(_skips(scope), dtype=np.int64).reshape(-1, 2)
    people = np.unique(np.array([row[1] for row in rows] + list(skips[:, 1]), dtype=np.int64))
    who = np.searchsorted(people, np.array([row[1] for row in rows], dtype=np.int64))
    first = said if said.ndim == 1 else said[:, 0] if said.shape[1] else np.zeros(len(said))
    counting = first > MISSING - 1
    codes = np.full((len(samples), len(people), *coder.shape), MISSING, dtype=said.dtype)
    codes[at[counting], who[counting]] = said[counting]
    seconds = np.array([row[3] for row in rows], dtype=float)
    refused = np.zeros(len(samples), dtype=bool)
    refused[at[first == NOT_SURE]] = True
    refused[np.searchsorted(samples, skips[:, 0])] = True
    skipped_by = np.searchsorted(people, skips[:, 1])
    return {
        "annotators": people,
        "codes": codes,
        "answer_sample": at[counting],
        "answer_annotator": who[counting],
        "seconds": seconds[counting],
        "given_at": [row[4] for row, counts_ in zip(rows, counting, strict=True) if counts_],
        "unsure": np.bincount(who[first == NOT_SURE], minlength=len(people)),
        "skipped": np.bincount(skipped_by, minlength=len(people)),
        "refused": refused,
        "left_out": _left_out(scope, first, len(skips)),
    }


def _skips(scope):
    """Who skipped which sample."""
    skipped = Assignment.objects.filter(
        state=Assignment.State.SKIPPED, **_in_rounds(scope, "round")
    )
    return list(skipped.values_list("round_item__sample", "annotator"))


def _left_out(scope, first, skipped):
    shown = Annotation.objects.filter(**_in_rounds(scope)).aggregate(
        not_blind=Count("pk", filter=Q(blind=False, supersedes=None, extra=False)),
        changed_after=Count(
            "pk",
            filter=Q(blind=False, supersedes__isnull=False) & ~Q(code=F("supersedes__code")),
        ),
        extra=Count("pk", filter=Q(extra=True, supersedes=None)),
    )
    waiting = Q(state=Assignment.State.OPEN) | Q(state=Assignment.State.LEASED)
    seats = Assignment.objects.filter(waiting, **_in_rounds(scope, "round"))
    return LeftOut(
        **shown,
        unsure=int((first == NOT_SURE).sum()),
        other_labels=int((first == UNKNOWN).sum()),
        skipped=skipped,
        open=seats.count(),
    )


def _settled(scope):
    until = scope.until.adjudication if scope.until else None
    standing = Adjudication.objects.filter(**_in_rounds(scope)).standing(until)
    return standing.order_by("pk").values_list("sample", "code")


def _suggested(scope):
    if scope.machine is None:
        return []
    drawn = Sample.objects.filter(**_in_rounds(scope, "round_items__round"))
    return _said_of(scope, drawn).values_list("sample", "code")


def _said_of(scope, samples):
    """What the machine said of these samples until the moment."""
    said = Suggestion.objects.filter(machine=scope.machine, sample__in=samples)
    return said.filter(pk__lte=scope.until.suggestion) if scope.until else said


def _references(scope):
    known = Sample.objects.filter(
        reference_code__isnull=False, **_in_rounds(scope, "round_items__round")
    )
    return known.distinct().values_list("pk", "reference_code")


def _aligned(rows, samples, coder):
    """Codes by sample; unsure answers and labels of other editions are MISSING."""
    rows = list(rows)
    said = np.full((len(samples), *coder.shape), MISSING, dtype=np.int8 if coder.shape else int)
    at = np.searchsorted(samples, np.array([row[0] for row in rows], dtype=np.int64))
    said[at] = np.maximum(coder.numbers([row[1] for row in rows]), MISSING)
    return said


def confidences(scope: Scope, samples: np.ndarray) -> np.ndarray:
    """How sure the machine was of its label, by sample; NaN where it did not say so."""
    stated = np.full(len(samples), np.nan)
    if scope.machine is None:
        return stated
    drawn = Sample.objects.filter(**_in_rounds(scope, "round_items__round"))
    said = _said_of(scope, drawn).filter(confidence__gte=0, confidence__lte=1 + ROUNDING)
    rows = list(said.values_list("sample", "confidence"))
    at = np.searchsorted(samples, np.array([row[0] for row in rows], dtype=np.int64))
    stated[at] = np.minimum([row[1] for row in rows], 1.0)
    return stated


def references(scope: Scope) -> tuple[np.ndarray, np.ndarray]:
    """Of every sample of the project with both: the reference label and the machine's."""
    coder = Coder(scope)
    visible = Sample.objects.visible().filter(project=scope.project, reference_code__isnull=False)
    said = visible.filter(suggestions__machine=scope.machine)
    rows = list(said.values_list("reference_code", "suggestions__code"))
    reference, model = (
        np.maximum(coder.numbers([row[side] for row in rows]), MISSING) for side in (0, 1)
    )
    both = answered(reference) & answered(model)
    return reference[both], model[both]
