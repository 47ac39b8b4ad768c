"""What is asked of a format and what it answers: the words that all of its readers share."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from annotation.imports.limits import Limits
from annotation.imports.reasons import Reason, Refused, Row


@dataclass(frozen=True)
class Options:
    """What the user says about the file; None means: find out."""

    format: str | None = None  # csv, tsv, json, jsonl, parquet, xlsx
    encoding: str | None = None
    delimiter: str | None = None
    quoting: bool | None = None
    header: bool | None = None
    sheet: str | None = None  # of a workbook
    records: str | None = None  # where the list is in a JSON file: "data.items"; "" is the top


@dataclass(frozen=True)
class Detection:
    """How a file is read. Every field but the last three can be set through Options."""

    format: str
    encoding: str | None = None
    confidence: float = 1.0  # of the encoding; 1 is proof, one half a guess
    delimiter: str | None = None
    quoting: bool | None = None
    header: bool | None = None
    sheet: str | None = None
    records: str | None = None
    sheets: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    notes: tuple[Reason, ...] = ()  # what a person should know before trusting the rows


class Format(Protocol):
    """One module for each kind of file."""

    def inspect(self, path: Path, options: Options, limits: Limits, tab: bool) -> Detection: ...

    def rows(self, path: Path, found: Detection, limits: Limits) -> Iterator[Row | Refused]: ...
