"""Names for the columns of a table: every one has a name, and no two share it."""

from typing import Any

from annotation.imports.limits import Limits, over
from annotation.imports.normalise import check
from annotation.imports.reasons import ImportRefused, Reason, RowFault, gettext_noop

NAMELESS = gettext_noop("Column %(number)s has no name; it is called “%(name)s” here.")
TWICE = gettext_noop("Two columns are called “%(name)s”; the later one is “%(renamed)s” here.")
BAD_HEADER = gettext_noop("The header in row %(row)s cannot be used: %(fault)s")
TOO_FEW = gettext_noop(
    "The row has %(found)s cells where %(expected)s are expected. Check for a stray line break or "
    "a missing delimiter."
)
TOO_MANY = gettext_noop(
    "The row has %(found)s cells where %(expected)s are expected. Check for a delimiter inside a "
    "text that is not quoted."
)


def named(header: list[str], row: int, limits: Limits) -> tuple[tuple[str, ...], list[Reason]]:
    """Unique names from a header row; what had to be made up is noted."""
    if len(header) > limits.columns:
        raise over(limits, "columns")
    names: list[str] = []
    notes = []
    given = {cell.strip() for cell in header}
    for number, cell in enumerate(header, 1):
        name = cell.strip()
        if not name:
            name = _free(f"column_{number}", given)
            notes.append(Reason(NAMELESS, {"number": number, "name": name}))
        elif name in names:
            name = _free(f"{name}_2", given | set(names))
            notes.append(Reason(TWICE, {"name": cell.strip(), "renamed": name}))
        names.append(name)
    try:
        check(dict.fromkeys(names), limits)
    except RowFault as fault:
        raise ImportRefused(BAD_HEADER, row=row, fault=str(fault)) from None
    return tuple(names), notes


def numbered(width: int, limits: Limits) -> tuple[str, ...]:
    """Names for a table without a header."""
    if width > limits.columns:
        raise over(limits, "columns")
    return tuple(f"column_{number}" for number in range(1, width + 1))


def fitted(cells: list[Any], columns: tuple[str, ...]) -> dict[str, Any]:
    """The cells under their columns; raises RowFault when they are too few or too many."""
    if len(cells) < len(columns):
        raise RowFault(TOO_FEW, found=len(cells), expected=len(columns))
    if any(cell != "" for cell in cells[len(columns) :]):
        raise RowFault(TOO_MANY, found=len(cells), expected=len(columns))
    return dict(zip(columns, cells, strict=False))


def _free(name: str, taken: set[str]) -> str:
    stem, number = name.rpartition("_")[0], int(name.rpartition("_")[2])
    while name in taken:
        number += 1
        name = f"{stem}_{number}"
    return name
