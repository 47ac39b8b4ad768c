"""Opening an upload: unpacks gzip, counts every byte that comes out, hides where it came from."""

import gzip
import io
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from annotation.imports.limits import MB, RATIO_FROM, Limits, over
from annotation.imports.reasons import ImportRefused, gettext_noop

GZIP = b"\x1f\x8b"
BLOCK = 1 << 18

BROKEN_GZIP = gettext_noop(
    "The gzip file is damaged or cut off. Compress the file again, or upload it uncompressed."
)


class _Counted(io.RawIOBase):
    """Passes bytes through until a limit on their number is reached."""

    def __init__(self, stream: BinaryIO, packed: int | None, limits: Limits) -> None:
        self.stream, self.packed, self.limits, self.unpacked = stream, packed, limits, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        try:
            count = self.stream.readinto(buffer)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise ImportRefused(BROKEN_GZIP) from None
        self.unpacked += count
        if self.unpacked > self.limits.unpacked_mb * MB:
            raise over(self.limits, "unpacked_mb")
        if self.packed and self.unpacked > max(RATIO_FROM, self.packed * self.limits.ratio):
            raise over(self.limits, "ratio")
        return count


def is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == GZIP


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[BinaryIO]:
    """The unpacked content as a buffered stream that cannot seek."""
    with path.open("rb") as file:
        packed = is_gzip(path)
        stream = gzip.GzipFile(fileobj=file) if packed else file
        size = path.stat().st_size if packed else None
        yield io.BufferedReader(_Counted(stream, size, limits), BLOCK)


@contextmanager
def seekable(path: Path, limits: Limits) -> Iterator[BinaryIO]:
    """The unpacked content as a real file, for formats whose index stands at the end."""
    if not is_gzip(path):
        with path.open("rb") as file:
            yield file
        return
    with opened(path, limits) as stream, tempfile.TemporaryFile() as unpacked:
        while block := stream.read(BLOCK):
            unpacked.write(block)
        unpacked.seek(0)
        yield unpacked
