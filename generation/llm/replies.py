"""Reading what a model wrote when asked for JSON: tolerant once in form, never in content."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

THINKING = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
LONGEST = 100_000
# What strict schemas of the endpoints understand; the rest we check ourselves.
SENDABLE = ("type", "properties", "required", "additionalProperties", "enum", "items")

Schema = Mapping[str, Any]


class ReplyError(ValueError):
    """A reply that cannot be used: `code` for counting, `detail` for the person who looks at it."""

    def __init__(self, code: str, detail: str, where: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.where = where  # the field it is about


@dataclass(frozen=True)
class Parsed:
    """A JSON value and the repairs that reading it took, for the record."""

    value: Any
    repaired: tuple[str, ...] = ()


def parse_json(text: str) -> Parsed:
    """The JSON value in a reply; raises ReplyError("malformed_json").

    Repairs of form only: a leading thinking block, a code fence, a byte order mark, commas before a
    closing bracket, and words around one single object.
    """
    if len(text) > LONGEST:
        raise ReplyError("malformed_json", "The reply is too long to be what was asked for.")
    repaired: list[str] = []
    for name, repair in (
        ("thinking_removed", _without_thinking),
        ("fence_removed", _without_fence),
        ("trailing_comma_removed", _without_trailing_commas),
        ("words_around_removed", _without_words_around),
    ):
        try:
            return Parsed(_strict(text), tuple(repaired))
        except ValueError:
            changed = repair(text)
        if changed != text:
            repaired.append(name)
            text = changed
    # Words around an object can hide the comma that the step before was looking for.
    text = _without_trailing_commas(text)
    try:
        return Parsed(_strict(text), tuple(repaired))
    except ValueError as error:
        raise ReplyError("malformed_json", f"The reply is not JSON: {error}") from None


def _strict(text: str) -> Any:
    """Like json.loads, but a key given twice and NaN are errors, and so is a bottomless nest."""
    try:
        return json.loads(
            text.strip("\ufeff \t\r\n"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _without_thinking(text: str) -> str:
    return THINKING.sub("", text)


def _without_fence(text: str) -> str:
    """Without a code fence around all of it. No pattern: those go quadratic on hostile replies."""
    bare = text.strip()
    first, newline, rest = bare.partition("\n")
    fenced = first.startswith("```") and newline and rest.endswith("```")
    return rest.removesuffix("```") if fenced else text


def _without_trailing_commas(text: str) -> str:
    """Without commas that stand before a closing bracket; one pass, strings are left alone."""
    kept: list[str] = []
    comma, quoted, escaped = -1, False, False  # where a comma waits for what follows it
    for char in text:
        if quoted:
            quoted = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            quoted, comma = True, -1
        elif char == ",":
            comma = len(kept)
        elif not char.isspace():
            if char in "}]" and comma >= 0:
                kept[comma] = ""
            comma = -1
        kept.append(char)
    return "".join(kept)


def _without_words_around(text: str) -> str:
    """From the first brace to the last; two objects do not parse as one, so that none is chosen."""
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1] if 0 <= start < end else text


def response_format(name: str, schema: Schema) -> dict[str, Any]:
    """The strict `json_schema` response format, with the keywords that endpoints understand."""
    return {
        "type": "json_schema",
        "json_schema": {"name": name, "strict": True, "schema": _sendable(schema)},
    }


def _sendable(schema: Schema) -> dict[str, Any]:
    kept = {key: value for key, value in schema.items() if key in SENDABLE}
    if "properties" in kept:
        kept["properties"] = {name: _sendable(s) for name, s in kept["properties"].items()}
    if "items" in kept:
        kept["items"] = _sendable(kept["items"])
    return kept


def check(value: Any, schema: Schema, where: str = "reply") -> None:
    """Raises ReplyError unless the value is exactly of this shape; nothing is converted.

    Knows the part of JSON Schema that our own shapes use. Codes: wrong_shape, missing_field,
    unexpected_field, not_in_set, out_of_range.
    """
    if not _is(value, schema["type"]):
        raise ReplyError("wrong_shape", f"“{where}” is not of type {schema['type']}.")
    if "enum" in schema and value not in schema["enum"]:
        raise ReplyError("not_in_set", f"“{where}” is {_short(value)}, which was not on offer.")
    if schema["type"] == "object":
        _check_object(value, schema, where)
    elif schema["type"] == "array":
        for i, entry in enumerate(value):
            check(entry, schema["items"], f"{where}[{i}]")
        if schema.get("uniqueItems") and len({json.dumps(entry) for entry in value}) < len(value):
            raise ReplyError("wrong_shape", f"“{where}” holds an entry twice.")
    elif "minimum" in schema and not schema["minimum"] <= value <= schema["maximum"]:
        range_ = f"{schema['minimum']} to {schema['maximum']}"
        raise ReplyError("out_of_range", f"“{where}” is {_short(value)}, not within {range_}.")


def _check_object(value: dict[str, Any], schema: Schema, where: str) -> None:
    for name in schema["required"]:
        if name not in value:
            raise ReplyError("missing_field", f"“{name}” is missing in “{where}”.", where)
    for name, entry in value.items():
        if name not in schema["properties"]:
            detail = f"“{where}” holds {_short(name)}, not asked for."
            raise ReplyError("unexpected_field", detail, where)
        check(entry, schema["properties"][name], name)


def _is(value: Any, kind: str) -> bool:
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, {"string": str, "boolean": bool, "array": list, "object": dict}[kind])


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"


def object_schema(properties: Mapping[str, Schema]) -> Schema:
    """A strict object: all of these fields and no other."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
