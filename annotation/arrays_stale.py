"""People's answers by a rule whose meaning has changed since: what is stale, and what carries over.

A change of meaning leaves the answers of the labels that it changed in doubt; those of the other
labels carry over. Whoever answered a sample under a newer meaning has settled it anew.
"""

from dataclasses import dataclass

import numpy as np
from django.db.models import F

from annotation.models import Adjudication, Annotation, Codebook, Round, RoundItem
from annotation.reports.scope import alike
from annotation.task_types.changes import outdated

RELABEL = "relabel"  # the strategy of a round that asks again about stale answers


@dataclass(frozen=True)
class Former:
    """The editions of one earlier meaning, seen from a later edition."""

    edition: Codebook  # the newest of them that the later one descends from
    books: tuple[int, ...]  # ids of all of them
    stale: frozenset[str]  # labels whose answers no longer hold


@dataclass(frozen=True)
class StaleLabel:
    """How many answers hold a label by its old rule."""

    name: str
    edition: int  # the number of the edition whose rule they followed
    answers: int


@dataclass(frozen=True)
class Stale:
    """What a change of meaning did to the answers. Samples are ids, ascending."""

    labels: tuple[StaleLabel, ...]
    answers: int
    samples: np.ndarray  # with such an answer
    overlap: np.ndarray  # by sample: how many people its answers had been asked of
    due: np.ndarray  # by sample: nobody is being asked about it anew
    carried: int  # answers of unchanged labels


def formers(edition: Codebook) -> list[Former]:
    """The earlier meanings that this edition descends from, the newest first."""
    published = edition.project.codebooks.published().prefetch_related("labels")
    books = {book.pk: book for book in published}
    found: list[Former] = []
    stale: set[str] = set()
    while edition.parent_id:
        parent = books[edition.parent_id]
        if edition.change == Codebook.Change.MEANING:
            stale |= set(outdated(parent.rules(), edition.rules()))
            same = tuple(book.pk for book in alike(parent))
            found.append(Former(parent, same, frozenset(stale)))
        edition = parent
    return found


def stale_answers(edition: Codebook) -> Stale:
    """Everything that people said by rules that no longer hold under this edition."""
    answered = {sample for sample, *_rest in _said([book.pk for book in alike(edition)])}
    asked_of: dict[int, int] = {}
    labels: list[StaleLabel] = []
    answers = carried = 0
    for former in formers(edition):
        names = {label.slug: label.name for label in former.edition.rules().labels}
        counts = dict.fromkeys([slug for slug in names if slug in former.stale], 0)
        seen = set()
        for sample, code, overlap in _said(former.books):
            seen.add(sample)
            if sample in answered:
                continue
            held = set(code.split("|")) & former.stale
            answers, carried = answers + bool(held), carried + (not held)
            for slug in held & counts.keys():
                counts[slug] += 1
            if held:
                asked_of[sample] = max(overlap, asked_of.get(sample, 1))
        answered |= seen
        number = former.edition.number
        labels += [StaleLabel(names[slug], number, n) for slug, n in counts.items() if n]
    samples = np.array(sorted(asked_of), dtype=np.int64)
    overlap = np.array([asked_of[sample] for sample in sorted(asked_of)], dtype=np.int64)
    due = ~np.isin(samples, _being_relabelled(edition))
    return Stale(tuple(labels), answers, samples, overlap, due, carried)


def _said(books):
    """(sample, code, people asked) of every standing answer and adjudication by these editions."""
    columns = ("sample", "code", "asked_of")
    asked_of = {"asked_of": F("round_item__round__overlap")}
    said = Annotation.objects.filter(codebook__in=books).current().annotate(**asked_of)
    settled = Adjudication.objects.filter(codebook__in=books, superseded_by=None)
    yield from said.values_list(*columns).iterator()
    yield from settled.annotate(**asked_of).values_list(*columns).iterator()


def _being_relabelled(edition):
    """The samples of rounds that ask anew and are not over."""
    items = RoundItem.objects.filter(
        round__codebook__in=[book.pk for book in alike(edition)],
        round__strategy=RELABEL,
        round__state__in=[Round.State.DRAWN, Round.State.OPEN],
    )
    return np.array(list(items.values_list("sample", flat=True)), dtype=np.int64)
