"""Where the codebook lab of a project stands: splits, draft, trials, machines, stale answers."""

from dataclasses import dataclass

from django.db.models import Count, Q

from annotation.arrays_lab import is_intact
from annotation.arrays_stale import RELABEL, Stale, stale_answers
from annotation.filters import SampleFilter
from annotation.models import (
    Annotation,
    Codebook,
    LockedSplit,
    MachineAnnotator,
    Project,
    Round,
    Sample,
)
from annotation.reports.scope import alike
from annotation.task_types.changes import Changes, compare

DEV, TEST = Sample.Split.DEV, Sample.Split.TEST


@dataclass(frozen=True)
class SplitState:
    """A dev or test split: `locked` is None before; `size` counts the samples there are now."""

    name: str
    locked: LockedSplit | None
    size: int
    answered: int  # samples with a blind answer of anybody
    asked: int  # samples in a round that was opened
    intact: bool


@dataclass(frozen=True)
class DraftState:
    """A draft beside its parent. `changes` is None where it would be the first edition."""

    draft: Codebook
    changes: Changes | None
    tried: Codebook | None


def split_states(project: Project) -> tuple[SplitState, ...]:
    locked = {row.split: row for row in project.locked_splits.select_related("locked_by")}
    mine = Sample.objects.visible().filter(project=project)
    sizes = dict(mine.order_by().values_list("split").annotate(n=Count("pk")))
    said = Annotation.objects.filter(project=project, blind=True).order_by()
    answered = dict(
        said.values_list("sample__split").annotate(n=Count("sample", distinct=True)),
    )
    begun = Q(round_items__round__state__in=Round.BEGUN)
    asked = dict(
        mine.filter(begun).order_by().values_list("split").annotate(n=Count("pk", distinct=True))
    )
    return tuple(
        SplitState(
            name,
            row := locked.get(name),
            sizes.get(name, 0),
            answered.get(name, 0),
            asked.get(name, 0),
            row is None or is_intact(row),
        )
        for name in (DEV, TEST)
    )


def undrawn(project: Project) -> int:
    """How many samples of the pool no round has drawn: splits are drawn from these."""
    return SampleFilter(split=Sample.Split.POOL, drawn=False).samples(project).count()


def draft_state(project: Project) -> DraftState | None:
    draft = project.codebooks.drafts().select_related("parent").first()
    if draft is None:
        return None
    changes = compare(draft.parent.rules(), draft.rules()) if draft.parent else None
    return DraftState(draft, changes, draft.as_tried() if changes else None)


def trials_of(project: Project) -> list[Codebook]:
    """Every text that was tried and not published, the newest first."""
    trials = project.codebooks.trials().select_related("created_by", "parent")
    return list(trials.order_by("-number"))


def machines_of(project: Project) -> list[MachineAnnotator]:
    """Those that have said anything of a split, the newest first, with how much (`dev`, `test`)."""
    counts = {
        name: Count("suggestions", filter=Q(suggestions__sample__split=name))
        for name in (DEV.value, TEST.value)
    }
    machines = project.machines.select_related("codebook").annotate(**counts)
    return list(machines.filter(Q(dev__gt=0) | Q(test__gt=0)).order_by("-pk"))


@dataclass(frozen=True)
class StaleState:
    """What the meaning of an edition made stale, and the rounds that ask anew."""

    edition: Codebook
    stale: Stale
    rounds: list[Round]

    @property
    def due(self) -> int:
        return int(self.stale.due.sum())


def stale_state(edition: Codebook | None) -> StaleState | None:
    """None where no edition on the way to this one changed a meaning."""
    if edition is None or not edition.is_published:
        return None
    books = alike(edition)
    if not any(book.change == Codebook.Change.MEANING for book in books):
        return None
    rounds = edition.project.rounds.written()
    mine = rounds.filter(strategy=RELABEL, codebook__in=[book.pk for book in books])
    return StaleState(edition, stale_answers(edition), list(mine.order_by("pk")))
