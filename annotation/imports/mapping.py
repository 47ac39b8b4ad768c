"""Which column is what, and the sample that a row becomes under it."""

import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from annotation.imports.reasons import (
    ImportRefused,
    Refused,
    Row,
    RowFault,
    gettext_noop,
    refused,
)
from annotation.imports.released import META, is_released, restored

ID_LENGTH = 300

NO_TEXT_COLUMN = gettext_noop("No column is chosen as text. Choose at least one.")
NO_COLUMN = gettext_noop("There is no column “%(column)s”. The columns are %(columns)s.")
NAMES = gettext_noop(
    "%(fields)s names are given for %(columns)s text columns, or two of them are the same."
)
EMPTY = gettext_noop("“%(column)s” is empty. Fill it in, or say that this column may be empty.")
NOT_TEXT = gettext_noop(
    "“%(column)s” is not text but %(kind)s (%(value)s). Write it as text and import the row again."
)
NO_ID = gettext_noop("“%(column)s” is empty or no plain value, so the row has no id.")
LONG_ID = gettext_noop("The id in “%(column)s” is longer than %(limit)s characters.")
BAD_SPLIT = gettext_noop(
    "The split “%(split)s” is none that is known here. Use train or pool, dev or test."
)
BAD_REFERENCE = gettext_noop("The reference in “%(column)s” is neither a value nor a list of them.")

_KINDS = {bool: "true or false", int: "a number", float: "a number", dict: "an object"}
SPLITS = {
    **dict.fromkeys(("train", "training", "pool", "unlabeled", "unlabelled"), "pool"),
    **dict.fromkeys(("dev", "val", "valid", "validation", "eval", "development"), "dev"),
    **dict.fromkeys(("test", "testing", "holdout"), "test"),
}


@dataclass(frozen=True)
class Mapping:
    """The columns' roles. `meta=None` keeps every column that has no other role."""

    text: tuple[str, ...] = ()  # in the order they are shown
    names: tuple[str, ...] = ()  # of the fields they become; "text" for a single one
    optional: tuple[str, ...] = ()  # text columns that may be empty, like a context
    id: str | None = None
    reference: str | None = None
    separator: str | None = None  # between several labels in one reference cell
    split: str | None = None
    meta: tuple[str, ...] | None = None
    join_tokens: bool = True  # a text given as a list of words is joined with spaces

    @cached_property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """Field name and column, for each text column."""
        default = ("text",) if len(self.text) == 1 else self.text
        return tuple(zip(self.names or default, self.text, strict=True))

    @cached_property
    def used(self) -> frozenset[str]:
        roles = (self.id, self.reference, self.split)
        return frozenset(self.text) | {column for column in roles if column}


class StagedSample(NamedTuple):
    """A sample on its way in. `reference` is as the file has it; the task type judges it."""

    external_id: str
    fields: dict[str, str]
    meta: dict[str, Any]
    reference: str | list[str] | None
    split: str


def mapping_from(stored: dict[str, Any]) -> Mapping:
    """A mapping from its JSON, where tuples are lists."""
    lists = {key: tuple(value) for key, value in stored.items() if isinstance(value, list)}
    return Mapping(**{**stored, **lists})


def check_mapping(mapping: Mapping, columns: tuple[str, ...]) -> None:
    """Refuse a mapping that does not fit the file, before any row is read."""
    if not mapping.text:
        raise ImportRefused(NO_TEXT_COLUMN)
    for column in (*mapping.text, *mapping.optional, *mapping.used, *(mapping.meta or ())):
        if column not in columns:
            listed = ", ".join(f"“{name}”" for name in columns[:40])
            raise ImportRefused(NO_COLUMN, column=column, columns=listed)
    names = mapping.names or mapping.text
    distinct = {unicodedata.normalize("NFC", name) for name in names}
    if len(distinct) != len(names) or len(names) != len(mapping.text) or "" in distinct:
        raise ImportRefused(NAMES, fields=len(distinct), columns=len(mapping.text))


def apply(row: Row, mapping: Mapping) -> StagedSample | Refused:
    """The sample that a row becomes, or why it cannot be one."""
    values = row.values
    try:
        if is_released(values):
            return _of_a_release(restored(values, mapping.reference), mapping)
        fields = {
            name: _text(values.get(column), column, mapping) for name, column in mapping.fields
        }
        return StagedSample(
            _id(values, mapping),
            fields,
            _meta(values, mapping),
            _reference(values, mapping),
            _split(values, mapping),
        )
    except RowFault as fault:
        return refused(row.number, fault, values)


def _of_a_release(values: dict[str, Any], mapping: Mapping) -> StagedSample:
    """As it was exported: a field that a sample lacks stays away, and meta is one object."""
    given = [(name, column) for name, column in mapping.fields if values.get(column) is not None]
    return StagedSample(
        _id(values, mapping) if values.get(mapping.id) else "",
        {name: _text(values[column], column, mapping) for name, column in given},
        values[META] if mapping.meta in (None, (META,)) else _meta(values, mapping),
        _reference(values, mapping),
        _split(values, mapping),
    )


def plain(value: Any) -> str:
    """A value of a cell as a person would write it: true, 3, 0.5."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)


def _text(value: Any, column: str, mapping: Mapping) -> str:
    if type(value) is not str:
        if value is None:
            value = ""
        elif mapping.join_tokens and _is_tokens(value):
            value = " ".join(value)
        else:
            kind = _KINDS.get(type(value), "a list")
            raise RowFault(NOT_TEXT, column=column, kind=kind, value=plain(value)[:60])
    if not value or value.isspace():
        if column not in mapping.optional:
            raise RowFault(EMPTY, column=column)
        return ""
    return value


def _is_tokens(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(token, str) for token in value)


def _id(values: dict[str, Any], mapping: Mapping) -> str:
    if mapping.id is None:
        return ""
    value = values.get(mapping.id)
    if value is None or isinstance(value, dict | list) or not (text := plain(value).strip()):
        raise RowFault(NO_ID, column=mapping.id)
    if len(text) > ID_LENGTH:
        raise RowFault(LONG_ID, column=mapping.id, limit=ID_LENGTH)
    return text


def _meta(values: dict[str, Any], mapping: Mapping) -> dict[str, Any]:
    if mapping.meta is None:
        used = mapping.used
        return {name: value for name, value in values.items() if name not in used}
    return {name: values[name] for name in mapping.meta if name in values}


def _reference(values: dict[str, Any], mapping: Mapping) -> str | list[str] | None:
    if mapping.reference is None:
        return None
    value = values.get(mapping.reference)
    if isinstance(value, list):
        if any(item is None or isinstance(item, dict | list) for item in value):
            raise RowFault(BAD_REFERENCE, column=mapping.reference)
        return [plain(item) for item in value]
    if isinstance(value, dict):
        raise RowFault(BAD_REFERENCE, column=mapping.reference)
    if value is None or not (text := plain(value).strip()):
        return None
    if mapping.separator:
        return [part.strip() for part in text.split(mapping.separator) if part.strip()]
    return text


def _split(values: dict[str, Any], mapping: Mapping) -> str:
    if mapping.split is None:
        return "pool"
    value = values.get(mapping.split)
    if value is None or value == "":
        return "pool"
    if found := split_of(value):
        return found
    raise RowFault(BAD_SPLIT, split=plain(value)[:60])


def split_of(value: Any) -> str | None:
    """pool, dev or test for what data sets call them, also inside a name like oos_val."""
    words = plain(value).lower().replace("-", "_").replace(" ", "_").split("_")
    found = {SPLITS[word] for word in words if word in SPLITS}
    return found.pop() if len(found) == 1 else None
