"""Everything that people and a machine said about some samples, grouped by sample."""

from collections import defaultdict
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

from django.db import models
from django.db.models.functions import Cast

from annotation.exports.facts import Facts
from annotation.exports.final import Answer
from annotation.models import Adjudication, Annotation, MachineAnnotator, RoundItem, Suggestion
from synthlab.failpoints import mutated

Row = dict[str, Any]
# What is taken over as it is; the other columns are named where they are used.
SUGGESTED = (
    *("probabilities", "confidence", "entropy", "margin", "covered_mass", "source"),
    "rationale",
)
ANSWERED = ("blind", "seconds", "flag", "comment", "extra", "late")
BY_A_PERSON = (
    *("pk", "sample_id", "codebook_id", "said", "code", "supersedes_id", "created_at"),
    "round_item__round_id",
)
DRAWN = ("stratum", "rank", "score", "inclusion")


def hour(moment: datetime) -> str:
    """Rounded down, so that nobody is recognised by when they work."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return f"{moment.year:04d}-{moment.month:02d}-{moment.day:02d}T{moment.hour:02d}:00Z"


class Said:
    """Four queries, in the order of the ids, up to the marks of the moment.

    `answers` are the current ones that vote: an extra answer, which nobody asked for, does not.
    """

    def __init__(self, facts: Facts, samples: models.QuerySet) -> None:
        # As part of other queries it goes where they go.
        self.facts, self.samples = facts, samples.using(None).values("pk")
        self.suggestions: dict[int, Row] = {}
        self.before: dict[int, Any] = {}  # the machine's label where its student gave another
        self.annotations: dict[int, list[Row]] = defaultdict(list)
        self.adjudications: dict[int, list[Row]] = defaultdict(list)
        self.rounds: dict[int, list[Row]] = defaultdict(list)
        self.answers: dict[int, list[Answer]] = defaultdict(list)
        self.settled: dict[int, list[Answer]] = defaultdict(list)
        self.flagged: set[int] = set()
        if facts.machine:
            self._read_suggestions(facts.machine)
        self._read_annotations()
        self._read_adjudications()
        self._read_rounds()

    def _found(self, model, mark: int, *columns: str, **conditions):
        """In the order of the ids, up to the mark; sorted and cut here, because databases would
        rather walk the whole table by its id than look up a thousand samples."""
        rows = model.objects.using(self.facts.using).filter(sample__in=self.samples, **conditions)
        # As text, so that each different answer is read once.
        rows = rows.annotate(said=Cast("value", models.TextField()))
        found = rows.values_list(*columns, named=True)
        if not mutated("no_moment"):
            found = [row for row in found if row.pk <= mark]
        return sorted(found, key=attrgetter("pk"))

    def _read_suggestions(self, machine) -> None:
        about = {
            "machine": machine.name,
            "machine_id": machine.pk,
            "model": machine.model,
            "technique": machine.technique,
            "technique_version": machine.technique_version,
            "edition": machine.codebook.number,
        }
        mark = self.facts.marks.suggestions
        columns = (*SUGGESTED, "pk", "sample_id", "said")
        for row in self._found(Suggestion, mark, *columns, machine=machine):
            taken = dict(zip(SUGGESTED, row, strict=False))
            label = self.facts.label(row.said)
            self.suggestions[row.sample_id] = {"label": label, **taken, **about}
        if machine.kind == MachineAnnotator.Kind.STUDENT:
            self._read_what_was_corrected(machine.decoding["base"], mark)

    def _read_what_was_corrected(self, base: int, mark: int) -> None:
        for row in self._found(Suggestion, mark, "pk", "sample_id", "said", machine=base):
            label = self.facts.label(row.said)
            if label != self.suggestions.get(row.sample_id, {}).get("label", label):
                self.before[row.sample_id] = label

    def _read_annotations(self) -> None:
        facts = self.facts
        columns = (*ANSWERED, *BY_A_PERSON, "annotator_id", "suggestion__machine_id")
        found = self._found(Annotation, facts.marks.annotations, *columns)
        superseded = {row.supersedes_id for row in found}
        for row in found:
            current = row.pk not in superseded
            answer = self._answer(row, row.annotator_id)
            self.annotations[row.sample_id].append(
                {
                    "annotation_id": row.pk,
                    "annotator": facts.people[row.annotator_id],
                    "label": answer.label,
                    "edition": answer.edition,
                    "round": row.round_item__round_id,
                    **dict(zip(ANSWERED, row, strict=False)),
                    "saw_machine": row.suggestion__machine_id,
                    "current": current,
                    "created": hour(row.created_at),
                }
            )
            if current and row.flag:
                self.flagged.add(row.sample_id)
            if current and not row.extra:
                self.answers[row.sample_id].append(answer)

    def _read_adjudications(self) -> None:
        facts = self.facts
        columns = (*BY_A_PERSON, "adjudicator_id", "reason")
        found = self._found(Adjudication, facts.marks.adjudications, *columns)
        superseded = {row.supersedes_id for row in found}
        for row in found:
            current = row.pk not in superseded
            answer = self._answer(row, row.adjudicator_id)
            self.adjudications[row.sample_id].append(
                {
                    "adjudication_id": row.pk,
                    "adjudicator": facts.people[row.adjudicator_id],
                    "label": answer.label,
                    "reason": row.reason,
                    "edition": answer.edition,
                    "round": row.round_item__round_id,
                    "current": current,
                    "created": hour(row.created_at),
                }
            )
            if current:
                self.settled[row.sample_id].append(answer)

    def _answer(self, row, who: int) -> Answer:
        edition = self.facts.editions[row.codebook_id].number
        meaning = self.facts.meanings[row.codebook_id]
        return Answer(who, row.code, self.facts.label(row.said), edition, meaning)

    def _read_rounds(self) -> None:
        items = RoundItem.objects.using(self.facts.using).filter(sample__in=self.samples)
        columns = (*DRAWN, "sample_id", "round_id")
        found = items.values_list(*columns, named=True)
        for row in sorted(found, key=attrgetter("round_id")):
            round_ = self.facts.rounds.get(row.round_id)
            if round_ is not None:  # not one that is being drawn, or opened after the moment
                about = {"purpose": round_.purpose, "strategy": round_.strategy}
                taken = dict(zip(DRAWN, row, strict=False))
                self.rounds[row.sample_id].append({"round": row.round_id, **about, **taken})
