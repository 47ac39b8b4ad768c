"""JSON Lines: one object a line, nested, exactly what is stored."""

from pathlib import Path
from typing import Any

from annotation.exports.tables import Layout, written

# Valid inside JSON, but some readers end a line at them.
_BREAKS = {"\u2028": "\\u2028", "\u2029": "\\u2029", "\x85": "\\u0085"}


class JsonLines:
    suffix = ".jsonl"

    def __init__(self, path: Path, layout: Layout) -> None:
        self.file = path.open("w", encoding="utf-8", newline="\n", buffering=1 << 20)

    def write(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            line = written(row)
            if not line.isascii():
                for sign, escaped in _BREAKS.items():
                    line = line.replace(sign, escaped)
            self.file.write(line + "\n")

    def close(self) -> None:
        self.file.close()

    abandon = close
