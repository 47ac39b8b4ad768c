"""Writing what was read: one line a sample, one line a refused row, and a summary at the end."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from annotation.imports.contracts import Options
from annotation.imports.detect import detect
from annotation.imports.guess import guess
from annotation.imports.limits import Limits
from annotation.imports.mapping import Mapping, apply, check_mapping
from annotation.imports.read import read
from annotation.imports.reasons import Refused, Row, RowFault, gettext_noop, refused
from synthlab.science.text import content_hash

SAMPLES, REFUSED, SUMMARY = "samples.jsonl", "refused.jsonl", "summary.json"
SHOWN = 20  # rows of a preview
GUESSED_FROM = 200
SHOWN_CHARACTERS = 1000  # of a cell in a preview
TICK = 0.25  # seconds between two reports of progress
MOST_REFERENCES = 20_000  # different ones; a column with more holds no labels
LONGEST_REFERENCE = 200  # characters that are counted; no label has more

SAME_ID = gettext_noop(
    "The id “%(id)s” stands in row %(row)s too, with another text. Give each sample its own id."
)
_write = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def preview(path: Path, name: str, options: Options, limits: Limits) -> dict[str, Any]:
    """The first rows, how the file is read, and a proposal for the roles of its columns."""
    found = detect(path, name, options, limits)
    first: list[Row] = []
    bad: list[Refused] = []
    for row in read(path, found, limits):
        if isinstance(row, Row):
            first.append(row)
        elif len(bad) < SHOWN:
            bad.append(row)
        if len(first) + len(bad) >= GUESSED_FROM:
            break
    return {
        "detection": asdict(found),
        "rows": [
            [row.number, {k: _shown(v) for k, v in row.values.items()}] for row in first[:SHOWN]
        ],
        "refused": [_refused_line(row) for row in bad],
        "mapping": asdict(guess(found.columns, first)),
    }


def stage(
    path: Path,
    name: str,
    options: Options,
    mapping: Mapping,
    limits: Limits,
    directory: Path,
    progress: Callable[[int], None],
) -> dict[str, Any]:
    """Write the three files into the directory; the summary comes last and makes them valid."""
    found = detect(path, name, options, limits)
    check_mapping(mapping, found.columns)
    (directory / SUMMARY).unlink(missing_ok=True)
    parts = {name: directory / f"{name}.part" for name in (SAMPLES, REFUSED, SUMMARY)}
    try:
        with (
            parts[SAMPLES].open("w", encoding="utf-8", buffering=1 << 20) as samples,
            parts[REFUSED].open("w", encoding="utf-8") as report,
        ):
            counts = _Stager(samples, report, mapping, progress).run(read(path, found, limits))
            for file in (samples, report):
                file.flush()
                os.fsync(file.fileno())
        summary = {"detection": asdict(found), "mapping": asdict(mapping), **counts}
        parts[SUMMARY].write_text(_write(summary), encoding="utf-8")
        for name, part in parts.items():
            part.replace(directory / name)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    return summary


class _Stager:
    """Turns rows into lines and counts them."""

    def __init__(self, samples: TextIO, report: TextIO, mapping: Mapping, progress) -> None:
        self.samples, self.report, self.mapping, self.progress = samples, report, mapping, progress
        self.seen: dict[bytes, int] = {}  # content -> the row it stands in first
        self.ids: dict[str, bytes] = {}
        self.references: Counter[str | tuple[str, ...]] = Counter()
        self.rows = self.good = self.bad = self.duplicates = 0

    def run(self, rows) -> dict[str, int]:
        due = time.monotonic() + TICK
        for row in rows:
            self.rows += 1
            if type(row) is Row:
                self._row(row)
            else:
                self._refuse(row)
            if self.rows % 512 == 0 and time.monotonic() > due:
                self.progress(self.rows)
                due = time.monotonic() + TICK
        self.progress(self.rows)
        return {
            "rows": self.rows,
            "good": self.good,
            "refused": self.bad,
            "duplicates": self.duplicates,
            "references": self._references(),
        }

    def _row(self, row: Row) -> None:
        sample = apply(row, self.mapping)
        if isinstance(sample, Refused):
            self._refuse(sample)
            return
        written = content_hash(sample.fields)
        digest = bytes.fromhex(written)[:16]
        if sample.external_id:
            other = self.ids.setdefault(sample.external_id, digest)
            if other != digest:
                fault = RowFault(SAME_ID, id=sample.external_id, row=f"{self.seen[other]:,}")
                self._refuse(refused(row.number, fault, row.values))
                return
        first = self.seen.setdefault(digest, row.number)
        line = {
            "row": row.number,
            "hash": written,
            "id": sample.external_id,
            "fields": sample.fields,
            "meta": sample.meta,
            "reference": sample.reference,
            "split": sample.split,
            "repeats": first if first != row.number else None,
        }
        self.samples.write(_write(line) + "\n")
        self.good += 1
        self.duplicates += first != row.number
        if sample.reference is not None and len(self.references) <= MOST_REFERENCES:
            self._count(sample.reference)

    def _count(self, reference: str | list[str]) -> None:
        if isinstance(reference, str):
            self.references[reference[:LONGEST_REFERENCE]] += 1
        else:
            self.references[tuple(part[:LONGEST_REFERENCE] for part in reference)] += 1

    def _references(self) -> list[tuple[str | tuple[str, ...], int]] | None:
        """How many good rows have which reference, most first; None for too many different."""
        most = len(self.references) > MOST_REFERENCES
        return None if most else self.references.most_common()

    def _refuse(self, row: Refused) -> None:
        self.report.write(_write(_refused_line(row)) + "\n")
        self.bad += 1


def _refused_line(row: Refused) -> dict[str, Any]:
    reason = row.reason
    return {
        "row": row.number,
        "reason": str(reason),
        "template": reason.template,
        "params": reason.params,
        "excerpt": row.excerpt,
    }


def _shown(value: Any) -> Any:
    """A cell as a preview shows it: whole, or its beginning."""
    if isinstance(value, dict | list):
        value = _write(value)
    if isinstance(value, str) and len(value) > SHOWN_CHARACTERS:
        return value[:SHOWN_CHARACTERS] + "…"
    return value
