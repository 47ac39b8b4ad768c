"""CSV and TSV: one record at a time, numbered by the line on which it begins."""

import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from annotation.imports import dialect
from annotation.imports.columns import fitted, named, numbered
from annotation.imports.contracts import Detection, Options
from annotation.imports.encodings import Encoding, encoding_of, handler
from annotation.imports.formats import EMPTY
from annotation.imports.limits import MB, Limits, over
from annotation.imports.reasons import (
    ImportRefused,
    Reason,
    Refused,
    Row,
    RowFault,
    gettext_noop,
    refused,
)
from annotation.imports.source import opened

SAMPLE = 4 * MB  # characters that decide about the quoting
_CONTROLS = frozenset(map(chr, range(32))) - set("\t\n\r\f")
SLACK = 4  # a cell may be this many times too long before the file, not the row, is refused

NOT_A_TABLE = gettext_noop("Row %(row)s cannot be read as %(format)s: %(error)s.")
BAD_ENCODING = gettext_noop(
    "The file is not %(encoding)s text throughout, or it is cut off. Choose another encoding, or "
    "save it as UTF-8."
)
OPEN_QUOTE = gettext_noop(
    "A double quote opens in this row and never closes. Close it, or read the file with quoting "
    "off; the file may also be cut off."
)
BINARY = gettext_noop(
    "The file is no text, whatever its name says. Open it in the program that made it and save it "
    "as .xlsx or .csv."
)
QUOTES_OFF = gettext_noop("Double quotes are read as characters of the texts: quoting is off.")
GUESSED = gettext_noop(
    "The encoding %(encoding)s is a guess (confidence %(percent)s %%). Check that accents and "
    "signs look right in the preview."
)


class _Lines:
    """The lines of a text, none longer than `cap`, with those of the present record kept."""

    def __init__(self, text: io.TextIOBase, cap: int, limits: Limits) -> None:
        self.text, self.cap, self.limits = text, cap, limits
        self.kept: list[str] = []
        self.first = 1  # line on which the present record begins

    def __iter__(self) -> Iterator[str]:
        readline, cap, keep = self.text.readline, self.cap, self.kept.append
        while line := readline(cap):
            if len(line) == cap:
                raise over(self.limits, "cell_mb", row=f"{self.first:,}")
            keep(line)
            yield line


def inspect(path: Path, options: Options, limits: Limits, tab: bool) -> Detection:
    encoding = text_encoding(path, options, limits)
    sample = _sample(path, encoding.name, limits)
    csv.field_size_limit(max(len(sample), 1))  # a cell of a megabyte is no broken quoting
    delimiter = options.delimiter or dialect.delimiter_of(sample, tab)
    quoting = options.quoting
    if quoting is None:
        quoting = dialect.quoting_of(sample, delimiter)
    notes = [] if quoting or options.quoting is False else [Reason(QUOTES_OFF)]
    if note := guess_note(encoding):
        notes.append(note)
    first = _first_rows(sample, delimiter, quoting)
    header = dialect.header_of([cells for _, cells in first])
    if options.header is not None:
        header = options.header
    if header:
        columns, made_up = named(first[0][1], first[0][0], limits)
        notes += made_up
    else:
        columns = numbered(_usual_width(first), limits)
    return Detection(
        format="tsv" if delimiter == "\t" else "csv",
        encoding=encoding.name,
        confidence=encoding.confidence,
        delimiter=delimiter,
        quoting=quoting,
        header=header,
        columns=columns,
        notes=tuple(notes),
    )


def rows(path: Path, found: Detection, limits: Limits) -> Iterator[Row | Refused]:
    """Every record but the header; a blank line is no record."""
    columns, width = found.columns, len(found.columns)
    longest = SLACK * limits.cell_mb * MB
    csv.field_size_limit(longest)
    with opened(path, limits) as stream:
        lines = _Lines(_decoded(stream, found.encoding), longest * SLACK, limits)
        reader = csv.reader(lines, delimiter=found.delimiter, quoting=_style(found.quoting))
        waiting: Row | Refused | None = None
        last: list[str] = []
        skip = found.header
        try:
            for cells in reader:
                number, lines.first = lines.first, reader.line_num + 1
                last = lines.kept.copy()
                lines.kept.clear()
                if not cells:
                    continue
                if skip:
                    skip = False
                    continue
                if waiting is not None:
                    yield waiting
                if len(cells) == width:
                    waiting = Row(number, dict(zip(columns, cells, strict=True)))
                else:
                    waiting = _ragged(number, cells, columns, last)
        except csv.Error as error:
            raise _csv_refused(error, lines.first, found, limits) from None
        except UnicodeDecodeError:
            raise ImportRefused(BAD_ENCODING, encoding=found.encoding) from None
        if waiting is not None:
            if found.quoting and _open_quote(last, found.delimiter):
                yield refused(waiting.number, RowFault(OPEN_QUOTE), "".join(last[:3]))
            else:
                yield waiting


def text_encoding(path: Path, options: Options, limits: Limits) -> Encoding:
    """The encoding of a text file, found over its whole length unless the user says it."""
    if options.encoding:
        return Encoding(options.encoding, 1.0)
    with opened(path, limits) as stream:
        return encoding_of(stream)


def guess_note(encoding: Encoding) -> Reason | None:
    if encoding.confidence == 1:
        return None
    percent = round(100 * encoding.confidence)
    return Reason(GUESSED, {"encoding": encoding.name, "percent": percent})


def _sample(path: Path, encoding: str, limits: Limits) -> str:
    """The beginning of the text, whole lines, from which everything else is found out."""
    with opened(path, limits) as stream:
        text = _decoded(stream, encoding)
        try:
            sample = text.read(SAMPLE)
            cut = bool(text.read(1))
        except UnicodeDecodeError:
            raise ImportRefused(BAD_ENCODING, encoding=encoding) from None
    if sum(character in _CONTROLS for character in sample[:4096]) * 20 > len(sample[:4096]):
        raise ImportRefused(BINARY)
    if cut:  # at the end of a line; a record cut in two is one odd row among thousands
        sample = sample[: sample.rfind("\n") + 1] or sample
    return sample


def _decoded(stream, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(stream, encoding, handler(encoding), newline="")


def _style(quoting: bool) -> int:
    return csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE


def _first_rows(sample: str, delimiter: str, quoting: bool) -> list[tuple[int, list[str]]]:
    """The first records with their lines, enough to tell a header from a value."""
    reader = csv.reader(
        io.StringIO(sample, newline=""), delimiter=delimiter, quoting=_style(quoting)
    )
    first = [(reader.line_num, cells) for cells in islice(reader, 2000) if cells]
    if not first:
        raise ImportRefused(EMPTY)
    return first


def _usual_width(first: list[tuple[int, list[str]]]) -> int:
    widths = [len(cells) for _, cells in first]
    return max(set(widths), key=widths.count)


def _ragged(number: int, cells: list[str], columns: tuple[str, ...], last: list[str]):
    try:
        return Row(number, fitted(cells, columns))
    except RowFault as fault:
        return refused(number, fault, "".join(last[:3]).rstrip("\r\n"))


def _open_quote(last: list[str], delimiter: str) -> bool:
    """Whether the file ends inside a quoted cell, which a lenient reader does not tell."""
    if not any('"' in line for line in last):
        return False
    try:
        list(csv.reader(last, delimiter=delimiter, strict=True))
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


def _csv_refused(error: csv.Error, row: int, found: Detection, limits: Limits) -> ImportRefused:
    if "field larger" in str(error):
        return over(limits, "cell_mb", row=f"{row:,}")
    return ImportRefused(NOT_A_TABLE, row=f"{row:,}", format=found.format.upper(), error=str(error))
