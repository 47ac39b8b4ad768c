"""The columns of an export, the same names in every format; free of Django, for readers of them.

The text fields of a project stand under their own names. A field that is called like one of our
columns gets a prefix, which a later import takes away again.
"""

from collections.abc import Iterable

FINAL = ("final_label", "final_source", "final_edition", "final_votes", "final_voters")
KNOWN = ("reference", "split", "origin", "flagged")
PROVENANCE = ("import_file", "import_hash", "created")
SUGGESTION = {  # column of a table: key of the nested suggestion
    "suggestion_label": "label",
    "suggestion_confidence": "confidence",
    "suggestion_entropy": "entropy",
    "suggestion_margin": "margin",
    "suggestion_covered_mass": "covered_mass",
    "suggestion_source": "source",
    "suggestion_machine": "machine",
    "suggestion_model": "model",
    "suggestion_technique": "technique",
    "suggestion_technique_version": "technique_version",
    "suggestion_edition": "edition",
    "suggestion_rationale": "rationale",
    "probabilities": "probabilities",
}
LISTS = ("annotations", "adjudications", "rounds")
HEAD = ("id", "sample_id")
CELLS = "cells"  # how the cells of a CSV file are written: GUARDED or RAW
GUARDED, RAW = "guarded", "raw"

NESTED = (*HEAD, *FINAL, *KNOWN, "suggestion", *LISTS, "meta", *PROVENANCE)
FLAT = (*HEAD, *FINAL, *KNOWN, *SUGGESTION, *LISTS, "meta", *PROVENANCE, CELLS)
OURS = frozenset(NESTED) | frozenset(FLAT)
PREFIX = "field_"

SEPARATOR = "|"  # between several labels in one cell; no slug contains it
NO_LABELS = "|"  # the cell of a multi-label answer that holds none


def column_of(field: str) -> str:
    """The column of a text field."""
    return PREFIX + field if _bare(field) in OURS else field


def field_of(column: str) -> str | None:
    """The text field that a column of an export holds; None for a column of ours."""
    if column in OURS:
        return None
    return column.removeprefix(PREFIX) if _bare(column) in OURS else column


def of_a_release(columns: Iterable[str]) -> bool:
    """Are these the columns of a file that SynthLab wrote?"""
    found = set(columns)
    return found.issuperset(NESTED) or found.issuperset(FLAT)


def nested(fields: Iterable[str]) -> tuple[str, ...]:
    return (*HEAD, *map(column_of, fields), *NESTED[len(HEAD) :])


def flat(fields: Iterable[str]) -> tuple[str, ...]:
    return (*HEAD, *map(column_of, fields), *FLAT[len(HEAD) :])


def _bare(name: str) -> str:
    while name.startswith(PREFIX):
        name = name[len(PREFIX) :]
    return name
