"""When are two samples the same? When their fields are equal after Unicode NFC, no sooner."""

import hashlib
import json
import unicodedata
from collections.abc import Mapping


def normalise(text: str) -> str:
    """NFC only: case, spaces and full-width forms can be what a study is about."""
    return unicodedata.normalize("NFC", text)


def content_hash(fields: Mapping[str, str]) -> str:
    """SHA-256 (hex) of the fields as canonical JSON; the order of the fields does not matter."""
    canonical = {normalise(name): normalise(text) for name, text in fields.items()}
    if len(canonical) < len(fields):
        raise ValueError("Two field names differ only in their Unicode form.")
    # ASCII escapes, so that a lone surrogate in a broken file can be hashed too.
    written = json.dumps(canonical, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(written.encode("ascii")).hexdigest()
