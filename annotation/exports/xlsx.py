"""An Excel workbook. Every text is stored as text, so no cell is a formula, a link or a number.

Texts that look like formulas also carry Excel's own quote prefix, which is no part of the text:
they stay text when someone edits the cell.
"""

import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import xlsxwriter

from annotation.exports.guard import is_dangerous
from annotation.exports.tables import Layout, cells, columns_of
from annotation.exports.wanted import XLSX_CHARACTERS, too_long

EPOCH = datetime(2000, 1, 1)  # the same state of a project gives the same bytes


class Xlsx:
    suffix = ".xlsx"

    def __init__(self, path: Path, layout: Layout) -> None:
        # Its texts are as they are: what guards them is no part of them.
        self.layout, self.columns = replace(layout, raw=True), columns_of(layout)
        self.scratch = tempfile.TemporaryDirectory(dir=path.parent, prefix=f"{path.name}-")
        options = {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "tmpdir": self.scratch.name,
        }
        self.book = xlsxwriter.Workbook(str(path), options)
        self.book.set_properties({"created": EPOCH})
        self.quoted = self.book.add_format({"quote_prefix": True})
        self.sheet = self.book.add_worksheet("samples")
        self.sheet.freeze_panes(1, 1)
        self.line = 0
        self._line(0, self.columns)

    def write(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            self._line(row["sample_id"], cells(row, self.layout, self.columns))

    def _line(self, sample_id: int, values) -> None:
        for place, value in enumerate(values):
            if isinstance(value, str):
                if len(value) > XLSX_CHARACTERS:
                    raise too_long(sample_id, self.columns[place], len(value))
                style = self.quoted if is_dangerous(value) else None
                self.sheet.write_string(self.line, place, value, style)
            elif isinstance(value, bool):
                self.sheet.write_boolean(self.line, place, value)
            elif value is not None:
                self.sheet.write_number(self.line, place, value)
        self.line += 1

    def close(self) -> None:
        self.book.close()
        self.scratch.cleanup()

    def abandon(self) -> None:
        """The sheet's file stays open until the workbook is closed."""
        self.book.close()
        self.scratch.cleanup()
