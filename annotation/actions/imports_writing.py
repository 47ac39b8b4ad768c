"""Writing staged rows into the table of samples, a chunk at a time, seen by nobody until the end.

A chunk's rows and how far it came are one transaction, so that a writer that is killed anywhere
is followed by one that goes on behind the last whole chunk. The table is written to by prepared
rows: a model object for each row would take four times as long as the database does.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, BinaryIO

from django.db import connection, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from annotation.actions.imports import labels_of, remove_files, staged_of
from annotation.actions.imports_hold import CHUNK, fail, hold, let_go
from annotation.imports.references import parts_of, shown
from annotation.imports.staging import SAMPLES
from annotation.models import RefusedRow, Sample, SampleImport
from synthlab.failpoints import failpoint, mutated

COLUMNS = (
    *("project_id", "sample_import_id", "external_id", "fields", "text", "meta", "content_hash"),
    *("origin", "split", "reference", "reference_code", "created_at"),
)
CHUNK_BYTES = 4 << 20  # so that rows of a megabyte do not make a transaction of seconds
_written = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_quoted = json.encoder.encode_basestring


def write(held: SampleImport) -> None:
    """Write what is left to be written, then show all of it at once."""
    try:
        with (staged_of(held) / SAMPLES).open("rb") as file:
            file.seek(held.position)
            _write_all(held, file)
    except FileNotFoundError:
        fail(held, _("The rows that were read are no longer on the server. Start again."))
        return
    failpoint("import.written")
    let_go(held, SampleImport.State.DONE, finished_at=now(), error="")
    remove_files(held)


def _write_all(held, file):
    """Rest as long as each transaction took: SQLite's lock is not fair to those who wait."""
    prepare, rest, ready = _Preparer(held), 0.0, time.monotonic()
    for lines in _chunks(file):
        chunk = prepare.chunk(lines)
        time.sleep(max(0.0, ready + rest - time.monotonic()))
        began = time.monotonic()
        with transaction.atomic():
            _insert(held, chunk, file.tell())
            failpoint("import.open")
        ready = time.monotonic()
        rest = ready - began
        failpoint("import.chunk")


def _chunks(file: BinaryIO) -> Iterator[list[bytes]]:
    """The next lines; after each chunk the file stands where the next one begins."""
    while first := file.readline():
        lines, size = [first], len(first)
        more = None if mutated("no_chunks") else CHUNK - 1
        for line in islice(iter(file.readline, b""), more):
            lines.append(line)
            size += len(line)
            if size > CHUNK_BYTES and not mutated("no_chunks"):
                break
        yield lines


@dataclass
class _Chunk:
    """Rows ready to be inserted, and those that turned out to be no good after all."""

    samples: list[tuple[Any, ...]] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)


def _insert(held, chunk, position):
    held.rows_written += len(chunk.samples)
    held.rows_refused += len(chunk.refused)
    came = {"rows_written": held.rows_written, "rows_refused": held.rows_refused}
    if not mutated("position_apart"):
        came["position"] = position
    hold(held, **came)
    if chunk.samples:
        marks = ", ".join(["%s"] * len(COLUMNS))
        table = connection.ops.quote_name(Sample._meta.db_table)
        names = ", ".join(map(connection.ops.quote_name, COLUMNS))
        with connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {table} ({names}) VALUES ({marks})",
                chunk.samples,
            )
    RefusedRow.objects.bulk_create(chunk.refused)


def _texts(fields: dict[str, str]) -> str:
    """The fields as JSON, in a third of the time of the general encoder."""
    return "{" + ",".join(f"{_quoted(name)}:{_quoted(text)}" for name, text in fields.items()) + "}"


def _object(meta: dict[str, Any]) -> str:
    plain = all(type(value) is str for value in meta.values())
    return _texts(meta) if plain else _written(meta)


class _Preparer:
    """Turns staged lines into rows of the table."""

    def __init__(self, held: SampleImport) -> None:
        self.held, self.labels = held, labels_of(held.project)
        self.multiple = held.project.task.multiple
        self.values: dict[str, str] = {}
        self.refuses = self.labels is not None and not held.without_unknown
        self.head = (held.project_id, None if mutated("import_in_sight") else held.pk)
        self.others = Sample.objects.visible().filter(project=held.project_id).exists()
        # No split is locked while an import writes, so that this holds to the end.
        self.locked = set(held.project.locked_splits.values_list("split", flat=True))
        self.at = connection.ops.adapt_datetimefield_value(now())

    def chunk(self, lines: list[bytes]) -> _Chunk:
        chunk = _Chunk()
        staged = json.loads(b"[" + b",".join(lines) + b"]")  # at once: a third of the time
        seen = set() if self.held.keep_duplicates else self._known(staged)
        for line in staged:
            if line["hash"] in seen:
                continue
            if line["split"] in self.locked:
                reason = _("The %(split)s split is locked: no sample joins it. Choose another one.")
                chunk.refused.append(self._refused(line, reason % {"split": line["split"]}))
                continue
            parts = parts_of(line["reference"], self.multiple)
            found = self.labels.value(parts) if self.labels and parts is not None else None
            if parts is not None and found is None and self.refuses:
                reason = _("The reference label “%(label)s” is not in the codebook.")
                reason %= {"label": shown(parts)[:200]}
                chunk.refused.append(self._refused(line, reason))
                continue  # the same text may come again with a label that is known
            chunk.samples.append(self._row(line, parts, found))
            if not self.held.keep_duplicates:
                seen.add(line["hash"])
        return chunk

    def _known(self, staged):
        """The texts that the project has, or that were written from this file before."""
        known = set()
        again = [line["hash"] for line in staged if line["repeats"] is not None]
        if again:
            known |= self._of(self.held.samples, again)
        if self.others:
            known |= self._of(Sample.objects.visible(), [line["hash"] for line in staged])
        return known

    def _of(self, samples, hashes):
        there = samples.filter(project=self.held.project_id, content_hash__in=set(hashes))
        return set(there.values_list("content_hash", flat=True))

    def _refused(self, line, reason):
        return RefusedRow(
            sample_import=self.held,
            row_number=line["row"],
            reason=reason,
            excerpt=" | ".join(line["fields"].values())[:160],
        )

    def _row(self, line, parts, found):
        fields, meta = line["fields"], line["meta"]
        if parts is not None and found is None:  # nothing of the file is lost
            meta = {**meta, self.held.mapping["reference"]: line["reference"]}
        value, code = (None, None) if found is None else self._reference(*found)
        text = "\n\n".join(part for part in fields.values() if part)
        return (
            *(*self.head, line["id"], _texts(fields), text, _object(meta), line["hash"]),
            *(Sample.Origin.IMPORTED.value, line["split"], value, code, self.at),
        )

    def _reference(self, value, code):
        """The value as JSON, and its code; few values stand in many rows."""
        if code not in self.values:
            self.values[code] = _written(value)
        return self.values[code], code
