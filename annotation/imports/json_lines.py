"""JSON Lines: one object a line, numbered by its line."""

import io
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from annotation.imports.contracts import Detection, Options
from annotation.imports.delimited import BAD_ENCODING, SLACK, guess_note, text_encoding
from annotation.imports.encodings import handler
from annotation.imports.limits import MB, Limits, over
from annotation.imports.normalise import decode
from annotation.imports.reasons import (
    ImportRefused,
    Refused,
    Row,
    RowFault,
    gettext_noop,
    refused,
)
from annotation.imports.source import opened

FIRST = 200  # records whose keys are the columns

NOT_JSON = gettext_noop("The line is no valid JSON: %(error)s at character %(at)s.")
MORE = gettext_noop("The line has more after its JSON value. Put one object on each line.")
NO_OBJECT = gettext_noop("The record is no JSON object like {“text”: “...”}.")


def inspect(path: Path, options: Options, limits: Limits, tab: bool) -> Detection:
    encoding = text_encoding(path, options, limits)
    note = guess_note(encoding)
    found = Detection("jsonl", encoding.name, encoding.confidence, notes=(note,) if note else ())
    first = [row for row in islice(rows(path, found, limits), FIRST) if isinstance(row, Row)]
    return Detection(
        "jsonl", encoding.name, encoding.confidence, columns=keys_of(first), notes=found.notes
    )


def rows(path: Path, found: Detection, limits: Limits) -> Iterator[Row | Refused]:
    cap = SLACK * SLACK * limits.cell_mb * MB
    with opened(path, limits) as stream:
        text = io.TextIOWrapper(stream, found.encoding, handler(found.encoding), newline="\n")
        number = 0
        while line := _line(text, cap, found):
            number += 1
            if len(line) == cap:
                raise over(limits, "cell_mb", row=f"{number:,}")
            if line.isspace():
                continue
            try:
                yield Row(number, _record(line))
            except RowFault as fault:
                yield refused(number, fault, line.strip())


def keys_of(first: list[Row]) -> tuple[str, ...]:
    """The columns of records without a header: their keys, in the order of appearance."""
    return tuple(dict.fromkeys(key for row in first for key in row.values))


def _line(text: io.TextIOWrapper, cap: int, found: Detection) -> str:
    try:
        return text.readline(cap)
    except UnicodeDecodeError:
        raise ImportRefused(BAD_ENCODING, encoding=found.encoding) from None


def _record(line: str) -> dict:
    line = line.strip()
    try:
        value, end = decode(line)
    except json.JSONDecodeError as error:
        raise RowFault(NOT_JSON, error=error.msg, at=f"{error.pos + 1:,}") from None
    if end != len(line):
        raise RowFault(MORE)
    if not isinstance(value, dict):
        raise RowFault(NO_OBJECT)
    return value
