"""What an export is: written beside the file, and enough to write the same bytes again."""

from collections import Counter
from dataclasses import asdict
from datetime import datetime
from typing import Any

from annotation.exports.columns import CELLS, GUARDED, RAW, flat, nested
from annotation.exports.facts import Facts
from annotation.exports.final import SOURCES
from annotation.models import Codebook, Release, Round
from synthlab.version import product_version

TABLES = (Release.Format.CSV, Release.Format.XLSX)
RULE = (
    "An adjudicated answer is final. Else the answer that most people gave last is, among those "
    "who were asked and followed the newest meaning of the rules; a tie is disputed and leaves no "
    "final label. Else the machine's suggestion is; its source is “corrected” where a student, "
    "taught by people's answers, suggests another label than the machine that it learned from."
)


class Tally:
    """Counts what goes into the file, row by row."""

    def __init__(self) -> None:
        self.rows = self.annotations = self.adjudications = 0
        self.sources: Counter[str | None] = Counter()
        self.splits: Counter[str] = Counter()

    def add(self, rows: list[dict[str, Any]]) -> None:
        self.rows += len(rows)
        for row in rows:
            self.sources[row["final_source"]] += 1
            self.splits[row["split"]] += 1
            self.annotations += len(row["annotations"])
            self.adjudications += len(row["adjudications"])

    def counts(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "by_source": {source: self.sources[source] for source in SOURCES}
            | {"none": self.sources[None]},
            "by_split": dict(sorted(self.splits.items())),
            "annotations": self.annotations,
            "adjudications": self.adjudications,
        }


def manifest(facts: Facts, moment: datetime, tally: Tally, files: list[dict]) -> dict[str, Any]:
    wanted = facts.wanted
    columns = flat if wanted.format in TABLES else nested
    raw = wanted.raw or wanted.format != Release.Format.CSV
    return {
        "product": f"SynthLab {product_version()}",
        "project": {
            "id": facts.project.pk,
            "name": facts.project.name,
            "task_type": facts.project.task_type,
            "language": facts.project.language,
        },
        "format": wanted.format,
        "moment": moment.isoformat(),
        "sequence": facts.marks.annotations,
        "files": files,
        "counts": tally.counts(),
        "columns": list(columns(facts.fields)),
        "fields": facts.fields,
        "options": wanted.options(),
        CELLS: RAW if raw else GUARDED,
        "people": "names" if wanted.names else "pseudonyms",
        "times": "rounded down to the hour, UTC",
        "final_label": RULE,
        "editions": [_edition(codebook) for codebook in facts.editions.values()],
        "rounds": [_round(round_, facts) for round_ in facts.rounds.values()],
        "machine": facts.marks.machine,
        "machines": [_machine(machine) for machine in facts.machines.values()],
        "imports": [
            {
                "id": entry.pk,
                "file": entry.file_name,
                "hash": entry.file_hash,
                "rows_read": entry.rows_read,
                "rows_refused": entry.rows_refused,
            }
            for entry in facts.imports.values()
        ],
        "marks": asdict(facts.marks),
    }


def _edition(codebook: Codebook) -> dict[str, Any]:
    labels = ("slug", "name", "definition", "include", "exclude", "examples", "key", "number")
    return {
        "edition": codebook.number,
        "change": codebook.change,
        "change_note": codebook.change_note,
        "published": codebook.published_at.isoformat() if codebook.published_at else None,
        "question": codebook.question,
        "instructions": codebook.instructions,
        "unsure": codebook.unsure,
        "unsure_policy": codebook.unsure_policy,
        "labels": [
            {name: getattr(label, name) for name in labels} for label in codebook.labels.all()
        ],
        "removed": codebook.removed,
    }


def _round(round_: Round, facts: Facts) -> dict[str, Any]:
    names = ("name", "purpose", "strategy", "parameters", "frame", "overlap", "blind", "seed")
    edition = facts.editions[round_.codebook_id].number
    described = {name: getattr(round_, name) for name in names}
    machine = round_.machine_id
    return {"id": round_.pk, **described, "edition": edition, "machine": machine}


def _machine(machine) -> dict[str, Any]:
    names = ("name", "kind", "model", "technique", "technique_version", "decoding", "fingerprint")
    described = {name: getattr(machine, name) for name in names}
    return {"id": machine.pk, **described, "edition": machine.codebook.number}
