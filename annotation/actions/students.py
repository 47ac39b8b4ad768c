"""Students: what people's answers teach about a machine's labels, written down as suggestions.

A student says for every sample which label to release and how likely people would agree. It is a
machine annotator like any other, frozen with the answers that it learned from, so that what it
says is fixed before an audit judges it.
"""

import hashlib
import json
import threading
import time
from collections.abc import Iterator

import numpy as np
from django.db import transaction
from django.db.models import BigIntegerField, Exists, Max, OuterRef, QuerySet
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotation.actions.features import make_features
from annotation.arrays_codes import Moment
from annotation.arrays_learning import lessons, people_taught
from annotation.models import Adjudication, Annotation, Codebook, MachineAnnotator, Suggestion
from synthlab.science import uncertainty
from synthlab.science.learning.errors import FEWEST_ANSWERS, Learned
from synthlab.science.selection.expected_error import ExpectedError

TECHNIQUE = "student"
MODEL = "error model and corrector"
VERSION = 1  # a changed algorithm gets a new number
SEED = 0
CHUNK = 250
# One at a time in a process; two processes that write the same student write the same rows.
_at_work = threading.Lock()


class CannotLearn(ValueError):
    """There is nothing to learn from yet; the message says what to do first."""


def start_student(machine: MachineAnnotator) -> MachineAnnotator:
    """Freeze a student of this machine and all that people have answered so far.

    The worker writes what it says. Asked twice between two answers it is one student. Raises
    CannotLearn.
    """
    _check(machine)
    read = _readable(machine)
    fields = {
        "kind": MachineAnnotator.Kind.STUDENT,
        "model": MODEL,
        "technique": TECHNIQUE,
        "technique_version": VERSION,
        "decoding": {
            "base": machine.pk,
            "answers": people_taught(machine, machine.codebook),
            "until": _until(machine),
            "seed": SEED,
            "last": read.aggregate(last=Max("sample"))["last"],
        },
    }
    plain = json.dumps(fields | {"codebook": machine.codebook_id}, sort_keys=True)
    return MachineAnnotator.objects.get_or_create(
        project=machine.project,
        fingerprint=hashlib.sha256(plain.encode()).hexdigest(),
        defaults={"name": _name(machine, fields), "codebook": machine.codebook, **fields},
    )[0]


def _check(machine):
    if machine.kind == MachineAnnotator.Kind.STUDENT:
        raise CannotLearn(_("This is a student: let a new one learn from the machine it knows."))
    if machine.codebook.state != Codebook.State.PUBLISHED:
        raise CannotLearn(_("This machine follows a draft: publish the edition first."))
    if machine.project.task.multiple:
        raise CannotLearn(_("Students are for projects in which a sample has one label."))
    if not _readable(machine).exists():
        raise CannotLearn(_("This machine has not labelled anything yet: start a label run."))
    answers = people_taught(machine, machine.codebook)
    if answers < FEWEST_ANSWERS:
        raise CannotLearn(
            ngettext(
                "People have answered %(n)d sample under this edition; it takes %(least)d.",
                "People have answered %(n)d samples under this edition; it takes %(least)d.",
                answers,
            )
            % {"n": answers, "least": FEWEST_ANSWERS}
        )


def _readable(machine) -> QuerySet[Suggestion]:
    """What the machine said that is a label of its edition: "unsure" teaches and gives nothing."""
    return machine.suggestions.filter(code__in=machine.codebook.rules().slugs)


def _until(machine) -> dict[str, int]:
    def newest(rows) -> int:
        return rows.aggregate(newest=Max("pk"))["newest"] or 0

    return {
        "annotation": newest(Annotation.objects.filter(project=machine.project)),
        "adjudication": newest(Adjudication.objects.filter(project=machine.project)),
        "suggestion": newest(machine.suggestions),
    }


def _name(machine, fields):
    answers = fields["decoding"]["answers"]
    name = _("Student of %(machine)s · %(n)d answers")
    return (name % {"machine": machine.name[:150], "n": answers})[:200]


def work_on_due() -> bool:
    """Write what the oldest student says that has not said everything; False: none is due.

    Begun anew after a death it says the same: answers that came since are not read, and what is
    written already stays.
    """
    if not _at_work.acquire(blocking=False):
        return False
    try:
        student = _due()
        if student is not None:
            _write(student)
        return student is not None
    finally:
        _at_work.release()


def _due() -> MachineAnnotator | None:
    said = Suggestion.objects.filter(machine=OuterRef("pk"), sample=OuterRef("last"))
    students = MachineAnnotator.objects.filter(kind=MachineAnnotator.Kind.STUDENT)
    due = students.annotate(last=Cast(KT("decoding__last"), BigIntegerField()))
    return due.filter(~Exists(said)).select_related("project", "codebook").order_by("pk").first()


def _write(student):
    make_features(student.project)
    base = MachineAnnotator.objects.select_related("project").get(pk=student.decoding["base"])
    until = Moment(**student.decoding["until"])
    read = _readable(base).filter(pk__lte=until.suggestion, sample__lte=student.decoding["last"])
    frame = np.array(read.order_by("sample").values_list("sample", flat=True), dtype=np.int64)
    taught = lessons(base, student.codebook, frame, until=until)
    rng = np.random.default_rng(student.decoding["seed"])
    learned = ExpectedError(correct=True).predict(taught.pool, rng)
    slugs = [label.slug for label in taught.labels]
    rows = taught.rows_of(frame)
    written = set(student.suggestions.values_list("sample", flat=True))
    for some in _chunks([row for row in rows if int(taught.samples[row]) not in written]):
        began = time.monotonic()
        with transaction.atomic():
            Suggestion.objects.bulk_create(
                _suggestions(student, taught, learned, np.array(some), slugs),
                ignore_conflicts=True,
            )
        time.sleep(time.monotonic() - began)  # so that answers are never kept waiting


def _chunks(rows: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]


def _suggestions(student, taught, learned: Learned, rows, slugs):
    """The label to release, and the chance that people agree; the rest is shared out as the
    machine would."""
    beliefs = _beliefs(taught.pool.probabilities[rows], learned.labels[rows], learned.error[rows])
    entropy, margin = uncertainty.entropy(beliefs), uncertainty.margin(beliefs)
    task, rules = student.project.task, student.codebook.rules()
    for at, row in enumerate(rows):
        value = task.value([slugs[learned.labels[row]]], rules)
        yield Suggestion(
            machine=student,
            sample_id=int(taught.samples[row]),
            value=value,
            code=task.code(value),
            probabilities={slug: float(beliefs[at, n]) for n, slug in enumerate(slugs)},
            source=Suggestion.Source.STUDENT,
            confidence=float(1 - learned.error[row]),
            entropy=float(entropy[at]),
            margin=float(margin[at]),
        )


def _beliefs(probabilities, labels, error):
    """(rows, labels): 1 - error for the label to release; rows add up to 1."""
    rows, count = probabilities.shape
    others = np.where(np.isnan(probabilities).any(axis=1, keepdims=True), 1.0, probabilities)
    others = others + 1e-12  # where the machine saw no other label, all are alike
    others[np.arange(rows), labels] = 0
    total = others.sum(axis=1, keepdims=True)
    shares = others / np.where(total > 0, total, 1) * error[:, None]
    shares[np.arange(rows), labels] = 1 - error if count > 1 else 1.0
    return shares
