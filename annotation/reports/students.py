"""What a student has learned, and the students of a machine."""

from dataclasses import dataclass

from django.db.models import Count, F, OuterRef, Q, Subquery

from annotation.models import MachineAnnotator, Suggestion


@dataclass(frozen=True)
class Student:
    """A student beside the machine that it learned from."""

    base: MachineAnnotator
    answers: int  # samples with people's answers that it learned from
    said: int
    size: int  # samples that it will say something about
    corrected: int  # labels that are not the machine's

    @property
    def is_done(self) -> bool:
        return self.said >= self.size


def student_of(machine: MachineAnnotator) -> Student | None:
    """None for a machine that was asked itself. Two queries."""
    if machine.kind != MachineAnnotator.Kind.STUDENT:
        return None
    base = MachineAnnotator.objects.get(pk=machine.decoding["base"])
    given = Suggestion.objects.filter(machine=base, sample=OuterRef("sample")).values("code")[:1]
    counted = machine.suggestions.annotate(before=Subquery(given)).aggregate(
        said=Count("pk"), corrected=Count("pk", filter=~Q(code=F("before")))
    )
    known = base.suggestions.filter(
        code__in=machine.codebook.rules().slugs,
        pk__lte=machine.decoding["until"]["suggestion"],
    )
    return Student(base, machine.decoding["answers"], size=known.count(), **counted)


def students_of(machine: MachineAnnotator) -> list[MachineAnnotator]:
    """The newest first."""
    students = machine.project.machines.filter(kind=MachineAnnotator.Kind.STUDENT)
    return list(students.filter(decoding__base=machine.pk).order_by("-pk"))
