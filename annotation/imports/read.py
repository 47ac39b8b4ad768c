"""The rows of a file, whatever its format, each either fit to store or refused with a reason."""

from collections.abc import Iterator
from pathlib import Path

from annotation.imports.contracts import Detection
from annotation.imports.detect import format_module
from annotation.imports.limits import Limits, over
from annotation.imports.normalise import check
from annotation.imports.reasons import Refused, Row, RowFault, refused


def read(path: Path, found: Detection, limits: Limits) -> Iterator[Row | Refused]:
    """Lazily, in file order; raises ImportRefused when the file as a whole cannot be used."""
    most = limits.rows
    for count, row in enumerate(format_module(found.format).rows(path, found, limits), 1):
        if count > most:
            raise over(limits, "rows")
        if type(row) is Row:
            try:
                check(row.values, limits)
            except RowFault as fault:
                row = refused(row.number, fault, row.values)
        yield row
