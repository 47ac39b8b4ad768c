"""The one place that decides which values may enter, so that every format gives one verdict.

SQLite stores a NUL and PostgreSQL does not; neither stores a lone surrogate. Such a row is
refused with its number. Bidirectional controls are text and stay as they are.
"""

import json
import math
import sys
from typing import Any

from annotation.imports.limits import MB, Limits, cell_over, columns_over
from annotation.imports.reasons import RowFault, gettext_noop

DEPTH = 64
NAME_LENGTH = 200
DIGITS = 100  # of an integer; no id is longer, and int() of thousands of digits is an attack

NUL = gettext_noop("“%(column)s” has a NUL character in it. Remove it and import the row again.")
SURROGATE = gettext_noop(
    "“%(column)s” has a character in it that is broken or does not fit the encoding. Correct it, "
    "or choose another encoding."
)
DEEP = gettext_noop("The row is nested more than %(depth)s levels deep.")
DUPLICATE_KEY = gettext_noop("The key “%(key)s” stands twice in one object.")
CONSTANT = gettext_noop("%(constant)s is not a JSON number. Use null for a missing value.")
NOT_FINITE = gettext_noop("“%(column)s” is not a finite number. Leave the cell empty instead.")
BIG_INTEGER = gettext_noop("A number of %(digits)s digits is too long; store it as text.")
LONG_NAME = gettext_noop("A column name is longer than %(limit)s characters.")
BINARY = gettext_noop("“%(column)s” holds binary content, which cannot be shown as text.")


def check(values: dict[str, Any], limits: Limits) -> None:
    """Raise RowFault unless every value of a row can be stored as it is."""
    if len(values) > limits.columns:
        raise columns_over(limits)
    cell = limits.cell_mb * MB
    for name, value in values.items():
        if len(name) > NAME_LENGTH:
            raise RowFault(LONG_NAME, limit=NAME_LENGTH)
        if type(value) is str:
            _check_text(name, value, cell, limits)
        elif value is not None:
            _check_nested(name, value, cell, limits)
        if not name.isascii() or "\0" in name:
            _check_text(name.encode("utf-8", "replace").decode(), name, cell, limits)


def check_decoded(column: str, value: Any) -> None:
    """The same for what was inside the text of a cell; its size has been checked already."""
    _check_nested(column, value, sys.maxsize, None)


def _check_text(column: str, text: str, cell: int, limits: Limits) -> None:
    if "\0" in text:
        raise RowFault(NUL, column=column.replace("\0", "\u2400"))
    if text.isascii():
        size = len(text)
    else:
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise RowFault(SURROGATE, column=column) from None
    if size > cell:
        raise cell_over(limits)


def _check_nested(column: str, value: Any, cell: int, limits: Limits | None) -> None:
    """Walk one value without recursion: a hostile file decides how deep it is."""
    waiting, total = [(value, 1)], 0
    while waiting:
        value, depth = waiting.pop()
        if depth > DEPTH:
            raise RowFault(DEEP, depth=DEPTH)
        if isinstance(value, str):
            _check_text(column, value, cell, limits)
            total += len(value)
        elif isinstance(value, dict):
            waiting.extend((key, depth) for key in value)
            waiting.extend((inner, depth + 1) for inner in value.values())
        elif isinstance(value, list):
            waiting.extend((inner, depth + 1) for inner in value)
        elif isinstance(value, float) and not math.isfinite(value):
            raise RowFault(NOT_FINITE, column=column)
        elif isinstance(value, bytes):
            raise RowFault(BINARY, column=column)
        elif isinstance(value, int) and abs(value) >= 10**DIGITS:
            raise RowFault(BIG_INTEGER, digits=f"{len(str(abs(value))):,}")
        if total > cell:
            raise cell_over(limits)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for key in names if names.count(key) > 1)
        raise RowFault(DUPLICATE_KEY, key=twice[:60].replace("\0", "\u2400"))
    return found


def _no_constant(constant: str) -> None:
    raise RowFault(CONSTANT, constant=constant)


def _integer(digits: str) -> int:
    if len(digits) > DIGITS:
        raise RowFault(BIG_INTEGER, digits=f"{len(digits.lstrip('-')):,}")
    return int(digits)


STRICT = json.JSONDecoder(
    object_pairs_hook=_unique_keys, parse_constant=_no_constant, parse_int=_integer
)


def decode(text: str, start: int = 0) -> tuple[Any, int]:
    """One strict JSON value and where it ends; RowFault for what JSON or we do not allow."""
    try:
        return STRICT.raw_decode(text, start)
    except RecursionError:
        raise RowFault(DEEP, depth=DEPTH) from None
