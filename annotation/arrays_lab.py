"""What people and machines say of a locked split, as arrays for a paired comparison.

People's answers are read by one edition: those given under it (or one that differs in wording
only), and those of earlier meanings whose label has not changed since. An answer by a rule that
has changed is stale, and settles nothing until somebody has answered anew.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from django.db.models import Exists, OuterRef

from annotation.arrays import hash_of
from annotation.arrays_agreement import Judgements, answered, has_answer, judgements
from annotation.arrays_chances import drawn_from, inclusion_of
from annotation.arrays_codes import Coder, Scope
from annotation.arrays_stale import formers
from annotation.models import (
    Annotation,
    Codebook,
    LockedSplit,
    MachineAnnotator,
    Round,
    RoundItem,
    Sample,
    Suggestion,
)
from annotation.reports.scope import alike, rounds_under, scope_of
from synthlab.science.agreement import MISSING
from synthlab.science.estimation import Design

ENDLESS = 10_000  # a split that came with its file stands for an endless set of its like


@dataclass(frozen=True)
class Truths:
    """What people say of every sample of a split. Arrays are aligned by sample, ids ascending."""

    scope: Scope  # of the edition by which the answers are read; it names no machine
    locked: LockedSplit
    samples: np.ndarray
    value: np.ndarray  # (samples,) or (samples, labels); MISSING where nothing is settled
    disputed: np.ndarray
    stale: np.ndarray  # settled only by a rule that has changed
    carried: np.ndarray  # settled by the unchanged rule of an earlier meaning
    inclusion: np.ndarray  # the chance of having been asked about; NaN: none known
    texts: np.ndarray  # a number that copies of one text share
    rounds: tuple[Round, ...]  # that asked about any of them

    @property
    def known(self) -> np.ndarray:
        return answered(self.value)

    @cached_property
    def design(self) -> Design:
        """How the answers were drawn: by the rounds from the split, and that from what it came
        from. A split drawn by lot speaks for the samples it was drawn from, any other for
        endlessly many of its like."""
        size = self.locked.size
        frame = self.locked.drawn["frame"]["size"] if self.locked.by_lot else size * ENDLESS
        return Design(self.inclusion * (size / frame), frame, clusters=self.texts)


def split_samples(locked: LockedSplit) -> np.ndarray:
    """The ids of its samples, ascending."""
    mine = Sample.objects.visible().filter(project=locked.project_id, split=locked.split)
    return np.fromiter(mine.order_by("pk").values_list("pk", flat=True).iterator(), dtype=np.int64)


def is_intact(locked: LockedSplit) -> bool:
    """Are its samples those that it was locked with?"""
    return hash_of(split_samples(locked)) == locked.hash


def answered_editions(locked: LockedSplit) -> list[Codebook]:
    """The published editions by whose meaning people have answered in the split, newest first."""
    said = Annotation.objects.filter(sample__project=locked.project_id, sample__split=locked.split)
    books = set(said.order_by().values_list("codebook", flat=True).distinct())
    published = locked.project.codebooks.published().order_by("-number")
    return [book for book in published if any(same.pk in books for same in alike(book))]


def truths(edition: Codebook, locked: LockedSplit) -> Truths:
    """Read what people said of the split, by this published edition."""
    samples = split_samples(locked)
    scope = scope_of(locked.project, edition, [], None)
    reading = _Reading(scope, samples)
    asked = _rounds_in(locked)
    rounds: list[Round] = []
    for book, stale in [(edition, frozenset()), *((f.edition, f.stale) for f in formers(edition))]:
        mine = [round_ for round_ in rounds_under(book) if round_.pk in asked]
        if mine:
            read = judgements(scope_of(locked.project, book, mine, None))
            reading.add(read, stale, former=book.pk != edition.pk)
            rounds += mine
    return Truths(
        scope=scope,
        locked=locked,
        samples=samples,
        value=reading.value,
        disputed=reading.disputed,
        stale=reading.stale,
        carried=reading.carried,
        inclusion=_chances(locked, tuple(rounds), samples),
        texts=_texts(samples, locked),
        rounds=tuple(rounds),
    )


class _Reading:
    """Fills in what people say, the newest meaning first: what it has settled, stays."""

    def __init__(self, scope: Scope, samples: np.ndarray) -> None:
        self.scope, self.samples = scope, samples
        shape = (len(samples), *Coder(scope).shape)
        self.value = np.full(shape, MISSING, dtype=np.int64)
        self.disputed, self.stale, self.carried, self.done = (
            np.zeros(len(samples), dtype=bool) for _ in range(4)
        )

    def add(self, read: Judgements, stale: frozenset[str], former: bool) -> None:
        given = has_answer(read.codes).any(axis=1) | answered(read.settled) | read.refused
        fresh = given & np.isin(read.samples, self.samples)
        at = np.searchsorted(self.samples, read.samples[fresh])
        new = ~self.done[at]
        rows, at = np.flatnonzero(fresh)[new], at[new]
        self.done[at] = True
        self.disputed[at] = read.truth.disputed[rows]
        value, in_doubt = self._translated(read, read.truth.value[rows], stale)
        self.value[at], self.stale[at] = value, in_doubt
        self.carried[at] = former & answered(value)

    def _translated(self, read, values, stale):
        """The values by the labels of this edition, and which of them hold a stale label."""
        mine = {label.slug: place for place, label in enumerate(self.scope.labels)}
        slugs = [label.slug for label in read.scope.labels]
        gone = np.array([slug in stale or slug not in mine for slug in slugs], dtype=bool)
        there = [place for place, slug in enumerate(slugs) if not gone[place]]
        known = answered(values)
        value = np.full((len(values), *self.value.shape[1:]), MISSING, dtype=np.int64)
        if values.ndim == 1:
            in_doubt = known & gone[np.maximum(values, 0)] if len(slugs) else known
            to = np.array([mine.get(slug, MISSING) for slug in slugs], dtype=np.int64)
            kept = known & ~in_doubt
            value[kept] = to[values[kept]]
            return value, in_doubt
        in_doubt = known & ((values == 1) & gone).any(axis=1)
        kept = known & ~in_doubt
        value[kept] = 0
        for place in there:
            value[kept, mine[slugs[place]]] = values[kept, place]
        return value, in_doubt


def _rounds_in(locked):
    """The ids of the rounds that drew any sample of the split."""
    items = RoundItem.objects.filter(round=OuterRef("pk"), sample__split=locked.split)
    return set(locked.project.rounds.begun().filter(Exists(items)).values_list("pk", flat=True))


def _chances(locked, rounds, samples):
    """The chance of each sample to be asked about by any of the rounds; 1 if all of them were."""
    chances = np.full(len(samples), np.nan)
    if not rounds:
        return chances
    drawn = drawn_from(rounds)
    mine = np.isin(samples, drawn.samples)
    if mine.all():
        return np.ones(len(samples))
    known, _frame = inclusion_of(locked.project, rounds, drawn)
    chances[mine] = known[np.searchsorted(drawn.samples, samples[mine])]
    return chances


def _texts(samples, locked):
    mine = Sample.objects.visible().filter(project=locked.project_id, split=locked.split)
    hashes = list(mine.order_by("pk").values_list("content_hash", flat=True))
    return np.unique(np.array(hashes, dtype=str), return_inverse=True)[1].reshape(-1)


def said_by(machine: MachineAnnotator, truths: Truths) -> np.ndarray:
    """What the machine says, by the labels of the edition that the answers are read by.

    A label that was removed on the way to it counts as what its removal said it means now; one
    that it does not have is UNKNOWN, which is never right. MISSING where it said nothing.
    """
    split = truths.locked.split
    said = Suggestion.objects.filter(machine=machine, sample__split=split)
    codes = dict(said.values_list("sample", "code"))
    meant = truths.scope.edition.meanings().get(machine.codebook_id, {})
    multiple = truths.scope.multiple
    now = [_now(codes.get(pk), meant, multiple) for pk in truths.samples.tolist()]
    return Coder(truths.scope).numbers(now)


def _now(code, meant, multiple):
    if code is None or not meant:
        return code
    if not multiple:
        return meant.get(code, code) or code
    slugs = {meant.get(slug, slug) for slug in code.split("|") if slug}
    return "|".join(sorted(slug for slug in slugs if slug))


def right(truths: Truths, said: np.ndarray) -> np.ndarray:
    """1 where the machine says what people say, 0 where not, NaN where one of them is silent."""
    same = truths.value == said
    same = same if same.ndim == 1 else same.all(axis=1)
    return np.where(truths.known & answered(said), same.astype(float), np.nan)
