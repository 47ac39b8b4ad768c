"""What people's labels have put right so far, in the order in which they were given."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db.models import Q

from annotation.arrays import CHUNK
from annotation.arrays_certificate import labelled_by_people
from annotation.arrays_codes import Scope
from annotation.models import Adjudication, Annotation, Sample, Suggestion
from annotation.reports.scope import alike


@dataclass(frozen=True)
class Labelled:
    """The pool's samples that people have labelled, in the order in which that was settled."""

    samples: np.ndarray
    at: list[datetime]
    fixed: np.ndarray  # bool: the machine had said something else, or nothing


def labelled_in_order(scope: Scope) -> Labelled:
    """By the newest answer or adjudication that the label rests on."""
    books = [book.pk for book in alike(scope.edition)]
    in_pool = Q(sample__project=scope.project, sample__split=Sample.Split.POOL)
    kept = set(labelled_by_people(scope).tolist())
    votes: dict[int, Counter[str]] = {}
    settled_at: dict[int, datetime] = {}
    said = Annotation.objects.current().filter(in_pool, codebook__in=books, extra=False)
    rows = said.order_by("pk").values_list("sample", "code", "created_at")
    for sample, code, at in rows.iterator(chunk_size=CHUNK):
        votes.setdefault(sample, Counter())[code] += 1
        settled_at[sample] = at
    final = {sample: given.most_common(1)[0][0] for sample, given in votes.items()}
    standing = Adjudication.objects.filter(in_pool, codebook__in=books, superseded_by=None)
    for sample, code, at in standing.order_by("pk").values_list("sample", "code", "created_at"):
        final[sample], settled_at[sample] = code, at
    machine = _machine_said(scope)
    found = sorted((settled_at[sample], sample) for sample in final if sample in kept)
    return Labelled(
        np.array([sample for _at, sample in found], dtype=np.int64),
        [at for at, _sample in found],
        np.array([machine.get(sample) != final[sample] for _at, sample in found], dtype=bool),
    )


def _machine_said(scope: Scope) -> dict[int, str]:
    """What the machine said of the samples that people were asked about."""
    drawn = Sample.objects.filter(project=scope.project, round_items__isnull=False)
    said = Suggestion.objects.filter(machine=scope.machine, sample__in=drawn.values("pk"))
    return dict(said.values_list("sample", "code").iterator(chunk_size=CHUNK))


def pool_counts(scope: Scope) -> tuple[int, int]:
    """How many samples the pool has, and how many of them the machine has not labelled."""
    pool = Sample.objects.visible().filter(project=scope.project, split=Sample.Split.POOL)
    size = pool.count()
    said = Suggestion.objects.filter(machine=scope.machine, sample__in=pool.values("pk"))
    return size, size - said.count()
