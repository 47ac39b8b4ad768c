"""The child process: what it stages, what it leaves behind, and how it dies."""

import json
import os
import threading
import time

import pytest

from annotation.imports.contracts import Options
from annotation.imports.limits import SETTINGS, Limits, from_settings
from annotation.imports.mapping import Mapping
from annotation.imports.process import preview, safe_name, stage, staged
from annotation.imports.reasons import ImportRefused
from synthlab.science.text import content_hash
from tests.annotation.reading import write

TEXT = Mapping(text=("text",))
TABLE = "id,text,label\n1,first,a\n2,second,b\n3,first,a\n4,,a\n5,third\n1,other,b\n"


def stage_it(path, directory, mapping=TEXT, limits=None, progress=None):
    return stage(path, path.name, Options(), mapping, limits or Limits(), directory, progress)


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_preview_shows_rows_detection_and_a_proposal(tmp_path):
    content = "id,text,label\n" + "".join(f"{n},text {n},a\n" for n in range(50)) + "x,y\n"
    path = write(tmp_path, "a.csv", content)
    shown = preview(path, path.name, Options(), Limits())
    assert len(shown.rows) == 20
    assert shown.rows[0] == (2, {"id": "0", "text": "text 0", "label": "a"})
    assert shown.detection.columns == ("id", "text", "label")
    assert shown.mapping == Mapping(text=("text",), id="id", reference="label")
    assert shown.refused[0].number == 52


def test_long_cells_are_cut_in_a_preview_only(tmp_path):
    path = write(tmp_path, "a.csv", "id,text\n1," + "x" * 5000 + "\n")
    assert len(preview(path, path.name, Options(), Limits()).rows[0].values["text"]) == 1001
    done = stage_it(path, tmp_path / "out")
    assert len(lines(done.samples_path)[0]["fields"]["text"]) == 5000


def test_staging_counts_good_refused_and_repeated_rows(tmp_path):
    mapping = Mapping(text=("text",), id="id", reference="label")
    done = stage_it(write(tmp_path, "a.csv", TABLE), tmp_path / "out", mapping)
    assert (done.rows, done.good, done.refused, done.duplicates) == (6, 3, 3, 1)
    first, _, third = lines(done.samples_path)
    assert first == {
        "row": 2,
        "hash": content_hash({"text": "first"}),
        "id": "1",
        "fields": {"text": "first"},
        "meta": {},
        "reference": "a",
        "split": "pool",
        "repeats": None,
    }
    assert (third["row"], third["repeats"]) == (4, 2)
    report = {line["row"]: line["reason"] for line in lines(done.refused_path)}
    assert report.keys() == {5, 6, 7}
    assert "“text” is empty" in report[5]
    assert "2 cells where 3" in report[6]
    assert "“1” stands in row 2 too" in report[7]
    assert staged(tmp_path / "out") == done


def test_unicode_forms_of_one_text_are_one_content(tmp_path):
    path = write(tmp_path, "a.csv", "id,text\n1,caf\u00e9\n2,cafe\u0301\n")
    assert stage_it(path, tmp_path / "out").duplicates == 1


def test_a_refused_file_leaves_nothing_and_can_be_staged_again(tmp_path):
    out = tmp_path / "out"
    path = write(tmp_path, "a.json", '[{"text": "a"}, {"text": ')
    with pytest.raises(ImportRefused, match="no valid JSON"):
        preview(path, path.name, Options(), Limits())
    path = write(tmp_path, "a.csv", "id,text\n" + "1,a\n" * 500)
    with pytest.raises(ImportRefused, match=r"100 rows \(IMPORT_MAX_ROWS\)"):
        stage_it(path, out, limits=Limits(rows=100))
    assert list(out.iterdir()) == []
    assert stage_it(path, out).good == 500
    assert sorted(file.name for file in out.iterdir()) == [
        *("refused.jsonl", "samples.jsonl", "summary.json"),
    ]


def test_a_staging_that_did_not_finish_is_no_staging(tmp_path):
    write(tmp_path, "samples.jsonl.part", '{"row": 1}\n')
    with pytest.raises(FileNotFoundError):
        staged(tmp_path)


def test_progress_is_told_and_can_cancel(tmp_path):
    path = write(tmp_path, "a.csv", "id,text\n" + "1,a\n" * 5000)
    told = []
    stage_it(path, tmp_path / "out", progress=told.append)
    assert told[-1] == 5000

    def cancel(rows):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        stage_it(path, tmp_path / "out", progress=cancel)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_upload_over_the_limit_is_refused_without_a_child(tmp_path):
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(ImportRefused, match=r"200 MB a file \(IMPORT_MAX_UPLOAD_MB\)"):
        preview(path, path.name, Options(), Limits())


def test_too_little_memory_is_named(tmp_path):
    path = write(tmp_path, "a.json", '["' + "x" * (70 << 20) + '"]')
    with pytest.raises(ImportRefused, match=r"120 MB of memory \(IMPORT_MEMORY_MB\)"):
        stage_it(path, tmp_path / "out", limits=Limits(memory_mb=120))


def test_too_much_computing_is_named(tmp_path):
    path = write(tmp_path, "a.csv", "id,text\n" + "1,some words\n" * 500_000)
    with pytest.raises(ImportRefused, match=r"1 seconds of computing \(IMPORT_CPU_SECONDS\)"):
        stage_it(path, tmp_path / "out", limits=Limits(cpu_seconds=1))
    assert list((tmp_path / "out").iterdir()) == []


def test_too_much_time_is_named_even_when_the_reader_only_waits(tmp_path):
    path = tmp_path / "never_written"
    os.mkfifo(path)
    with pytest.raises(
        ImportRefused, match=r"1 seconds for reading a file \(IMPORT_WALL_SECONDS\)"
    ):
        preview(path, path.name, Options(), Limits(wall_seconds=1))


@pytest.mark.parametrize(
    ("content", "limits", "message"),
    [
        ('id,text\n1,"' + "x" * 5_000_000 + '"\n', Limits(), r"row 2 .* IMPORT_MAX_CELL_MB"),
        ("id,text\n1," + "x" * 17_000_000, Limits(), "IMPORT_MAX_CELL_MB"),
        (",".join(f"c{n}" for n in range(300)), Limits(), "IMPORT_MAX_COLUMNS"),
        ("id,text\n" + "1,a\n" * 600_000, Limits(unpacked_mb=1), "IMPORT_MAX_UNPACKED_MB"),
    ],
    ids=["cell", "line", "columns", "unpacked"],
)
def test_the_limit_that_was_hit_is_named(tmp_path, content, limits, message):
    with pytest.raises(ImportRefused, match=message.replace(" .* ", ".*")):
        stage_it(write(tmp_path, "a.csv", content), tmp_path / "out", limits=limits)


def test_a_cell_a_little_too_big_costs_its_row_only(tmp_path):
    path = write(tmp_path, "a.csv", "id,text\n1," + "x" * 1_100_000 + "\n2,a\n")
    done = stage_it(path, tmp_path / "out")
    assert (done.good, done.refused) == (1, 1)
    assert "IMPORT_MAX_CELL_MB" in lines(done.refused_path)[0]["reason"]


def test_the_parent_goes_on_while_a_child_reads(tmp_path):
    path = write(tmp_path, "a.csv", "id,text\n" + "1,some words\n" * 100_000)
    reader = threading.Thread(target=stage_it, args=(path, tmp_path / "out"))
    reader.start()
    waits = []
    while reader.is_alive():
        start = time.monotonic()
        time.sleep(0.001)
        waits.append(time.monotonic() - start)
    assert sorted(waits)[len(waits) * 95 // 100] < 0.1
    assert staged(tmp_path / "out").rows == 100_000


def test_every_limit_has_a_setting():
    class Given:
        IMPORT_MAX_ROWS = 7

    assert SETTINGS.keys() == Limits().__dict__.keys()
    assert from_settings(Given).rows == 7
    assert from_settings(Given).cell_mb == 1


def test_a_hostile_name_is_only_a_name(tmp_path):
    path = write(tmp_path, "upload", "id,text\n1,a\n")
    name = safe_name("../" * 50 + "a\0.csv")
    assert preview(path, name, Options(), Limits()).detection.format == "csv"
