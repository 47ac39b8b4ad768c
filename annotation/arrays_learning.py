"""What a student can learn from: the machine's beliefs, the texts, and what people said so far."""

from dataclasses import dataclass

import numpy as np
from django.db.models import Q

from annotation.arrays_codes import Coder, Moment
from annotation.arrays_features import stored_features
from annotation.arrays_votes import votes_of
from annotation.filters import SampleFilter
from annotation.models import Adjudication, Annotation, Sample, Suggestion
from annotation.reports.scope import alike, scope_of
from annotation.task_types.base import LabelRule
from synthlab.science.selection.base import Pool

CHUNK = 10_000
NOBODY = -1


@dataclass(frozen=True)
class Lessons:
    """The frame of a draw together with all that people have answered elsewhere in the pool."""

    samples: np.ndarray  # ids, ascending
    pool: Pool  # aligned with them: answers, probabilities, confidence, features, known
    newest_answer: int | None  # the newest answer that was read
    labels: tuple[LabelRule, ...]  # what the codes stand for

    @property
    def answered(self) -> int:
        assert self.pool.known is not None
        return int((self.pool.known != NOBODY).sum())

    def rows_of(self, samples: np.ndarray) -> np.ndarray:
        """Where these samples are."""
        return np.searchsorted(self.samples, samples)


def lessons(
    machine, codebook, frame: np.ndarray, *, texts: bool = True, until: Moment | None = None
) -> Lessons:
    """All that a student needs, for a project in which a sample has one label.

    People's word is the adjudication, else what most of them say now under this edition or one
    that differs in wording only; where as many say something else, nothing is known. With `until`
    it is all as it was at that moment.
    Raises NoFeatures where the texts' vectors are asked for and not computed yet.
    """
    scope = scope_of(machine.project, codebook, [], machine)
    coder, editions = Coder(scope), [book.pk for book in alike(codebook)]
    said = _said_by_people(machine.project, editions, until)
    samples = np.union1d(frame, np.array(list(said), dtype=np.int64))
    known = np.full(len(samples), NOBODY)
    codes = coder.numbers(list(said.values())) if said else np.empty(0, dtype=np.int64)
    places = np.searchsorted(samples, np.array(list(said), dtype=np.int64))
    known[places] = np.where(codes < 0, NOBODY, codes)
    newest = Annotation.objects.filter(project=machine.project).order_by("-pk")
    newest = newest.filter(pk__lte=until.annotation) if until else newest
    return Lessons(
        samples,
        Pool(
            size=len(samples),
            known=known,
            features=stored_features(machine.project, samples) if texts else None,
            **_said_by(machine, samples, coder, until),
            votes=votes_of(machine.pk, samples, coder.slugs, until.suggestion if until else None),
        ),
        newest.values_list("pk", flat=True).first(),
        scope.labels,
    )


def people_taught(machine, codebook) -> int:
    """On how many samples of the pool people agree under this edition, with a label of it."""
    said = _said_by_people(machine.project, [book.pk for book in alike(codebook)], None)
    slugs = set(codebook.rules().slugs)
    return sum(code in slugs for code in said.values())


def _said_by_people(project, editions, until: Moment | None) -> dict[int, str]:
    """One code for each sample of the pool that people agree on; "" never, for it is no label."""
    in_pool = Q(sample__project=project, sample__split=Sample.Split.POOL)
    now = until.annotation if until else None
    answers = Annotation.objects.current(now).filter(in_pool, codebook__in=editions, extra=False)
    votes: dict[int, dict[str, int]] = {}
    for sample, code in answers.values_list("sample", "code").iterator(chunk_size=CHUNK):
        of_sample = votes.setdefault(sample, {})
        of_sample[code] = of_sample.get(code, 0) + 1
    said = {}
    for sample, counts in votes.items():
        first, *others = sorted(counts.items(), key=lambda pair: -pair[1])
        if first[0] and (not others or others[0][1] < first[1]):
            said[sample] = first[0]
    standing = Adjudication.objects.standing(until.adjudication if until else None)
    settled = standing.filter(in_pool, codebook__in=editions).order_by("pk")
    said.update({sample: code for sample, code in settled.values_list("sample", "code") if code})
    return said


def _said_by(machine, samples, coder, until) -> dict[str, np.ndarray]:
    """The machine's labels, beliefs and confidence; -1 and NaN where it said nothing."""
    answers = np.full(len(samples), NOBODY)
    confidence = np.full(len(samples), np.nan)
    beliefs = np.full((len(samples), len(coder.slugs)), np.nan)
    rows = Suggestion.objects.filter(machine=machine).order_by("sample")
    rows = rows.filter(pk__lte=until.suggestion) if until else rows
    columns = rows.values_list("sample", "code", "confidence", "probabilities")
    place = {slug: index for index, slug in enumerate(coder.slugs)}
    for sample, code, sure, probabilities in columns.iterator(chunk_size=CHUNK):
        row = int(np.searchsorted(samples, sample))
        if row == len(samples) or samples[row] != sample:
            continue
        answers[row] = place.get(code, NOBODY)
        confidence[row] = np.nan if sure is None else sure
        if set(probabilities) == set(place):
            beliefs[row] = [probabilities[slug] for slug in coder.slugs]
    return {"answers": answers, "confidence": confidence, "probabilities": beliefs}


def learns_from_people(project, which: SampleFilter) -> bool:
    """Has anybody answered, and a machine too, so that there is something to learn?"""
    answered = Annotation.objects.filter(project=project).exists()
    return which.machine is not None and answered and not project.task.multiple
