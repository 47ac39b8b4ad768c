"""A folder that `datasets.load_dataset` reads: Parquet files by split and a card with its types."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from annotation.exports.parquet import Parquet, schema
from annotation.exports.tables import Layout

SHARD = 200_000  # rows of a file
NAMES = {"pool": "train", "dev": "validation", "test": "test"}  # as users of data sets call them
DTYPES = {"string": "string", "double": "float64", "int64": "int64", "bool": "bool"}


class Dataset:
    suffix = ""  # a folder

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path, self.layout = path, layout
        self.open: dict[str, Parquet] = {}
        self.rows = dict.fromkeys(NAMES, 0)
        (path / "data").mkdir(parents=True)

    def write(self, rows: list[dict[str, Any]]) -> None:
        for split in NAMES:
            if mine := [row for row in rows if row["split"] == split]:
                self._writer(split).write(mine)
                self.rows[split] += len(mine)

    def _writer(self, split: str) -> Parquet:
        shard = self.rows[split] // SHARD
        path = self.path / "data" / f"{NAMES[split]}-{shard:05d}.parquet"
        if split not in self.open or not path.exists():
            if split in self.open:
                self.open[split].close()
            self.open[split] = Parquet(path, self.layout)
        return self.open[split]

    def close(self) -> None:
        if not self.open:  # a data set has at least one split, if an empty one
            self._writer("pool")
        for writer in self.open.values():
            writer.close()
        (self.path / "README.md").write_text(self._card(), encoding="utf-8")

    def abandon(self) -> None:
        for writer in self.open.values():
            writer.abandon()

    def _card(self) -> str:
        """Strings in JSON are strings in YAML, so that no name can break out of the head."""
        layout = self.layout
        head = ["---", f"pretty_name: {json.dumps(layout.title)}"]
        if layout.language:
            head += ["language:", f"- {json.dumps(layout.language)}"]
        head += ["task_categories:", "- text-classification"]
        head += ["configs:", "- config_name: default", "  data_files:"]
        for split in self.open:
            head += [f"  - split: {NAMES[split]}", f"    path: data/{NAMES[split]}-*.parquet"]
        head += ["dataset_info:", "  features:", *_features(schema(layout), "  ")]
        body = [f"# {_one_line(layout.title)}", *layout.texts.values()]
        return "\n".join([*head, "---", ""]) + "\n" + "\n\n".join(body) + "\n"


def _features(columns: Any, indent: str) -> list[str]:
    """The types as `datasets` writes them into a card."""
    lines = []
    for column in columns:
        lines += [f"{indent}- name: {json.dumps(column.name)}"]
        lines += _type(column.type, indent + "  ")
    return lines


def _type(kind: pa.DataType, indent: str) -> list[str]:
    if pa.types.is_struct(kind):
        return [f"{indent}struct:", *_features(kind, indent)]
    if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
        return [f"{indent}list:", *_features(kind.value_type, indent)]
    if pa.types.is_list(kind):
        return [f"{indent}list: {DTYPES[str(kind.value_type)]}"]
    return [f"{indent}dtype: {DTYPES[str(kind)]}"]


def _one_line(text: str) -> str:
    return " ".join(text.split())
