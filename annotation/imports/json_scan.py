"""Walking a JSON text value by value, so that one bad record does not cost the file."""

import json
import re
from collections.abc import Iterator
from typing import Any

from annotation.imports.normalise import decode
from annotation.imports.reasons import ImportRefused, RowFault, gettext_noop

_SPACE = re.compile(r"[ \t\r\n]*")
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)

BAD_JSON = gettext_noop(
    "The file is no valid JSON: %(error)s in line %(line)s, character %(column)s. It may be cut "
    "off; check it there, or save it again."
)
KEY_TWICE = gettext_noop("The key “%(key)s” stands twice at the top of the file.")


def start_of(text: str, position: int) -> int:
    """Where the next value or sign begins."""
    return _SPACE.match(text, position).end()


def broken(text: str, position: int, error: str) -> ImportRefused:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return ImportRefused(BAD_JSON, error=error, line=f"{line:,}", column=f"{column:,}")


def elements(text: str, position: int) -> Iterator[tuple[Any, int, int]]:
    """Each element of the list at `position` with where it stands; a RowFault for a bad one.

    The last thing yielded is (None, -1, end): where the list ends.
    """
    position = start_of(text, position + 1)
    if text[position : position + 1] == "]":
        yield None, -1, position + 1
        return
    while True:
        start = position
        try:
            value, position = decode(text, start)
        except RowFault as fault:
            value, position = fault, skip(text, start)
        except json.JSONDecodeError as error:
            raise broken(text, error.pos, error.msg) from None
        yield value, start, position
        position = start_of(text, position)
        sign = text[position : position + 1]
        if sign == "]":
            yield None, -1, position + 1
            return
        if sign != ",":
            raise broken(text, position, "a comma or the end of the list is missing")
        position = start_of(text, position + 1)


def members(text: str, position: int) -> tuple[dict[str, int], int]:
    """Where the value of each key of the object at `position` begins, and where it ends."""
    found: dict[str, int] = {}
    position = start_of(text, position + 1)
    if text[position : position + 1] == "}":
        return found, position + 1
    while True:
        key, position = _value(text, position)
        position = start_of(text, position)
        if not isinstance(key, str) or text[position : position + 1] != ":":
            raise broken(text, position, "a key and a colon are missing")
        if key in found:
            raise ImportRefused(KEY_TWICE, key=key[:60])
        found[key] = position = start_of(text, position + 1)
        position = start_of(text, skip(text, position))
        sign = text[position : position + 1]
        if sign == "}":
            return found, position + 1
        if sign != ",":
            raise broken(text, position, "a comma or the end of the object is missing")
        position = start_of(text, position + 1)


def skip(text: str, position: int) -> int:
    """Where the value at `position` ends, however deep it is."""
    if text[position : position + 1] not in ("[", "{"):
        try:
            return _value(text, position)[1]
        except RowFault:  # NaN or thousands of digits: up to the next sign
            return re.compile(r"[^,\]}\s]*").match(text, position).end()
    depth = 0
    for token in _TOKEN.finditer(text, position):
        sign = token[0]
        if sign in ("[", "{"):
            depth += 1
        elif sign in ("]", "}"):
            depth -= 1
            if not depth:
                return token.end()
    raise broken(text, len(text), "the end is missing")


def _value(text: str, position: int) -> tuple[Any, int]:
    try:
        return decode(text, position)
    except json.JSONDecodeError as error:
        raise broken(text, error.pos, error.msg) from None
