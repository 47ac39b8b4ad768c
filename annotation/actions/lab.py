"""Looks at the test split: each is a row, so that nobody looks on until chance obliges."""

from annotation.models import (
    Adjudication,
    Annotation,
    Codebook,
    LockedSplit,
    Look,
    MachineAnnotator,
    Suggestion,
    User,
)

TEST = "test "


def subject_of(machines: tuple[MachineAnnotator, MachineAnnotator], edition: Codebook) -> str:
    """What is looked at: two machines, whichever stands first, and how answers are read."""
    first, second = sorted(machine.pk for machine in machines)
    return f"{TEST}{first} {second} by {edition.pk}"


def answers_to(
    locked: LockedSplit, machines: tuple[MachineAnnotator, MachineAnnotator]
) -> tuple[int, int]:
    """How many answers of people and of the machines the split holds. Rows are only ever added,
    so that the same number means the same answers."""
    mine = {"sample__project": locked.project_id, "sample__split": locked.split}
    people = Annotation.objects.filter(**mine).count() + Adjudication.objects.filter(**mine).count()
    return people, Suggestion.objects.filter(machine__in=machines, **mine).count()


def looks_at_test(project):
    """All looks at the project's test split, the first one first."""
    return project.looks.filter(subject__startswith=TEST).order_by("pk")


def has_looked(project, subject: str, answers: int) -> bool:
    return project.looks.filter(subject=subject, answers=answers).exists()


def take_look(project, subject: str, answers: int, user: User) -> Look:
    """Count a look. The same subject with the same answers is the same look."""
    return project.looks.get_or_create(subject=subject, answers=answers, defaults={"user": user})[0]
