"""The nested row of a sample as the cells of one line, for CSV and workbooks."""

import json
from dataclasses import dataclass, field
from typing import Any, Protocol

from annotation.exports.columns import (
    CELLS,
    GUARDED,
    LISTS,
    NO_LABELS,
    RAW,
    SEPARATOR,
    SUGGESTION,
    flat,
)

JSON_CELLS = frozenset((*LISTS, "meta", "probabilities"))
written = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True)
class Layout:
    """What a writer must know before the first row."""

    fields: dict[str, str]  # text field: its column
    multiple: bool  # may an answer hold several labels?
    raw: bool = False
    title: str = ""
    language: str = ""
    texts: dict[str, str] = field(default_factory=dict)  # what the card of a data set says


class Writer(Protocol):
    """Made with the path to write to; `close` ends the file, `abandon` gives it up."""

    def write(self, rows: list[dict[str, Any]]) -> None: ...

    def close(self) -> None: ...

    def abandon(self) -> None: ...


def columns_of(layout: Layout) -> tuple[str, ...]:
    return flat(layout.fields)


def cells(row: dict[str, Any], layout: Layout, columns: tuple[str, ...]) -> list[Any]:
    """Text, numbers, booleans and None, in the order of the columns."""
    suggestion = row["suggestion"] or {}
    line = []
    for column in columns:
        if (key := SUGGESTION.get(column)) is not None:
            value = suggestion.get(key)
        elif column == CELLS:
            value = RAW if layout.raw else GUARDED
        else:
            value = row.get(column)
        if isinstance(value, dict | list):
            in_json = column in JSON_CELLS
            value = written(value) if in_json else SEPARATOR.join(value) or NO_LABELS
        line.append(value)
    return line
