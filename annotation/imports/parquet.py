"""Parquet, a few rows at a time; what its metadata claim about sizes is never believed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from annotation.imports.columns import named
from annotation.imports.contracts import Detection, Options
from annotation.imports.limits import MB, Limits, over
from annotation.imports.reasons import ImportRefused, Refused, Row, gettext_noop
from annotation.imports.source import seekable

BATCH = 128  # rows in memory at once: a dictionary may hold one huge text for all of them

BROKEN = gettext_noop(
    "The Parquet file is damaged, cut off or of a kind that cannot be read (%(error)s). Write it "
    "again, or save it as .csv or .jsonl."
)


def inspect(path: Path, options: Options, limits: Limits, tab: bool) -> Detection:
    with seekable(path, limits) as file:
        names = _opened(file).schema_arrow.names
    columns, notes = named(names, 1, limits)
    return Detection("parquet", columns=columns, notes=tuple(notes))


def rows(path: Path, found: Detection, limits: Limits) -> Iterator[Row | Refused]:
    number = decoded = 0
    with seekable(path, limits) as file:
        batches = _opened(file).iter_batches(BATCH, use_threads=False)
        while (batch := _next(batches)) is not None:
            columns = [_readable(column) for column in batch.columns]
            decoded += sum(column.nbytes for column in columns)
            if decoded > limits.unpacked_mb * MB:
                raise over(limits, "unpacked_mb")
            cells = [_values(column) for column in columns]
            for values in zip(*cells, strict=True):
                number += 1
                yield Row(number, dict(zip(found.columns, values, strict=True)))


def _opened(file) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file, memory_map=False, pre_buffer=False)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _refused(error) from None


def _next(batches: Iterator[pa.RecordBatch]) -> pa.RecordBatch | None:
    try:
        return next(batches, None)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _refused(error) from None


def _readable(column: pa.Array) -> pa.Array:
    """Values that JSON knows: decoded dictionaries, and dates and decimals as text."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_temporal(kind) or pa.types.is_decimal(kind):
        try:
            return column.cast(pa.string())
        except pa.ArrowException as error:
            raise _refused(error) from None
    return column


def _values(column: pa.Array) -> list[Any]:
    """Python values; bytes that are no UTF-8 become surrogates, which refuse their row only."""
    try:
        return column.to_pylist()
    except UnicodeDecodeError as error:
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            raise _refused(error) from None
    texts = column.cast(pa.large_binary()).to_pylist()
    return [text if text is None else text.decode("utf-8", "surrogateescape") for text in texts]


def _refused(error: Exception) -> ImportRefused:
    if isinstance(error, MemoryError):
        raise error
    return ImportRefused(BROKEN, error=str(error).splitlines()[0][:120])
