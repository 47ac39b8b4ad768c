"""Which rounds, edition and machine a comparison is about, and what it is about unless said."""

from django.db.models import Exists, OuterRef

from annotation.arrays_codes import Scope
from annotation.models import Codebook, MachineAnnotator, Project, Round, Suggestion


def alike(edition: Codebook) -> list[Codebook]:
    """The published editions under which the same answers are right: only wording lies between."""
    editions = {book.pk: book for book in edition.project.codebooks.published().order_by("number")}
    root = {}
    for book in editions.values():
        reworded = book.change == Codebook.Change.WORDING and book.parent_id in root
        root[book.pk] = root[book.parent_id] if reworded else book.pk
    return [book for book in editions.values() if root[book.pk] == root[edition.pk]]


def rounds_under(edition: Codebook) -> list[Round]:
    """The rounds that followed this edition or one that differs in wording only."""
    begun = edition.project.rounds.begun()
    return list(begun.filter(codebook__in=alike(edition)).order_by("pk"))


def usual_edition(project: Project) -> Codebook | None:
    """The newest edition that a round followed, else the newest."""
    published = project.codebooks.published().order_by("-number")
    begun = project.rounds.begun()
    return published.filter(pk__in=begun.values("codebook")).first() or published.first()


def usual_machine(project: Project) -> MachineAnnotator | None:
    """The newest machine annotator that has labelled anything, and is no student of another."""
    said = Suggestion.objects.filter(machine=OuterRef("pk"))
    return project.machines.standing().asked().filter(Exists(said)).order_by("-pk").first()


def scope_of(
    project: Project,
    edition: Codebook,
    rounds: list[Round],
    machine: MachineAnnotator | None,
) -> Scope:
    edition.project = project
    return Scope(project, edition, edition.rules(), tuple(rounds), machine)
