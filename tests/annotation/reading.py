"""Small files with the trouble of real ones, and one way to read them without a child process."""

import gzip

from annotation.imports.contracts import Options
from annotation.imports.detect import detect
from annotation.imports.limits import Limits
from annotation.imports.read import read
from annotation.imports.reasons import Refused, Row


def write(directory, name, content):
    """A file with this content; text is written as UTF-8, byte for byte."""
    path = directory / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def write_gzip(directory, name, content):
    return write(directory, name, gzip.compress(content.encode()))


def found(path, **options):
    return detect(path, path.name, Options(**options), Limits())


def rows(path, limits=None, **options):
    """The good rows as (number, values), and the refused ones as (number, reason)."""
    limits = limits or Limits()
    everything = list(read(path, detect(path, path.name, Options(**options), limits), limits))
    good = [(row.number, row.values) for row in everything if isinstance(row, Row)]
    bad = [(row.number, str(row.reason)) for row in everything if isinstance(row, Refused)]
    return good, bad
