"""XLSX and Parquet: typed cells, many sheets, and files made to harm their reader."""

import datetime
import gzip
import io
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from annotation.imports.limits import Limits
from annotation.imports.reasons import ImportRefused
from tests.annotation.reading import found, rows, write, write_gzip

OPENING = (
    b'<?xml version="1.0" encoding="UTF-8"?><worksheet '
    b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
)
CLOSING = b"</sheetData></worksheet>"


def write_book(directory, sheets, name="a.xlsx"):
    """A workbook from {sheet: [[cell, ...], ...]}."""
    path = directory / name
    book = xlsxwriter.Workbook(path)
    for title, table in sheets.items():
        sheet = book.add_worksheet(title)
        for number, cells in enumerate(table):
            for column, cell in enumerate(cells):
                sheet.write(number, column, cell)
    book.close()
    return path


def write_forged_book(directory, sheet, **more):
    """A workbook whose only sheet is this XML, with more parts beside it."""
    whole = io.BytesIO(write_book(directory, {"one": [["id", "text"]]}, "whole.xlsx").read_bytes())
    path = directory / "forged.xlsx"
    with (
        zipfile.ZipFile(whole) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as forged,
    ):
        for name in source.namelist():
            is_sheet = name == "xl/worksheets/sheet1.xml"
            forged.writestr(name, sheet if is_sheet else source.read(name))
        for name, content in more.items():
            forged.writestr(f"xl/{name}.xml", content)
    return path


def write_parquet(directory, name="a.parquet", **columns):
    path = directory / name
    pq.write_table(pa.table(columns), path)
    return path


def test_one_of_several_sheets_is_read_and_another_can_be_chosen(tmp_path):
    speeches = {
        "About": [],
        "Speech 1": [["", "nameLast", "EN", "GR"], [1.0, "Ράπτη", "A soft\u00adhyphen", "Κείμενο"]],
        "Speech 2": [["sequence", "PL"], [7.0, "Zażółć"]],
    }
    path = write_book(tmp_path, speeches)
    detection = found(path)
    assert detection.sheets == ("About", "Speech 1", "Speech 2")
    assert detection.sheet == "Speech 1"
    assert "has 3 sheets and one is read" in str(detection.notes[0])
    values = {"column_1": 1, "nameLast": "Ράπτη", "EN": "A soft\u00adhyphen", "GR": "Κείμενο"}
    assert rows(path)[0] == [(2, values)]
    assert rows(path, sheet="Speech 2")[0] == [(2, {"sequence": 7, "PL": "Zażółć"})]
    with pytest.raises(ImportRefused, match="Its sheets are “About”"):
        found(path, sheet="Speech 3")


def test_blank_rows_keep_the_numbers_of_the_sheet(tmp_path):
    path = write_book(tmp_path, {"one": [["id", "text"], [1, "a"], [], [2, "b"]]})
    assert [number for number, _ in rows(path)[0]] == [2, 4]


def test_a_sparse_workbook_is_refused_before_it_is_opened(tmp_path):
    far = (
        b'<row r="1"><c r="A1"><v>1</v></c></row><row r="9"><c  s="0" r=\'XFD9\'><v>1</v></c></row>'
    )
    with pytest.raises(ImportRefused, match=r"256 columns \(IMPORT_MAX_COLUMNS\)"):
        rows(write_forged_book(tmp_path, OPENING + far + CLOSING))
    far = b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="IV1048576"/></row>'
    with pytest.raises(ImportRefused, match=r"MB of memory \(IMPORT_MEMORY_MB\)"):
        rows(write_forged_book(tmp_path, OPENING + far + CLOSING))


@pytest.mark.parametrize("row", [b'<row r="%d"><c r="A%d"><v>1</v></c></row>', b"<row><c/></row>"])
def test_a_workbook_with_too_many_rows_is_refused_before_it_is_opened(tmp_path, row):
    numbers = range(1, 104)
    sheet = b"".join(row % (n, n) if b"%d" in row else row for n in numbers)
    path = write_forged_book(tmp_path, OPENING + sheet + CLOSING)
    with pytest.raises(ImportRefused, match=r"100 rows \(IMPORT_MAX_ROWS\)"):
        rows(path, limits=Limits(rows=100))


def test_a_workbook_with_entities_is_refused(tmp_path):
    entity = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    with pytest.raises(ImportRefused, match="declares entities"):
        rows(write_forged_book(tmp_path, entity + OPENING[38:] + CLOSING))


def test_a_workbook_that_unpacks_a_thousandfold_is_refused(tmp_path):
    path = write_forged_book(tmp_path, OPENING + CLOSING, padding=bytes(20 << 20))
    with pytest.raises(ImportRefused, match=r"100 times its size \(IMPORT_MAX_RATIO\)"):
        rows(path)
    with pytest.raises(
        ImportRefused, match=r"10 MB of unpacked content \(IMPORT_MAX_UNPACKED_MB\)"
    ):
        rows(path, limits=Limits(unpacked_mb=10))


def test_a_cut_off_workbook_is_refused(tmp_path):
    whole = write_book(tmp_path, {"one": [["id", "text"], [1, "a"]]}).read_bytes()
    with pytest.raises(ImportRefused, match="workbook is damaged or cut off"):
        rows(write(tmp_path, "cut.xlsx", whole[: len(whole) // 2]))


def test_parquet_values_become_what_json_knows(tmp_path):
    path = write_parquet(
        tmp_path,
        id=[1, 2],
        text=pa.array(["a", "b"]).dictionary_encode(),
        labels=[["x", "y"], []],
        day=[datetime.date(2024, 5, 1), None],
        score=[0.5, float("nan")],
        raw=[None, b"\x00\xff"],
    )
    good, bad = rows(path)
    values = {"id": 1, "text": "a", "labels": ["x", "y"], "day": "2024-05-01", "score": 0.5}
    assert good == [(1, {**values, "raw": None})]
    assert bad[0][0] == 2
    assert "not a finite number" in bad[0][1]


def test_a_gzipped_parquet_file_is_read(tmp_path):
    path = write_parquet(tmp_path, text=["a"])
    packed = write_gzip(tmp_path, "a.parquet.gz", "")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert rows(packed)[0] == [(1, {"text": "a"})]


def test_a_parquet_dictionary_that_unpacks_to_a_flood_is_refused(tmp_path):
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 40_000, pa.int32()), pa.array(["x" * 999]))
    path = write_parquet(tmp_path, text=text)
    assert path.stat().st_size < 10_000
    with pytest.raises(
        ImportRefused, match=r"20 MB of unpacked content \(IMPORT_MAX_UNPACKED_MB\)"
    ):
        rows(path, limits=Limits(unpacked_mb=20))
    with pytest.raises(ImportRefused, match=r"10,000 rows \(IMPORT_MAX_ROWS\)"):
        rows(path, limits=Limits(rows=10_000))


def test_a_cut_off_or_damaged_parquet_file_is_refused(tmp_path):
    whole = write_parquet(tmp_path, text=[f"text number {n}" for n in range(2000)]).read_bytes()
    for content in (whole[:-50], whole[:40] + b"\xff" * 200 + whole[240:], b"PAR1"):
        with pytest.raises(ImportRefused, match="Parquet file is damaged, cut off"):
            rows(write(tmp_path, "bad.parquet", content))


def test_equal_parquet_column_names_are_renamed_visibly(tmp_path):
    table = pa.table([["a"], ["b"]], names=["text", "text"])
    pq.write_table(table, tmp_path / "a.parquet")
    assert rows(tmp_path / "a.parquet")[0] == [(1, {"text": "a", "text_2": "b"})]


def test_parquet_text_that_is_no_utf_8_refuses_its_row_only(tmp_path):
    raw = pa.array([b"a", b"caf\xe9", b"b"])
    path = write_parquet(tmp_path, text=pa.StringArray.from_buffers(3, *raw.buffers()[1:]))
    good, bad = rows(path)
    assert [number for number, _ in good] == [1, 3]
    assert bad[0][0] == 2
    assert "is broken" in bad[0][1]
