"""Looks through a workbook before it is opened: how big it would be, and whether it is honest.

The reader makes a dense table of everything between the first and the last cell, so one cell at
XFD1048576 would be a table of 17 thousand million.
"""

import re
import zipfile
import zlib
from typing import BinaryIO

from annotation.imports.formats import UNPACK, UNSUPPORTED
from annotation.imports.limits import MB, RATIO_FROM, Limits, over
from annotation.imports.reasons import ImportRefused, gettext_noop

BLOCK = 1 << 20
CELL_BYTES = 32  # what one cell of the dense table takes

_CELL = re.compile(
    rb"<(?:[A-Za-z_][\w.-]*:)?c\s[^>]*?\br\s*=\s*[\"']\$?([A-Za-z]{1,7})\$?([0-9]{1,10})"
)
_ROW = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?row\s[^>]*?\br\s*=\s*[\"']([0-9]{1,10})")
_BARE_ROW = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?row[\s>/]")
_ENTITY = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)

BROKEN = gettext_noop(
    "The workbook is damaged or cut off. Open it in a spreadsheet program and save it again as "
    ".xlsx, or save the sheet as .csv."
)
ENTITIES = gettext_noop(
    "The workbook declares entities, which no spreadsheet program writes. Save the sheet as .csv."
)


def scan(file: BinaryIO, limits: Limits) -> None:
    """Refuse a workbook that is no workbook, would not fit the limits or hides something."""
    try:
        with zipfile.ZipFile(file) as archive:
            if "xl/workbook.xml" not in archive.namelist():
                raise ImportRefused(UNSUPPORTED, kind="ZIP", advice=UNPACK)
            _directory(archive, limits)
            unpacked = 0
            for member in archive.infolist():
                if member.filename.lower().endswith((".xml", ".rels")):
                    unpacked += _member(archive, member, limits, unpacked)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError):
        raise ImportRefused(BROKEN) from None
    finally:
        file.seek(0)


def _directory(archive: zipfile.ZipFile, limits: Limits) -> None:
    unpacked = sum(member.file_size for member in archive.infolist())
    packed = sum(member.compress_size for member in archive.infolist())
    if unpacked > limits.unpacked_mb * MB:
        raise over(limits, "unpacked_mb")
    if unpacked > max(RATIO_FROM, packed * limits.ratio):
        raise over(limits, "ratio")


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limits: Limits, before: int) -> int:
    """The true size of one part; the sheets among them are measured."""
    sheet = member.filename.lower().startswith("xl/worksheets/")
    size, rest, extent = 0, b"", _Extent(limits)
    with archive.open(member) as part:
        while block := part.read(BLOCK):
            size += len(block)
            if before + size > limits.unpacked_mb * MB:
                raise over(limits, "unpacked_mb")
            if size == len(block) and (block[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in block):
                raise ImportRefused(BROKEN)  # UTF-16 would hide from the patterns
            block = rest + block
            if _ENTITY.search(block):
                raise ImportRefused(ENTITIES)
            if sheet:
                extent.add(block)
            cut = block.rfind(b"<")
            rest = block[cut:] if cut >= 0 and len(block) - cut < 4096 else b""
    return size


class _Extent:
    """How far the cells of a sheet reach."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.rows, self.columns, self.bare = limits, 0, 0, 0

    def add(self, block: bytes) -> None:
        cells = set(_CELL.findall(block))
        letters = {column for column, _ in cells}
        self.columns = max([self.columns, *(_number(column) for column in letters)])
        numbers = {int(row) for _, row in cells} | {int(row) for row in _ROW.findall(block)}
        self.bare += sum(1 for _ in _BARE_ROW.finditer(block))
        self.rows = max([self.rows, self.bare, *numbers])
        if self.columns > self.limits.columns:
            raise over(self.limits, "columns")
        if self.rows > self.limits.rows + 1:  # one is the header
            raise over(self.limits, "rows")
        if self.rows * self.columns * CELL_BYTES > self.limits.memory_mb * MB // 2:
            raise over(self.limits, "memory_mb")


def _number(letters: bytes) -> int:
    """A column's number: A is 1, XFD is 16,384."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number
