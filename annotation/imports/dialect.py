"""How a text table is written: its delimiter, whether quotes quote, whether it has a header."""

import csv
import io
import re
from collections import Counter
from typing import NamedTuple

NONE = "\x1f"  # the delimiter of a table of one column: the unit separator, in no text
DELIMITERS = (",", "\t", ";", "|")
FEW = 1 << 16  # characters that decide the delimiter

# Words of which a header has at least one, as a rule.
KNOWN = frozenset(
    (
        *("id", "idx", "index", "uuid", "guid", "text", "texts", "sentence", "sentences"),
        *("content", "body", "message", "question", "answer", "headline", "title", "tweet"),
        *("comment", "review", "document", "utterance", "query", "prompt", "instruction"),
        *("input", "output", "response", "label", "labels", "category", "class", "intent"),
        *("intents", "target", "gold", "sentiment", "stance", "split", "set", "subset", "fold"),
        *("partition", "lang", "language", "source", "author", "date", "url", "name", "type"),
        *("tokens",),
    )
)


class Shape(NamedTuple):
    """What one way to read a sample makes of it."""

    records: int
    width: int
    consistent: float  # the share of records that have this width
    broken: bool  # a closing quote that is none, or an open one at the end

    @property
    def even(self) -> int:
        """How many records have the usual width."""
        return round(self.records * self.consistent)


def delimiter_of(text: str, tab: bool) -> str:
    """The delimiter that gives the most rows the same number of cells; `tab`: the name says so."""
    text = _whole_lines(text, FEW)
    best, best_score = NONE, 0.0
    for delimiter in ("\t", ",", ";", "|") if tab else DELIMITERS:
        shapes = [shape_of(text, delimiter, quoting) for quoting in (True, False)]
        score = max(shape.consistent if shape.width > 1 else 0.0 for shape in shapes)
        if _first_width(text, delimiter) < 2:
            score = 0.0
        if delimiter == "\t":
            score *= 1.2  # texts have commas in them, and hardly ever tabs
        if score > best_score and score >= 0.5:
            best, best_score = delimiter, score
    if best == NONE and shape_of(text, ",", quoting=True)[1:] == (1, 1.0, False):
        return "\t" if tab else ","
    return best


def quoting_of(text: str, delimiter: str) -> bool:
    """Whether double quotes enclose cells, or are just characters of the texts."""
    if '"' not in text:
        return True
    on, off = shape_of(text, delimiter, quoting=True), shape_of(text, delimiter, quoting=False)
    # Where quotes glue lines together that are rows by themselves, or do not close where a cell
    # ends, they are no quoting. A comma may well stand in a quoted line; a tab hardly ever does.
    glued = off.even > on.even and off.consistent >= 0.9
    if glued and (on.broken or delimiter == "\t"):
        return False
    return off.consistent <= on.consistent + 0.01


def header_of(rows: list[list[str]]) -> bool:
    """Whether the first row names the columns."""
    first, body = rows[0], rows[1:]
    names = [cell.strip() for cell in first]
    given = [name for name in names if name]
    if not given or (len(set(given)) < len(given) and not body):
        return False
    if any(re.fullmatch(r"[-+]?\d+([.,]\d+)*", name) for name in given):
        return False
    words = {word for name in given for word in re.split(r"[\W_]+", name.lower())}
    if any(len(name) > 100 for name in given):
        return False
    if {name.lower() for name in given} & KNOWN:
        return True
    for position, name in enumerate(names):
        column = [row[position] for row in body if position < len(row)]
        if name and name in column:
            return False  # a value like the others
    if any(len(name.split()) > 8 or name.endswith((".", "!")) for name in given):
        return False
    return bool(words & KNOWN) or bool(body)


def shape_of(text: str, delimiter: str, quoting: bool) -> Shape:
    broken = False
    widths: Counter[int] = Counter()
    style = csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE
    reader = csv.reader(_lines(text), delimiter=delimiter, quoting=style, strict=True)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error:
            broken = True
            continue
        if row:
            widths[len(row)] += 1
    records = widths.total()
    if not records:
        return Shape(0, 0, 0.0, broken)
    width, count = widths.most_common(1)[0]
    return Shape(records, width, count / records, broken)


def _first_width(text: str, delimiter: str) -> int:
    for row in csv.reader(_lines(text), delimiter=delimiter):
        if row:
            return len(row)
    return 0


def _lines(text: str) -> io.StringIO:
    return io.StringIO(text, newline="")  # str.splitlines would also split at U+2028


def _whole_lines(text: str, size: int) -> str:
    return text if len(text) <= size else text[: text.rfind("\n", 0, size) + 1 or size]
