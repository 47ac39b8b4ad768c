"""Parquet, nested as JSON Lines is. Probabilities are a list of pairs, so that none gets lost."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from annotation.exports.tables import Layout, written

ROWS = 20_000  # of a row group
TEXT, NUMBER, INTEGER, FLAG = pa.string(), pa.float64(), pa.int64(), pa.bool_()


def schema(layout: Layout) -> pa.Schema:
    """The columns in order, with the types that fit the project's task."""
    label = pa.list_(TEXT) if layout.multiple else TEXT
    pair = pa.struct([("label", TEXT), ("probability", NUMBER)])
    suggestion = [
        ("label", label),
        ("probabilities", pa.list_(pair)),
        *((name, NUMBER) for name in ("confidence", "entropy", "margin", "covered_mass")),
        *(("source", TEXT), ("rationale", TEXT), ("machine", TEXT), ("machine_id", INTEGER)),
        *(("model", TEXT), ("technique", TEXT), ("technique_version", INTEGER)),
        ("edition", INTEGER),
    ]
    annotation = [
        *(("annotation_id", INTEGER), ("annotator", TEXT), ("label", label)),
        *(("edition", INTEGER), ("round", INTEGER), ("blind", FLAG), ("saw_machine", INTEGER)),
        *(("seconds", NUMBER), ("flag", FLAG), ("comment", TEXT), ("extra", FLAG)),
        *(("late", FLAG), ("current", FLAG), ("created", TEXT)),
    ]
    adjudication = [
        *(("adjudication_id", INTEGER), ("adjudicator", TEXT), ("label", label)),
        *(("reason", TEXT), ("edition", INTEGER), ("round", INTEGER), ("current", FLAG)),
        ("created", TEXT),
    ]
    drawn = [
        *(("round", INTEGER), ("purpose", TEXT), ("strategy", TEXT), ("stratum", TEXT)),
        *(("rank", INTEGER), ("score", NUMBER), ("inclusion", NUMBER)),
    ]
    return pa.schema(
        [
            *(("id", TEXT), ("sample_id", INTEGER)),
            *((column, TEXT) for column in layout.fields.values()),
            *(("final_label", label), ("final_source", TEXT), ("final_edition", INTEGER)),
            *(("final_votes", INTEGER), ("final_voters", INTEGER), ("reference", label)),
            *(("split", TEXT), ("origin", TEXT), ("flagged", FLAG)),
            ("suggestion", pa.struct(suggestion)),
            ("annotations", pa.list_(pa.struct(annotation))),
            ("adjudications", pa.list_(pa.struct(adjudication))),
            ("rounds", pa.list_(pa.struct(drawn))),
            ("meta", TEXT),
            *(("import_file", TEXT), ("import_hash", TEXT), ("created", TEXT)),
        ]
    )


def table(rows: list[dict[str, Any]], shape: pa.Schema) -> pa.Table:
    """The rows as Arrow; meta, which may be anything, becomes JSON text."""
    return pa.Table.from_pylist([_row(row) for row in rows], schema=shape)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    row = {**row, "meta": written(row["meta"])}
    if suggestion := row["suggestion"]:
        pairs = suggestion["probabilities"].items()
        pairs = [{"label": label, "probability": p} for label, p in pairs]
        row["suggestion"] = {**suggestion, "probabilities": pairs}
    return row


class Parquet:
    suffix = ".parquet"

    def __init__(self, path: Path, layout: Layout) -> None:
        self.schema = schema(layout)
        self.file = pq.ParquetWriter(path, self.schema, compression="zstd")
        self.waiting: list[pa.Table] = []
        self.rows = 0

    def write(self, rows: list[dict[str, Any]]) -> None:
        self.waiting.append(table(rows, self.schema))
        self.rows += len(rows)
        if self.rows >= ROWS:
            self._flush()

    def _flush(self) -> None:
        if self.waiting:
            self.file.write_table(pa.concat_tables(self.waiting), row_group_size=self.rows or 1)
        self.waiting, self.rows = [], 0

    def close(self) -> None:
        self._flush()
        self.file.close()

    def abandon(self) -> None:
        self.file.close()
