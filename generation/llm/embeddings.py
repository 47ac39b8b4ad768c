"""Reading an answer that holds vectors of texts. Pure: a stored body can be read again."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from generation.llm.completion import BodyError


def read_vectors(raw: str, count: int) -> np.ndarray:
    """The vectors in a body of a 200 answer, (count, dimensions) as float32, in the order of the
    texts; raises BodyError."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise BodyError("The answer is not JSON.") from None
    entries = body.get("data") if isinstance(body, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BodyError("The answer holds no vectors.")
    if len(entries) != count:
        raise BodyError(f"The answer holds {len(entries)} vectors for {count} texts.")
    rows = [_numbers(entry.get("embedding")) for entry in _in_order(entries)]
    if len({len(row) for row in rows}) > 1:
        raise BodyError("The answer holds vectors of different lengths.")
    vectors = np.array(rows, dtype=np.float32)
    if not vectors.size or not np.isfinite(vectors).all():
        raise BodyError("The answer holds vectors that are empty or no numbers.")
    return vectors


def _in_order(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    places = [entry.get("index", place) for place, entry in enumerate(entries)]
    if not all(type(place) is int for place in places) or sorted(places) != [*range(len(entries))]:
        raise BodyError("The answer does not say which vector is whose.")
    return [entry for _, entry in sorted(zip(places, entries, strict=True), key=lambda e: e[0])]


def _numbers(value: object) -> np.ndarray:
    """Numbers, or base64 of little-endian 32-bit floats."""
    try:
        if isinstance(value, str):
            return np.frombuffer(base64.b64decode(value, validate=True), dtype="<f4")
        if isinstance(value, list) and all(type(number) in (int, float) for number in value):
            return np.array(value, dtype=np.float32)
    except (binascii.Error, ValueError, OverflowError):
        pass
    raise BodyError("The answer holds a vector that cannot be read.")
