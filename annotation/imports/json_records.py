"""One JSON document: finds the list of records in it and numbers them from 1.

Understood: a list of objects, of texts or of lists of cells; an object with one such list; an
object of lists, whose keys are then the split (train, test ...) or the label; an object of
objects, whose keys are then the ids.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from annotation.imports.columns import TOO_FEW, TOO_MANY
from annotation.imports.contracts import Detection, Options
from annotation.imports.delimited import BAD_ENCODING, guess_note, text_encoding
from annotation.imports.dialect import KNOWN
from annotation.imports.encodings import handler
from annotation.imports.formats import EMPTY
from annotation.imports.json_lines import FIRST, NO_OBJECT, keys_of
from annotation.imports.json_scan import broken, elements, members, skip, start_of
from annotation.imports.limits import Limits
from annotation.imports.mapping import SPLITS
from annotation.imports.normalise import decode
from annotation.imports.reasons import (
    EXCERPT,
    ImportRefused,
    Reason,
    Refused,
    Row,
    RowFault,
    gettext_noop,
    refused,
)
from annotation.imports.source import opened

LISTS = ("data", "records", "rows", "items", "examples", "samples", "instances", "sentences")

NO_RECORDS = gettext_noop(
    "No list of records was found in this JSON file; at its top stand %(keys)s. Save the records "
    "as one list of objects or as JSON Lines, or say where the list is, like “data.items”."
)
BY_COLUMN = gettext_noop(
    "This JSON file is written column by column. Save it row by row: in pandas with "
    "to_json(orient=“records”)."
)
NO_SUCH_LIST = gettext_noop("There is no list of records at “%(records)s” in this JSON file.")
KEYED = gettext_noop("The key over each record is read as the column “%(column)s”.")


@dataclass(frozen=True)
class _Layout:
    """Where the lists of records begin, and the column that their keys become."""

    starts: tuple[tuple[str | None, int], ...]
    key_column: str | None = None
    objects: bool = False  # the keys stand over single objects, not lists
    names: tuple[str, ...] = ()  # of the cells, where a record is a list


def inspect(path: Path, options: Options, limits: Limits, tab: bool) -> Detection:
    encoding = text_encoding(path, options, limits)
    text = _text(path, encoding.name, limits)
    layout = _layout(text, options.records)
    first = [row for row in islice(_records(text, layout), FIRST) if isinstance(row, Row)]
    notes = [guess_note(encoding)] if encoding.confidence < 1 else []
    if layout.key_column:
        notes.append(Reason(KEYED, {"column": layout.key_column}))
    return Detection(
        format="json",
        encoding=encoding.name,
        confidence=encoding.confidence,
        records=options.records,
        columns=keys_of(first),
        notes=tuple(notes),
    )


def rows(path: Path, found: Detection, limits: Limits) -> Iterator[Row | Refused]:
    text = _text(path, found.encoding, limits)
    return _records(text, _layout(text, found.records))


def _text(path: Path, encoding: str, limits: Limits) -> str:
    with opened(path, limits) as stream:
        try:
            return stream.read().decode(encoding, handler(encoding))
        except UnicodeDecodeError:
            raise ImportRefused(BAD_ENCODING, encoding=encoding) from None


def _records(text: str, layout: _Layout) -> Iterator[Row | Refused]:
    number = 0
    for key, start in layout.starts:
        for value, begin, end in _one(text, start) if layout.objects else elements(text, start):
            if begin < 0:
                continue
            number += 1
            try:
                yield Row(number, _shaped(value, key, layout))
            except RowFault as fault:
                yield refused(number, fault, text[begin : min(end, begin + EXCERPT)])


def _one(text: str, start: int) -> Iterator[tuple[Any, int, int]]:
    """One keyed object as a list of one would give it."""
    try:
        value, end = decode(text, start)
    except RowFault as fault:
        value, end = fault, skip(text, start)
    yield value, start, end


def _shaped(value: Any, key: str | None, layout: _Layout) -> dict[str, Any]:
    if isinstance(value, RowFault):
        raise value
    if isinstance(value, str):
        value = {"text": value}
    elif isinstance(value, list):
        if len(value) != len(layout.names):
            template = TOO_FEW if len(value) < len(layout.names) else TOO_MANY
            raise RowFault(template, found=len(value), expected=len(layout.names))
        value = dict(zip(layout.names, value, strict=True))
    elif not isinstance(value, dict):
        raise RowFault(NO_OBJECT)
    if layout.key_column is None:
        return value
    column = layout.key_column if layout.key_column not in value else f"{layout.key_column}_key"
    return {column: key, **value}


def _layout(text: str, records: str | None) -> _Layout:
    text_start = start_of(text, 1 if text.startswith("\ufeff") else 0)
    start = _descend(text, text_start, records) if records else text_start
    sign = text[start : start + 1]
    if sign == "[":
        if start == text_start:
            _ends(text, start)
        return _named(text, _Layout(((None, start),)))
    if not sign:
        raise ImportRefused(EMPTY)
    if sign != "{":
        raise broken(text, start, "a list or an object is expected")
    found, end = members(text, start)
    if start == text_start and start_of(text, end) != len(text):
        raise broken(text, end, "there is more after the end")
    return _named(text, _keyed(text, found))


def _ends(text: str, start: int) -> None:
    """Refuse a file that goes on, or is cut off, before any row of it is used."""
    end = skip(text, start)
    if start_of(text, end) != len(text):
        raise broken(text, start_of(text, end), "there is more after the end")


def _descend(text: str, start: int, records: str) -> int:
    for name in records.split("."):
        found = members(text, start)[0] if text[start : start + 1] == "{" else {}
        if name not in found:
            raise ImportRefused(NO_SUCH_LIST, records=records)
        start = found[name]
    return start


def _keyed(text: str, found: dict[str, int]) -> _Layout:
    """What the keys at the top mean: the one list, splits, labels or ids."""
    lists = {key: at for key, at in found.items() if text[at] == "["}
    full = {key: at for key, at in lists.items() if text[start_of(text, at + 1)] != "]"}
    kinds = {text[start_of(text, at + 1)] for at in full.values()}
    for key in LISTS:
        if key in full and text[start_of(text, full[key] + 1)] in "{[":
            return _Layout(((None, full[key]),))
    if full and len(lists) == len(found) and len(kinds) == 1 and kinds <= {"{", "[", '"'}:
        if kinds == {'"'} and {key.lower() for key in full} & KNOWN - SPLITS.keys():
            raise ImportRefused(BY_COLUMN)
        words = [set(re.split(r"[\W_]+", key.lower())) for key in full]
        split = all(word & SPLITS.keys() for word in words)
        return _Layout(tuple(full.items()), "split" if split else "label")
    objects = [key for key, at in full.items() if text[start_of(text, at + 1)] == "{"]
    if len(objects) == 1:
        return _Layout(((None, full[objects[0]]),))
    if len(found) > 1 and all(text[at] == "{" for at in found.values()):
        inner = members(text, next(iter(found.values())))[0]
        if inner and all(key.isdigit() for key in inner):
            raise ImportRefused(BY_COLUMN)
        if _alike(text, found):
            return _Layout(tuple(found.items()), "id", objects=True)
    keys = ", ".join(f"“{key[:40]}”" for key in list(found)[:8])
    raise ImportRefused(NO_RECORDS, keys=keys or "no keys")


def _alike(text: str, found: dict[str, int]) -> bool:
    """Whether the objects under the keys share a key, as records do."""
    inner = [set(members(text, at)[0]) for at in list(found.values())[:20]]
    return bool(set.intersection(*inner))


def _named(text: str, layout: _Layout) -> _Layout:
    """Names for the cells of records that are lists: in a pair the longer one is the text."""
    if layout.objects:
        return layout
    first = [
        value
        for _, start in layout.starts
        for value, begin, _ in islice(elements(text, start), 20)
        if begin >= 0 and isinstance(value, list)
    ]
    if not first:
        return layout
    width = max((len(value) for value in first), key=[len(v) for v in first].count)
    names = tuple(f"column_{number}" for number in range(1, width + 1))
    pairs = [value for value in first if len(value) == 2 and all(isinstance(v, str) for v in value)]
    if width == 2 and pairs:
        left = sum(len(a) for a, _ in pairs) >= sum(len(b) for _, b in pairs)
        names = ("text", "label") if left else ("label", "text")
    return _Layout(layout.starts, layout.key_column, names=names)
