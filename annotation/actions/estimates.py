"""Keeping figures with all that is needed to compute them again, and computing them again."""

import uuid
from dataclasses import dataclass, replace

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from annotation.arrays_agreement import judgements
from annotation.arrays_codes import Moment, Scope
from annotation.models import (
    Adjudication,
    Annotation,
    Estimate,
    MachineAnnotator,
    Project,
    Round,
    Suggestion,
    User,
)
from annotation.reports import estimates as reports
from annotation.reports.scope import scope_of


class NothingToKeep(ValueError):
    """There is no figure yet; the message says what to do first."""


@dataclass(frozen=True)
class Recomputed:
    """What came of computing the figures of a batch again."""

    figures: int
    changed: tuple[str, ...]  # names of figures whose bytes differ
    same_inputs: bool  # what was read has the hash that it had
    same_code: bool

    @property
    def same(self) -> bool:
        return not self.changed


def keep(scope: Scope, created_by: User | None = None) -> list[Estimate]:
    """Keep every figure of the agreement page as it is now. Raises NothingToKeep."""
    if not scope.rounds:
        raise NothingToKeep(_("There is nothing to keep yet: draw a round and let people answer."))
    scope = replace(scope, until=_now(scope.project, scope.machine))
    read = judgements(scope)
    shared = {
        "project": scope.project,
        "codebook": scope.edition,
        "machine": scope.machine,
        "batch": uuid.uuid4(),
        "options": reports.options_of(read),
        "inputs": _inputs(scope, reports.hash_of_read(read)),
        "code_version": reports.code_version(),
        "created_by": created_by,
    }
    rows = [
        Estimate(**shared, **kept._asdict(), result_hash=reports.hash_of_result(kept.result))
        for kept in reports.figures_of(read)
    ]
    with transaction.atomic():
        return Estimate.objects.bulk_create(rows, batch_size=250)


def _now(project: Project, machine: MachineAnnotator | None) -> Moment:
    """The newest rows of each table, so that later ones are known to be later."""
    return Moment(
        annotation=_newest(Annotation.objects.filter(project=project)),
        adjudication=_newest(Adjudication.objects.filter(project=project)),
        suggestion=_newest(Suggestion.objects.filter(machine=machine)),
    )


def _newest(rows) -> int:
    return rows.aggregate(newest=Max("pk"))["newest"] or 0


def _inputs(scope, mark):
    assert scope.until is not None
    return {
        "rounds": [round_.pk for round_ in scope.rounds],
        "edition": scope.edition.number,
        "machine": scope.machine.fingerprint if scope.machine else None,
        "until": vars(scope.until),
        "read": mark,
    }


def recompute(estimate: Estimate) -> Recomputed:
    """Compute all figures of its batch again from what they were computed from.

    Annotations, adjudications, suggestions and draws are only ever added to, so that their state
    at the moment can be read again. A figure is the same when its canonical bytes are.
    """
    batch = Estimate.objects.filter(batch=estimate.batch)
    stored = {kept.figure: kept for kept in batch.order_by("pk")}
    read = judgements(_scope_then(estimate))
    found = {kept.figure: kept for kept in reports.figures_of(read)}
    changed = [
        name
        for name in [*stored, *(found.keys() - stored.keys())]
        if name not in found or name not in stored or not _alike(stored[name], found[name])
    ]
    return Recomputed(
        figures=len(stored),
        changed=tuple(changed),
        same_inputs=reports.hash_of_read(read) == estimate.inputs["read"],
        same_code=reports.code_version() == estimate.code_version,
    )


def _alike(stored, found):
    """The stored hash decides; that it is the stored result's own is looked at too."""
    said = reports.hash_of_result(stored.result)
    computed = reports.hash_of_result(found.result)
    return said == computed == stored.result_hash and stored.method == found.method


def _scope_then(estimate):
    inputs = estimate.inputs
    rounds = Round.objects.filter(project=estimate.project_id, pk__in=inputs["rounds"])
    scope = scope_of(
        estimate.project, estimate.codebook, list(rounds.order_by("pk")), estimate.machine
    )
    return replace(scope, until=Moment(**inputs["until"]))
