"""How a file is to be read; whatever is found out, the user's options overrule it."""

import codecs
import importlib
from dataclasses import replace
from pathlib import Path

from annotation.imports.contracts import Detection, Format, Options
from annotation.imports.formats import HEAD, NAMED, format_of, suffix
from annotation.imports.limits import Limits
from annotation.imports.reasons import ImportRefused, Reason, gettext_noop
from annotation.imports.source import opened

# Loaded by name, so that a CSV file does not wait for Arrow.
FORMATS = {
    "csv": "annotation.imports.delimited",
    "tsv": "annotation.imports.delimited",
    "json": "annotation.imports.json_records",
    "jsonl": "annotation.imports.json_lines",
    "parquet": "annotation.imports.parquet",
    "xlsx": "annotation.imports.xlsx",
}

OTHER_NAME = gettext_noop("The name says .%(named)s, but the content is %(format)s.")
BAD_OPTION = gettext_noop("“%(value)s” is no %(option)s that is known here.")


def format_module(name: str) -> Format:
    return importlib.import_module(FORMATS[name])


def detect(path: Path, name: str, options: Options, limits: Limits) -> Detection:
    """Everything about the file that a preview shows; raises ImportRefused with what to do."""
    _check(options)
    with opened(path, limits) as stream:
        head = stream.read(HEAD)
    found_format = options.format or format_of(head, name)
    tab = options.format == "tsv" or (options.format is None and found_format == "tsv")
    found = format_module(found_format).inspect(path, options, limits, tab)
    named = NAMED.get(suffix(name))
    if options.format or named is None or named == found.format:
        return found
    note = Reason(OTHER_NAME, {"named": named, "format": found.format.upper()})
    return replace(found, notes=(note, *found.notes))


def _check(options: Options) -> None:
    if options.format is not None and options.format not in FORMATS:
        raise ImportRefused(BAD_OPTION, option="format", value=options.format)
    if options.delimiter is not None and (
        len(options.delimiter) != 1 or options.delimiter in '"\r\n'
    ):
        raise ImportRefused(BAD_OPTION, option="delimiter", value=options.delimiter)
    try:
        codecs.lookup(options.encoding or "utf-8")
    except LookupError:
        raise ImportRefused(BAD_OPTION, option="encoding", value=options.encoding) from None
