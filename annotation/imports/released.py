"""Rows that SynthLab exported, read back as they were: docs/exports.md describes their columns."""

import json
from typing import Any

from annotation.exports.columns import CELLS, GUARDED, NO_LABELS, SEPARATOR, of_a_release
from annotation.exports.guard import unguarded
from annotation.imports.normalise import check_decoded, decode
from annotation.imports.reasons import RowFault, gettext_noop

META = "meta"
BAD_META = gettext_noop("“meta” of this exported row is no JSON object.")


def is_released(values: dict[str, Any]) -> bool:
    """Is this a row of an export?"""
    return "final_source" in values and of_a_release(values)


def restored(values: dict[str, Any], reference: str | None) -> dict[str, Any]:
    """The row with its guard taken off, an id only if it had one, and labels and meta as values."""
    if values.get(CELLS) == GUARDED:
        values = {
            name: unguarded(value) if isinstance(value, str) else value
            for name, value in values.items()
        }
    restored = {**values, META: _meta(values[META])}
    if values["id"] == f"sample-{values['sample_id']}":
        restored["id"] = ""
    if reference and isinstance(labels := values.get(reference), str) and SEPARATOR in labels:
        restored[reference] = [] if labels == NO_LABELS else labels.split(SEPARATOR)
    return restored


def _meta(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value, _end = decode(value)
        except json.JSONDecodeError:
            raise RowFault(BAD_META) from None
        check_decoded(META, value)
    if not isinstance(value, dict):
        raise RowFault(BAD_META)
    return value
