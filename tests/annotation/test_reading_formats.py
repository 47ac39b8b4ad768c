"""What is refused at the door, with a message that says what to do instead."""

import gzip
import struct
import zipfile

import pytest

from annotation.imports.process import safe_name
from annotation.imports.reasons import ImportRefused
from tests.annotation.reading import found, rows, write, write_gzip

OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
STATA = struct.pack("<BBBB", 0x73, 2, 1, 0) + bytes(200)

UNSUPPORTED = {
    "stata.dta": (STATA, "Stata files cannot be read.*save it as .xlsx or .csv"),
    "no_ending": (STATA, "Stata"),
    "named.csv": (OLE2, "Old Excel .*save it as .xlsx or .csv"),
    "words.conll": (b"@paul\tO\nIt\tO\n\t\n", "one word a line.*one sentence a row"),
    "paper.pdf": (b"%PDF-1.7 ...", "PDF files cannot be read"),
    "page.csv": (b"<!DOCTYPE html><html>", "HTML or XML"),
    "a.sqlite3": (b"SQLite format 3\x00", "SQLite"),
    "a.csv.bz2": (b"BZh91AY&SY", "Compressed"),
    "empty.csv": (b"", "The file is empty"),
    "blank.csv": (b"\n\n", "The file is empty"),
    "noise.csv": (bytes(range(256)) * 40, "no text, whatever its name says"),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_it_is_refused_with_what_to_do(tmp_path, name):
    content, message = UNSUPPORTED[name]
    with pytest.raises(ImportRefused, match=message):
        rows(write(tmp_path, name, content))


def test_a_plain_zip_is_no_workbook(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("../../evil.csv", "id,text\n1,a\n")
    with pytest.raises(ImportRefused, match="ZIP files cannot be read"):
        rows(tmp_path / "a.xlsx")
    assert [path.name for path in tmp_path.iterdir()] == ["a.xlsx"]


def test_gzip_in_gzip_and_broken_gzip_are_refused(tmp_path):
    inner = write_gzip(tmp_path, "in.csv.gz", "id,text\n1,a\n" * 500).read_bytes()
    with pytest.raises(ImportRefused, match="damaged or cut off"):
        rows(write(tmp_path, "cut.csv.gz", inner[:-20]))
    outer = tmp_path / "out.gz"
    outer.write_bytes(gzip.compress(inner))
    with pytest.raises(ImportRefused, match="another compressed file"):
        rows(outer)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", '{"id": 1, "text": "a"}\n{"id": 2, "text": "b"}\n', "jsonl"),
        ("a.csv", '[{"id": 1, "text": "a"}]', "json"),
        ("a.json", '{"text": "a"}\n{"text": "b"}\n', "jsonl"),
        ("a.json", "id,text\n1,a\n", "csv"),
        ("a.xlsx", "id,text\n1,a\n", "csv"),
        ("a.parquet", "id\ttext\n1\ta\n", "tsv"),
        ("upload", "id\ttext\n1\ta\n", "tsv"),
    ],
)
def test_the_content_decides_and_a_wrong_ending_is_noted(tmp_path, name, content, expected):
    detection = found(write(tmp_path, name, content))
    assert detection.format == expected
    assert ("The name says" in "".join(map(str, detection.notes))) == ("." in name)


def test_a_table_whose_texts_begin_with_a_bracket_stays_a_table(tmp_path):
    path = write(tmp_path, "a.csv", "[NAME] is here,1\n[NAME] left,2\n")
    assert found(path).format == "csv"
    assert len(rows(path)[0]) == 2


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.csv", "a.csv"),
        ("/abs/a\0b.csv", "ab.csv"),
        ("x" * 4096 + ".csv", "x" * 196 + ".csv"),
        ("..", "file"),
        ("2023-02-08_19:17:00.csv", "2023-02-08_19:17:00.csv"),
    ],
)
def test_a_file_name_is_only_ever_a_name(name, safe):
    assert safe_name(name) == safe
