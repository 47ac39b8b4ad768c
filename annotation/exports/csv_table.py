"""CSV as RFC 4180 has it: commas, quotes doubled, CRLF; UTF-8 with the mark that Excel needs."""

import csv
from pathlib import Path
from typing import Any

from annotation.exports.guard import guarded
from annotation.exports.tables import Layout, cells, columns_of


class Csv:
    suffix = ".csv"

    def __init__(self, path: Path, layout: Layout) -> None:
        self.layout, self.columns = layout, columns_of(layout)
        self.file = path.open("w", encoding="utf-8-sig", newline="", buffering=1 << 20)
        self.writer = csv.writer(self.file)
        self.writer.writerow([self._cell(column) for column in self.columns])

    def write(self, rows: list[dict[str, Any]]) -> None:
        self.writer.writerows(
            [self._cell(cell) for cell in cells(row, self.layout, self.columns)] for row in rows
        )

    def _cell(self, value: Any) -> Any:
        if isinstance(value, str):
            return value if self.layout.raw else guarded(value)
        if isinstance(value, bool):
            return "true" if value else "false"
        return value

    def close(self) -> None:
        self.file.close()

    abandon = close
