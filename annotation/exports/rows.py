"""One row for each sample, in order of the samples' ids, read a chunk at a time.

A chunk takes five queries, whatever is in it; nothing is read by OFFSET, so that the last chunk
costs what the first did.
"""

from collections.abc import Iterator

from django.db import models
from django.db.models.functions import Cast

from annotation.exports.facts import Facts
from annotation.exports.final import CORRECTED, MODEL, Final, decide
from annotation.exports.said import Row, Said, hour

CHUNK = 1000
COLUMNS = (
    *("pk", "external_id", "fields", "meta", "origin", "split", "referred"),
    *("sample_import_id", "created_at"),
)


def chunks(facts: Facts) -> Iterator[tuple[int, list[Row]]]:
    """How many samples were looked at, and the rows of those that are wanted."""
    referred = Cast("reference", models.TextField())
    last = 0
    while found := list(
        facts.samples(last)
        .annotate(referred=referred)
        .order_by("pk")
        .values_list(*COLUMNS, named=True)[:CHUNK]
    ):
        said = Said(facts, facts.samples(last, found[-1].pk))
        last = found[-1].pk
        rows = [_row(facts, said, sample) for sample in found]
        if facts.wanted.only_final:
            rows = [row for row in rows if row["final_label"] is not None]
        yield len(found), rows


def _of_the_machine(facts: Facts, said: Said, pk: int) -> Final:
    """Its label; where a student gave another, that one, unless corrections are switched off."""
    suggestion = said.suggestions[pk]
    if pk not in said.before:
        return Final(suggestion["label"], MODEL, suggestion["edition"])
    if facts.wanted.corrected:
        return Final(suggestion["label"], CORRECTED, suggestion["edition"])
    return Final(said.before[pk], MODEL, suggestion["edition"])


def _row(facts: Facts, said: Said, sample) -> Row:
    pk = sample.pk
    suggestion = said.suggestions.get(pk)
    machine = Final()
    if suggestion is not None:
        machine = _of_the_machine(facts, said, pk)
    final = decide(said.settled.get(pk, []), said.answers.get(pk, []), machine)
    came = facts.imports.get(sample.sample_import_id)
    row = {"id": sample.external_id or f"sample-{pk}", "sample_id": pk}
    for name, text in sample.fields.items():
        row[facts.fields[name]] = text
    return row | {
        "final_label": final.label,
        "final_source": final.source,
        "final_edition": final.edition,
        "final_votes": final.votes,
        "final_voters": final.voters,
        "reference": None if sample.referred is None else facts.label(sample.referred),
        "split": sample.split,
        "origin": sample.origin,
        "flagged": pk in said.flagged,
        "suggestion": suggestion,
        "annotations": said.annotations.get(pk, []),
        "adjudications": said.adjudications.get(pk, []),
        "rounds": said.rounds.get(pk, []),
        "meta": sample.meta,
        "import_file": came.file_name if came else None,
        "import_hash": came.file_hash if came else None,
        "created": hour(sample.created_at),
    }
