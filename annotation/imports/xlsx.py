"""XLSX: one sheet, its rows numbered as the spreadsheet program numbers them."""

import datetime
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from annotation.imports.columns import fitted, named, numbered
from annotation.imports.contracts import Detection, Options
from annotation.imports.dialect import header_of
from annotation.imports.formats import EMPTY
from annotation.imports.limits import Limits
from annotation.imports.reasons import (
    ImportRefused,
    Reason,
    Refused,
    Row,
    RowFault,
    gettext_noop,
    refused,
)
from annotation.imports.source import seekable
from annotation.imports.xlsx_scan import BROKEN, scan

NO_SHEET = gettext_noop("The workbook has no sheet “%(sheet)s”. Its sheets are %(sheets)s.")
SHEETS = gettext_noop(
    "The workbook has %(count)s sheets and one is read: “%(sheet)s”. Choose another one if the "
    "samples are there, and import them one by one if you need several."
)


def inspect(path: Path, options: Options, limits: Limits, tab: bool) -> Detection:
    with seekable(path, limits) as file:
        book = _opened(file, limits)
        sheets = tuple(
            sheet.name for sheet in book.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet
        )
        name = options.sheet or _first_full(book, sheets)
        if name not in sheets:
            listed = ", ".join(f"“{sheet}”" for sheet in sheets[:40])
            raise ImportRefused(NO_SHEET, sheet=name, sheets=listed)
        first = list(islice(_cells(_sheet(book, name)), 200))
    if not first:
        raise ImportRefused(EMPTY)
    notes = [Reason(SHEETS, {"count": len(sheets), "sheet": name})] if len(sheets) > 1 else []
    header = options.header
    if header is None:
        header = header_of([[str(cell) for cell in cells] for _, cells in first])
    if header:
        columns, made_up = named([str(cell) for cell in first[0][1]], first[0][0], limits)
        notes += made_up
    else:
        columns = numbered(len(first[0][1]), limits)
    return Detection(
        "xlsx", header=header, sheet=name, sheets=sheets, columns=columns, notes=tuple(notes)
    )


def rows(path: Path, found: Detection, limits: Limits) -> Iterator[Row | Refused]:
    with seekable(path, limits) as file:
        filled = _cells(_sheet(_opened(file, limits), found.sheet))
        for number, cells in islice(filled, 1 if found.header else 0, None):
            try:
                yield Row(number, fitted(cells, found.columns))
            except RowFault as fault:
                yield refused(number, fault, cells)


def _opened(file: BinaryIO, limits: Limits) -> CalamineWorkbook:
    scan(file, limits)
    try:
        return CalamineWorkbook.from_filelike(file)
    except CalamineError:
        raise ImportRefused(BROKEN) from None


def _sheet(book: CalamineWorkbook, name: str) -> CalamineSheet:
    try:
        return book.get_sheet_by_name(name)
    except CalamineError:
        raise ImportRefused(BROKEN) from None


def _first_full(book: CalamineWorkbook, sheets: tuple[str, ...]) -> str:
    """The first visible sheet that has cells."""
    shown = [s.name for s in book.sheets_metadata if s.visible == SheetVisibleEnum.Visible]
    for name in (name for name in sheets if name in shown):
        if _sheet(book, name).total_height:
            return name
    raise ImportRefused(EMPTY)


def _cells(sheet: CalamineSheet) -> Iterator[tuple[int, list[Any]]]:
    """The rows that are not blank, with their numbers in the sheet."""
    first = sheet.start[0] if sheet.start else 0
    for number, cells in enumerate(sheet.iter_rows(), first + 1):
        if any(cell != "" for cell in cells):
            yield number, [_plain(cell) for cell in cells]


def _plain(cell: Any) -> Any:
    """A workbook stores every number as a float, and dates as days."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return int(cell)
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    return str(cell) if isinstance(cell, datetime.timedelta) else cell
