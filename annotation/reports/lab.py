"""Two machines on one locked split, paired: what the second one fixes, breaks and leaves."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from annotation.arrays_lab import Truths, right, said_by
from annotation.models import Codebook, MachineAnnotator, Sample
from annotation.reports.scope import alike
from annotation.task_types.changes import outdated
from synthlab.science.agreement import MISSING
from synthlab.science.comparison import (
    PairedComparison,
    Power,
    compare_paired,
    mcnemar_power,
    planned_power,
)
from synthlab.science.estimation import hajek_proportion
from synthlab.science.figures import Figure

FIXED, BROKEN, KEPT, MISSED, OTHERWISE, WAITING, SILENT = (
    *("fixed", "broken", "right", "wrong", "changed", "waiting", "silent"),
)
JUDGED = (FIXED, BROKEN, KEPT, MISSED, OTHERWISE)
KINDS = (*JUDGED, WAITING, SILENT)
ALPHA = 0.05
WANTED = 0.8  # power
ASSUMED = 0.15  # the share of samples on which two machines differ in being right, before any look


@dataclass(frozen=True)
class Comparison:
    """The second machine beside the first, on every sample of a split. Arrays are aligned.

    `kind` is one of KINDS: fixed, broken, right twice, wrong twice with one label, wrong with
    another label, waiting for people, or one of the machines is silent.
    """

    first: MachineAnnotator
    second: MachineAnnotator
    truths: Truths
    said: tuple[np.ndarray, np.ndarray]
    right: tuple[np.ndarray, np.ndarray]
    kind: np.ndarray
    looks: int  # over which the level is shared out

    @cached_property
    def counts(self) -> dict[str, int]:
        return {kind: int((self.kind == kind).sum()) for kind in KINDS}

    @property
    def judged(self) -> int:
        return sum(self.counts[kind] for kind in JUDGED)

    @cached_property
    def measuring(self) -> np.ndarray:
        """The judged samples that a lot had chosen; the others say nothing of the rest."""
        return np.isin(self.kind, JUDGED) & self.truths.design.measuring

    @cached_property
    def paired(self) -> PairedComparison:
        """Held against a level that is shared out evenly over the looks (Bonferroni)."""
        looks = max(self.looks, 1)
        return compare_paired(
            *self.right, self.truths.design, alpha=ALPHA, look=looks, planned=looks
        )

    @cached_property
    def accuracies(self) -> tuple[Figure, Figure]:
        """How often each is right, over what the split stands for; both on the same samples."""
        both = np.isin(self.kind, JUDGED)
        first, second = (np.where(both, values, np.nan) for values in self.right)
        design = self.truths.design
        return hajek_proportion(first, design), hajek_proportion(second, design)

    @cached_property
    def disagreement(self) -> float | None:
        """The weighted share of samples on which one is right and the other wrong."""
        if not self.measuring.any():
            return None
        weights = self.truths.design.weights[self.measuring]
        apart = np.isin(self.kind[self.measuring], (FIXED, BROKEN))
        return float(np.average(apart, weights=weights))

    def samples(self, kinds: tuple[str, ...], label: str = "") -> list[int]:
        """The ids of the samples of these kinds, of those that people gave this label."""
        chosen = np.isin(self.kind, kinds)
        slugs = [one.slug for one in self.truths.scope.labels]
        if label in slugs:
            place, value = slugs.index(label), self.truths.value
            chosen &= value == place if value.ndim == 1 else value[:, place] == 1
        return [int(pk) for pk in self.truths.samples[chosen]]


def compared(
    first: MachineAnnotator, second: MachineAnnotator, truths: Truths, looks: int = 1
) -> Comparison:
    said = said_by(first, truths), said_by(second, truths)
    was, now = (right(truths, each) for each in said)
    same = said[0] == said[1]
    same = same if same.ndim == 1 else same.all(axis=1)
    kind = np.full(len(truths.samples), SILENT, dtype=object)
    kind[~truths.known] = WAITING
    kind[(was == 0) & (now == 1)] = FIXED
    kind[(was == 1) & (now == 0)] = BROKEN
    kind[(was == 1) & (now == 1)] = KEPT
    kind[(was == 0) & (now == 0) & same] = MISSED
    kind[(was == 0) & (now == 0) & ~same] = OTHERWISE
    return Comparison(first, second, truths, said, (was, now), kind, looks)


@dataclass(frozen=True)
class Row:
    """A sample with what people and both machines said, in words."""

    sample: Sample
    kind: str
    people: str
    first: str
    second: str
    carried: bool


def rows_of(found: Comparison, ids: list[int]) -> list[Row]:
    """Those samples, in this order. Words come from the answers as they were stored."""
    samples = Sample.objects.in_bulk(ids)
    machines = (found.first, found.second)
    said = {
        machine.pk: dict(machine.suggestions.filter(sample__in=ids).values_list("sample", "value"))
        for machine in machines
    }
    project, names = found.truths.scope.project, _names(found)
    at = dict(zip(ids, np.searchsorted(found.truths.samples, ids).tolist(), strict=True))
    return [
        Row(
            samples[pk],
            found.kind[at[pk]],
            _people(found.truths, at[pk], names),
            *(project.in_words(said[machine.pk].get(pk), names) for machine in machines),
            bool(found.truths.carried[at[pk]]),
        )
        for pk in ids
    ]


def _names(found):
    """The names of all labels that may occur: also those of a trial, which no edition has yet."""
    names = found.truths.scope.project.label_names()
    for machine in (found.first, found.second):
        names |= {label.slug: label.name for label in machine.codebook.labels.all()}
    return names | {label.slug: label.name for label in found.truths.scope.labels}


def _people(truths, place, names):
    value, task = truths.value[place], truths.scope.project.task
    if (value == MISSING).any():
        return ""
    slugs = [label.slug for label in truths.scope.labels]
    chosen = [slugs[i] for i in (np.flatnonzero(value == 1) if value.ndim else [int(value)])]
    return truths.scope.project.in_words(task.value(chosen, truths.scope.rules), names)


def doubtful(truths: Truths, machine: MachineAnnotator) -> tuple[list[str], int]:
    """The names of labels whose rule the machine's edition words otherwise than that by which
    people answered, and how many settled answers hold one of them; none where only wording lies
    between the two editions."""
    edition, theirs = truths.scope.edition, machine.codebook
    if theirs in alike(edition):
        return [], 0
    changed = outdated(truths.scope.rules, theirs.rules())
    labels = [label.slug for label in truths.scope.labels]
    names = [label.name for label in truths.scope.labels if label.slug in changed]
    places = [labels.index(slug) for slug in changed]
    value = truths.value
    held = np.isin(value, places) if value.ndim == 1 else (value[:, places] == 1).any(axis=1)
    return names, int((held & truths.known).sum())


def usual_judge(machines: list[MachineAnnotator], answered: list[Codebook]) -> Codebook | None:
    """The edition that people's answers are read by unless said: the newest by which they did
    (`answered`, newest first) that neither machine's rules are older than."""
    newest = max(machine.codebook.number for machine in machines)
    readable = [book for book in answered if book.number <= newest] or answered
    return readable[0] if readable else None


@lru_cache(maxsize=256)
def power(n: int, points: float, disagreement: float, alpha: float = ALPHA) -> Power:
    """What n judged samples could show of a gain of so many points, and how many it would take."""
    return planned_power(n, points / 100, disagreement, alpha, WANTED)


@lru_cache(maxsize=256)
def chance_to_see(n: int, points: float, disagreement: float, alpha: float = ALPHA) -> float:
    """The power of n samples alone; the gain must not be larger than the disagreement."""
    gain = points / 100
    return mcnemar_power(n, (disagreement + gain) / 2, (disagreement - gain) / 2, alpha)
