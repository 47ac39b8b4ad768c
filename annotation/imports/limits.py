"""What one import may cost. Each limit has the name of its setting, which its message repeats."""

from dataclasses import dataclass
from typing import Any

from annotation.imports.reasons import ImportRefused, RowFault, gettext_noop

MB = 1024 * 1024
RATIO_FROM = 16 * MB  # below this much unpacked content a ratio does no harm


@dataclass(frozen=True)
class Limits:
    """Everything an import may use at most; sizes in MB of 1,048,576 bytes."""

    upload_mb: int = 200
    unpacked_mb: int = 1024
    ratio: int = 100
    rows: int = 2_000_000
    columns: int = 256
    cell_mb: int = 1
    memory_mb: int = 1024
    cpu_seconds: int = 60
    wall_seconds: int = 120


SETTINGS = {
    "upload_mb": "IMPORT_MAX_UPLOAD_MB",
    "unpacked_mb": "IMPORT_MAX_UNPACKED_MB",
    "ratio": "IMPORT_MAX_RATIO",
    "rows": "IMPORT_MAX_ROWS",
    "columns": "IMPORT_MAX_COLUMNS",
    "cell_mb": "IMPORT_MAX_CELL_MB",
    "memory_mb": "IMPORT_MEMORY_MB",
    "cpu_seconds": "IMPORT_CPU_SECONDS",
    "wall_seconds": "IMPORT_WALL_SECONDS",
}

_MESSAGES = {
    "upload_mb": gettext_noop(
        "The limit of %(limit)s MB a file (%(setting)s) was reached. Split the file, or ask the "
        "operator to raise the limit."
    ),
    "unpacked_mb": gettext_noop(
        "The limit of %(limit)s MB of unpacked content (%(setting)s) was reached. Split the file, "
        "or ask the operator to raise the limit."
    ),
    "ratio": gettext_noop(
        "The file unpacks to more than %(limit)s times its size (%(setting)s), as files made to "
        "harm a reader do. Save the content again as a plain .csv or .jsonl file."
    ),
    "rows": gettext_noop(
        "The limit of %(limit)s rows (%(setting)s) was reached. Split the file, or ask the "
        "operator to raise the limit."
    ),
    "columns": gettext_noop(
        "The limit of %(limit)s columns (%(setting)s) was reached. Remove the columns that you do "
        "not need, or ask the operator to raise the limit."
    ),
    "cell_mb": gettext_noop(
        "A cell of row %(row)s is over the limit of %(limit)s MB a cell (%(setting)s). If the file "
        "has texts with a stray double quote in them, read it with quoting off."
    ),
    "memory_mb": gettext_noop(
        "The limit of %(limit)s MB of memory (%(setting)s) was reached. Save the content as .csv "
        "or .jsonl, which are read row by row, or split the file."
    ),
    "cpu_seconds": gettext_noop(
        "The limit of %(limit)s seconds of computing (%(setting)s) was reached. Split the file, or "
        "ask the operator to raise the limit."
    ),
    "wall_seconds": gettext_noop(
        "The limit of %(limit)s seconds for reading a file (%(setting)s) was reached. Split the "
        "file, or ask the operator to raise the limit."
    ),
}
_CELL = gettext_noop("A cell is over the limit of %(limit)s MB a cell (%(setting)s).")
_CELLS = gettext_noop("The row is over the limit of %(limit)s columns (%(setting)s).")


def from_settings(settings: object) -> Limits:
    """The limits that an object with IMPORT_... attributes sets; the rest are the defaults."""
    known = {name: getattr(settings, setting, None) for name, setting in SETTINGS.items()}
    return Limits(**{name: value for name, value in known.items() if value is not None})


def over(limits: Limits, name: str, **params: Any) -> ImportRefused:
    """The refusal of a whole file that names the limit it hit; the caller raises it."""
    return ImportRefused(_MESSAGES[name], **_named(limits, name), **params)


def cell_over(limits: Limits) -> RowFault:
    return RowFault(_CELL, **_named(limits, "cell_mb"))


def columns_over(limits: Limits) -> RowFault:
    return RowFault(_CELLS, **_named(limits, "columns"))


def _named(limits: Limits, name: str) -> dict[str, str]:
    return {"limit": f"{getattr(limits, name):,}", "setting": SETTINGS[name]}
