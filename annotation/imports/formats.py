"""Which kind of file it is, by its first bytes; the name only breaks ties."""

import json
import re
from pathlib import PurePath

from annotation.imports.reasons import ImportRefused, gettext_noop

HEAD = 1 << 16  # bytes that decide the format

UNSUPPORTED = gettext_noop("%(kind)s files cannot be read. %(advice)s")
EMPTY = gettext_noop("The file is empty. Choose a file that has at least one row.")
NESTED_GZIP = gettext_noop(
    "The gzip file has another compressed file in it. Unpack it once and upload the result."
)

AS_TABLE = gettext_noop("Open it in the program that made it and save it as .xlsx or .csv.")
AS_CSV = gettext_noop("Save it as .csv, .jsonl or .parquet, then upload that file.")
UNPACK = gettext_noop("Unpack it and upload the file inside, or compress that file with gzip.")
AS_TEXTS = gettext_noop("Copy the texts into a table, one a row, and save it as .xlsx or .csv.")
ONE_TOKEN = gettext_noop(
    "It has one word a line. Join the words of each sentence to one text and save it as .csv or "
    ".jsonl, one sentence a row."
)

# The signature, what it is, what to do.
_SIGNATURES = (
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Old Excel (.xls) or password-protected", AS_TABLE),
    (rb"<stata_dta>|[\x66-\x76][\x01\x02]\x01\x00", "Stata", AS_TABLE),
    (rb"\$FL[23]@\(#\)", "SPSS", AS_TABLE),
    (rb"RD[AX][234]\n|X\n\x00", "R", AS_CSV),
    (rb"SQLite format 3\x00", "SQLite", AS_CSV),
    (rb"ARROW1|FEA1|Obj\x01|ORC", "Arrow, Feather, Avro or ORC", AS_CSV),
    (rb"\x93NUMPY|\x80[\x02-\x05]", "NumPy or pickle", AS_CSV),
    (rb"%PDF-", "PDF", AS_TEXTS),
    (rb"\{\\rtf", "Rich text", AS_TEXTS),
    (rb"(?i:\s*<(?:!doctype html|html|\?xml))", "HTML or XML", AS_TEXTS),
    (rb"BZh[1-9]|\xfd7zXZ|7z\xbc\xaf|\x28\xb5\x2f\xfd|Rar!", "Compressed", UNPACK),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF|\x7fELF|MZ\x90", "Picture, sound or program", AS_TEXTS),
)
_SUFFIXES = {
    **dict.fromkeys((".conll", ".conllu", ".bio", ".iob", ".iob2"), ("CoNLL", ONE_TOKEN)),
    ".dta": ("Stata", AS_TABLE),
    **dict.fromkeys((".sav", ".zsav", ".por"), ("SPSS", AS_TABLE)),
    **dict.fromkeys((".xls", ".xlsb", ".ods", ".numbers"), ("Such spreadsheet", AS_TABLE)),
    **dict.fromkeys((".doc", ".docx", ".odt", ".rtf", ".pdf"), ("Document", AS_TEXTS)),
    **dict.fromkeys((".rds", ".rdata", ".feather", ".arrow", ".pkl"), ("Such", AS_CSV)),
    **dict.fromkeys((".zip", ".tar", ".7z", ".rar", ".bz2", ".xz", ".zst"), ("Archive", UNPACK)),
}
NAMED = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".json": "json", ".parquet": "parquet"}
NAMED |= {".jsonl": "jsonl", ".ndjson": "jsonl", ".xlsx": "xlsx", ".xlsm": "xlsx"}


def suffix(name: str) -> str:
    """The ending that speaks of the content: `.csv` for `a.csv.gz`."""
    path = PurePath(name.lower())
    return PurePath(path.stem).suffix if path.suffix in {".gz", ".gzip"} else path.suffix


def format_of(head: bytes, name: str) -> str:
    """csv, tsv, json, jsonl, parquet or xlsx; refuses what cannot be read and says what to do."""
    if not head:
        raise ImportRefused(EMPTY)
    if head.startswith(b"\x1f\x8b"):
        raise ImportRefused(NESTED_GZIP)
    for signature, kind, advice in _SIGNATURES:
        if re.match(signature, head):
            raise ImportRefused(UNSUPPORTED, kind=kind, advice=advice)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK"):
        return _zipped(head, name)
    if suffix(name) in _SUFFIXES:
        kind, advice = _SUFFIXES[suffix(name)]
        raise ImportRefused(UNSUPPORTED, kind=kind, advice=advice)
    return _text_format(head, NAMED.get(suffix(name)))


def _zipped(head: bytes, name: str) -> str:
    if suffix(name) in {".ods", ".odt", ".docx", ".zip"} or b"opendocument" in head[:200]:
        kind, advice = _SUFFIXES.get(suffix(name), ("OpenDocument", AS_TABLE))
        raise ImportRefused(UNSUPPORTED, kind=kind, advice=advice)
    return "xlsx"  # its directory is looked at before it is opened


def _text_format(head: bytes, named: str | None) -> str:
    """JSON shows itself by its first character; everything else that is text is a table."""
    encoding = "utf-8"
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    text = head.decode(encoding, "replace").lstrip("\ufeff").strip()
    first, _, rest = text.partition("\n")
    if text[:1] not in ("{", "["):
        return named if named in ("csv", "tsv") else _table_format(first)
    try:
        json.loads(first, parse_int=float)  # thousands of digits are judged later, row by row
    except (ValueError, RecursionError):
        whole = False
    else:
        whole = True
    if named in ("json", "jsonl"):
        several = whole and rest.lstrip()[:1] in ("{", "[")
        return "jsonl" if several else named
    if named in ("csv", "tsv") and not whole:
        return named  # a text that begins with a bracket
    return "jsonl" if whole and rest.strip() else "json"


def _table_format(first: str) -> str:
    return "tsv" if first.count("\t") > first.count(",") else "csv"
