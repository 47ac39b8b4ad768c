"""What every row of an export refers to, read once: people, editions, rounds, machines, imports.

And the marks: where the moment ends in tables whose rows are only ever added.
"""

import json
from dataclasses import dataclass
from typing import Any

from django.db import connections, models
from django.utils.crypto import salted_hmac

from annotation.exports.columns import column_of
from annotation.exports.wanted import Wanted
from annotation.models import (
    Adjudication,
    Annotation,
    Codebook,
    MachineAnnotator,
    Membership,
    Project,
    Round,
    Sample,
    SampleImport,
    Suggestion,
    User,
)

FIELD_NAMES = {
    "sqlite": "SELECT DISTINCT k.key FROM ({rows}) s, json_each(s.fields) k",
    "postgresql": "SELECT DISTINCT json_object_keys(s.fields::json) FROM ({rows}) s",
}


@dataclass(frozen=True)
class Marks:
    """The highest ids that belong to the moment, and the rounds and imports that were complete."""

    samples: int
    suggestions: int
    annotations: int  # the sequence number: annotations are numbered in the order they came
    adjudications: int
    rounds: list[int]
    imports: list[int]
    machine: int | None


@dataclass(frozen=True)
class Facts:
    project: Project
    wanted: Wanted
    using: str
    marks: Marks
    machine: MachineAnnotator | None
    machines: dict[int, MachineAnnotator]
    editions: dict[int, Codebook]
    meanings: dict[int, int]  # changes of meaning up to an edition
    rounds: dict[int, Round]
    imports: dict[int, SampleImport]
    people: dict[int, str]
    fields: dict[str, str]  # text field: its column
    total: int  # samples to look at, about: unfinished imports are counted, as an index can tell

    labels: dict[str, Any]  # a stored answer as text: how an export shows it

    def label(self, stored: str) -> Any:
        """A label, or a list of labels. Few different answers are stored many times."""
        if stored not in self.labels:
            task = self.project.task
            slugs = task.slugs(json.loads(stored))
            self.labels[stored] = slugs if task.multiple else slugs[0]
        return self.labels[stored]

    def samples(self, after: int = 0, until: int | None = None) -> models.QuerySet:
        """Between two ids. There is one upper bound only: SQLite uses one, and walks up to it."""
        visible = models.Q(sample_import=None) | models.Q(sample_import__in=self.marks.imports)
        samples = self.wanted.samples(self.project, self.using)
        return samples.filter(visible, pk__gt=after, pk__lte=until or self.marks.samples)


def gather(project: Project, wanted: Wanted, using: str, marks: Marks | None) -> Facts:
    """Without `marks`, those of now."""
    marks = marks or _marks(project, wanted, using)
    machines = MachineAnnotator.objects.using(using).filter(project=project).standing()
    editions = Codebook.objects.using(using).filter(project=project).published()
    rounds = Round.objects.using(using).filter(pk__in=marks.rounds).order_by("pk")
    imports = SampleImport.objects.using(using).filter(pk__in=marks.imports).order_by("pk")
    by_id = {
        codebook.pk: codebook for codebook in editions.prefetch_related("labels").order_by("number")
    }
    named = {machine.pk: machine for machine in machines.select_related("codebook").order_by("pk")}
    facts = Facts(
        project=project,
        wanted=wanted,
        using=using,
        marks=marks,
        machine=named[marks.machine] if marks.machine else None,
        machines=named,
        editions=by_id,
        meanings=_meanings(by_id),
        rounds={round_.pk: round_ for round_ in rounds},
        imports={entry.pk: entry for entry in imports.defer("preview", "mapping")},
        people=_people(project, wanted.names, using),
        fields={},
        total=wanted.samples(project, using).filter(pk__lte=marks.samples).count(),
        labels={},
    )
    facts.fields.update(_fields(facts))
    return facts


def _marks(project: Project, wanted: Wanted, using: str) -> Marks:
    def highest(queryset) -> int:
        return queryset.using(using).aggregate(highest=models.Max("pk"))["highest"] or 0

    rounds = Round.objects.using(using).filter(project=project)
    imports = SampleImport.objects.using(using).filter(project=project)
    return Marks(
        annotations=highest(Annotation.objects.filter(project=project)),
        samples=highest(Sample.objects.filter(project=project)),
        suggestions=highest(Suggestion.objects.all()),
        adjudications=highest(Adjudication.objects.filter(project=project)),
        rounds=sorted(rounds.begun().values_list("pk", flat=True)),
        imports=sorted(imports.filter(state=SampleImport.State.DONE).values_list("pk", flat=True)),
        machine=wanted.machine or _newest_machine(project, using),
    )


def _newest_machine(project: Project, using: str) -> int | None:
    """The newest machine that has answered at all; a student's labels are asked for by name."""
    machines = MachineAnnotator.objects.using(using).filter(project=project).standing().asked()
    answered = machines.filter(
        models.Exists(Suggestion.objects.filter(machine=models.OuterRef("pk")))
    )
    return answered.order_by("-pk").values_list("pk", flat=True).first()


def _meanings(editions: dict[int, Codebook]) -> dict[int, int]:
    """In the order of their numbers, so that a parent comes first."""
    meanings: dict[int, int] = {}
    for pk, codebook in editions.items():
        changed = codebook.change == Codebook.Change.MEANING
        meanings[pk] = meanings.get(codebook.parent_id, 0) + changed
    return meanings


def _people(project: Project, names: bool, using: str) -> dict[int, str]:
    """What to call everyone who answered. Who has left keeps a name that cannot be traced."""
    members = dict(
        Membership.objects.using(using).filter(project=project).values_list("user", "pseudonym")
    )
    found: dict[int, str] = {}
    for pk, username in User.objects.using(using).order_by("pk").values_list("pk", "username"):
        left = salted_hmac("annotation.exports", f"{project.pk}:{pk}").hexdigest()[:8]
        found[pk] = username if names else members.get(pk, f"annotator-{left}")
    return found


def _fields(facts: Facts) -> dict[str, str]:
    """All text fields: those of the first sample in its order, then others by name."""
    samples = facts.samples()
    rows, params = samples.values("fields").query.get_compiler(facts.using).as_sql()
    connection = connections[facts.using]
    with connection.cursor() as cursor:
        cursor.execute(FIELD_NAMES[connection.vendor].format(rows=rows), params)
        names = {name for (name,) in cursor.fetchall()}
    first = samples.order_by("pk").values_list("fields", flat=True).first() or {}
    return {name: column_of(name) for name in [*first, *sorted(names - set(first))]}
