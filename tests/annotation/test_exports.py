"""What stands in an export, read by the programs that people will read it with."""

import csv
import io
import json

import openpyxl
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape

from annotation.actions import imports
from annotation.actions.imports_work import work_until_rest
from annotation.exports import columns
from annotation.exports.csv_table import Csv
from annotation.exports.guard import guarded, is_dangerous, unguarded
from annotation.exports.jsonl import JsonLines
from annotation.exports.parquet import Parquet
from annotation.exports.tables import Layout
from annotation.exports.wanted import ExportRefused, Wanted
from annotation.exports.write import export, manifest_path
from annotation.exports.xlsx import Xlsx
from annotation.imports.mapping import mapping_from
from annotation.models import Adjudication, Sample
from tests import factories as f

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("snapshot_db")]
HOSTILE = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "＝1+1",
    "＋1",
    "－1",
    "＠a",
    " =1",
    "\u200b=1",
]


def a_project(task_type="single_label"):
    """Three samples of two fields with everything that can be exact or lost on the way."""
    project = f.make_project(task_type, name="Letters")
    f.make_codebook(project, slugs=("yes", "no", "maybe"))
    multiple = project.task.multiple

    def value(*slugs):
        return {"labels": list(slugs)} if multiple else {"label": slugs[0]}

    reference = value("yes", "no")
    f.make_sample(
        project,
        fields={"text": 'He said "no",\nthen left.', "context": "=HYPERLINK(A1)"},
        external_id="l-1",
        meta={"city": "Zürich", "n": 12345678901234567890, "deep": [{"x": None}], "f": 0.1},
        reference=reference,
        reference_code=project.task.code(reference),
        split="test",
    )
    f.make_sample(project, fields={"text": "- a list\u2028item"}, external_id="=2", meta={})
    f.make_sample(
        project,
        fields={"text": "Привет 你好 שלום", "context": ""},
        meta={"id": 1},
        reference=value() if multiple else None,
        reference_code="" if multiple else None,
        split="dev",
    )
    return project


def answered(project, *votes, **fields):
    """A round over the first sample in which each vote comes from an annotator of its own."""
    sample = project.samples.order_by("pk").first()
    round_ = f.make_round(project, samples=[sample], overlap=len(votes), **fields)
    item = round_.items.get()
    for vote in votes:
        f.make_annotation(item, f.make_annotator(project), vote)
    return item


def written(project, tmp_path, format_="jsonl", name="out", **options):
    target = tmp_path / f"{name}.{format_}"
    return target, export(project, Wanted(format_, **options), target)


def rows_of(project, tmp_path, **options):
    target, _ = written(project, tmp_path, **options)
    return [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]


def final(row):
    return [row[name] for name in columns.FINAL]


def test_there_is_one_row_a_sample_with_all_that_is_known_of_it(tmp_path):
    project = a_project()
    machine = f.make_machine(project)
    sample = project.samples.get(external_id="l-1")
    f.make_suggestion(
        machine, sample, {"yes": 0.5, "no": 0.25, "maybe": 0.25}, rationale="It says so."
    )
    item = answered(project, "no", "no", "yes", inclusion=0.5)
    row, *others = rows_of(project, tmp_path)
    assert len(others) == 2
    assert row["id"] == "l-1"
    assert row["text"] == 'He said "no",\nthen left.'
    assert row["meta"] == sample.meta
    assert (row["reference"], row["split"], row["origin"]) == ("yes", "test", "imported")
    assert final(row) == ["no", "people", 1, 2, 3]
    assert row["suggestion"]["probabilities"] == {"yes": 0.5, "no": 0.25, "maybe": 0.25}
    assert row["suggestion"]["rationale"] == "It says so."
    assert row["suggestion"]["technique"] == "logprobs"
    assert [said["label"] for said in row["annotations"]] == ["no", "no", "yes"]
    assert row["annotations"][0]["edition"] == 1
    assert row["annotations"][0]["created"].endswith(":00Z")
    drawn = row["rounds"][0]
    assert (drawn["round"], drawn["strategy"], drawn["inclusion"]) == (
        item.round_id,
        "uniform",
        0.5,
    )


def test_people_are_pseudonyms_unless_names_are_chosen(tmp_path):
    project = a_project()
    answered(project, "yes")
    member = project.memberships.get()
    (said,) = rows_of(project, tmp_path)[0]["annotations"]
    assert said["annotator"] == member.pseudonym
    (said,) = rows_of(project, tmp_path, names=True)[0]["annotations"]
    assert said["annotator"] == member.user.username


def test_who_has_left_the_project_keeps_a_name_that_is_not_theirs(tmp_path):
    project = a_project()
    answered(project, "yes")
    user = project.memberships.get().user
    project.memberships.all().delete()
    names = {rows_of(project, tmp_path)[0]["annotations"][0]["annotator"] for _ in range(2)}
    assert len(names) == 1
    assert user.username not in names.pop()


def test_a_tie_among_people_is_disputed_and_no_model_settles_it(tmp_path):
    project = a_project()
    sample = project.samples.get(external_id="l-1")
    f.make_suggestion(f.make_machine(project), sample, {"yes": 0.9, "no": 0.1, "maybe": 0.0})
    answered(project, "yes", "no")
    assert final(rows_of(project, tmp_path)[0]) == [None, "disputed", None, 1, 2]


def test_an_adjudicated_answer_is_final(tmp_path):
    project = a_project()
    item = answered(project, "yes", "yes")
    Adjudication.objects.create(
        project=project,
        sample=item.sample,
        round_item=item,
        adjudicator=f.make_adjudicator(project),
        codebook=project.edition(),
        value={"label": "maybe"},
        code="maybe",
        reason="Rule 3.",
    )
    row = rows_of(project, tmp_path)[0]
    assert final(row) == ["maybe", "adjudicated", 1, None, None]
    assert row["adjudications"][0]["reason"] == "Rule 3."


def test_only_a_persons_last_answer_counts_and_extra_answers_do_not(tmp_path):
    project = a_project()
    item = answered(project, "yes")
    first = item.annotations.get()
    f.make_annotation(item, first.annotator, "no", supersedes=first)
    f.make_annotation(item, f.make_annotator(project), "maybe", extra=True)
    row = rows_of(project, tmp_path)[0]
    assert final(row) == ["no", "people", 1, 1, 1]
    assert [said["current"] for said in row["annotations"]] == [False, True, True]


def test_answers_from_before_a_change_of_meaning_do_not_mix_with_later_ones(tmp_path):
    project = a_project()
    answered(project, "yes", "yes", "yes")
    first = project.edition()
    f.make_codebook(project, ("yes", "no", "maybe"), parent=first, change="wording")
    answered(project, "yes")
    assert final(rows_of(project, tmp_path)[0]) == ["yes", "people", 2, 4, 4]
    f.make_codebook(project, ("yes", "no", "maybe"), parent=project.edition(), change="meaning")
    answered(project, "no")
    assert final(rows_of(project, tmp_path)[0]) == ["no", "people", 3, 1, 1]


def test_without_people_the_newest_machine_that_answered_decides_or_the_chosen_one(tmp_path):
    project = a_project()
    sample = project.samples.get(external_id="l-1")
    older, newer = f.make_machine(project), f.make_machine(project)
    f.make_machine(project)  # has not answered
    f.make_suggestion(older, sample, {"yes": 1.0, "no": 0.0, "maybe": 0.0})
    f.make_suggestion(newer, sample, {"yes": 0.0, "no": 1.0, "maybe": 0.0})
    assert final(rows_of(project, tmp_path)[0]) == ["no", "model", 1, None, None]
    assert final(rows_of(project, tmp_path, machine=older.pk)[0])[0] == "yes"
    assert [row["id"] for row in rows_of(project, tmp_path, only_final=True)] == ["l-1"]


def test_filters_leave_samples_out(tmp_path):
    project = a_project()
    assert [row["id"] for row in rows_of(project, tmp_path, split="test")] == ["l-1"]
    assert rows_of(project, tmp_path, origin="generated") == []


def test_the_same_state_gives_the_same_bytes_and_later_the_same_moment_does(tmp_path):
    project = a_project()
    answered(project, "yes", "yes", "no")
    for format_ in ("jsonl", "csv", "parquet", "xlsx"):
        first, made = written(project, tmp_path, format_, "first")
        second, _ = written(project, tmp_path, format_, "second")
        assert first.read_bytes() == second.read_bytes(), format_
        assert json.loads(manifest_path(first).read_text())["sequence"] == made["sequence"]
    f.make_sample(project, "came later")
    answered(project, "no", "no")
    again = tmp_path / "again.jsonl"
    manifest = manifest_path(tmp_path / "first.jsonl")
    call_command("export", project.pk, out=again, again=manifest, stdout=io.StringIO())
    assert again.read_bytes() == (tmp_path / "first.jsonl").read_bytes()
    assert again.read_bytes() != written(project, tmp_path)[0].read_bytes()


def test_a_chunk_costs_as_many_queries_for_thirty_samples_as_for_three(
    tmp_path, django_assert_max_num_queries
):
    project = a_project()
    answered(project, "yes")
    with django_assert_max_num_queries(30) as few:
        written(project, tmp_path)
    for _ in range(27):
        f.make_sample(project)
    answered(project, "yes", "no")
    with django_assert_max_num_queries(len(few)):
        written(project, tmp_path)


@pytest.mark.parametrize("task_type", ["single_label", "multi_label"])
def test_a19_parquet_holds_what_json_lines_hold(tmp_path, task_type):
    project = a_project(task_type)
    machine, sample = f.make_machine(project), project.samples.earliest("pk")
    f.make_suggestion(machine, sample, {"yes": 0.9, "no": 0.6, "maybe": 0.0})
    answered(project, ["yes"], ["yes"])
    expected = rows_of(project, tmp_path)
    target, _ = written(project, tmp_path, "parquet")
    found = pq.read_table(target).to_pylist()
    for row in found:
        row["meta"] = json.loads(row["meta"])
        if row["suggestion"]:
            pairs = row["suggestion"]["probabilities"]
            row["suggestion"]["probabilities"] = {p["label"]: p["probability"] for p in pairs}
        if row["context"] is None:
            del row["context"]
    assert found == expected


def test_pandas_and_polars_read_every_table(tmp_path):
    project = a_project()
    answered(project, "yes")
    for read in (
        lambda: pd.read_csv(written(project, tmp_path, "csv", raw=True)[0]),
        lambda: pd.read_json(written(project, tmp_path)[0], lines=True, dtype={"id": str}),
        lambda: pd.read_parquet(written(project, tmp_path, "parquet")[0]),
        lambda: pd.read_excel(written(project, tmp_path, "xlsx")[0], engine="openpyxl"),
    ):
        frame = read()
        assert frame["text"].tolist()[0] == 'He said "no",\nthen left.'
        assert frame["final_label"].tolist()[0] == "yes"
    table = pl.read_parquet(written(project, tmp_path, "parquet")[0])
    assert table["id"].to_list() == ["l-1", "=2", f"sample-{project.samples.latest('pk').pk}"]


@pytest.mark.parametrize("task_type", ["single_label", "multi_label"])
@pytest.mark.filterwarnings("default")  # of the reader, which is not ours
def test_datasets_loads_the_folder_with_its_types(tmp_path, monkeypatch, task_type):
    project = a_project(task_type)
    project.description = "---\nlicense: mit\n---"
    answered(project, ["yes"])
    target, made = written(project, tmp_path, "dataset")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    found = load_dataset(str(target), cache_dir=str(tmp_path / "cache"))
    assert {name: len(rows) for name, rows in found.items()} == {
        "train": 1,
        "validation": 1,
        "test": 1,
    }
    row = found["test"][0]
    expected = ["yes"] if project.task.multiple else "yes"
    assert row["final_label"] == row["annotations"][0]["label"] == expected
    card = (target / "README.md").read_text()
    assert card.index("dataset_info") < card.index("\n---\n") < card.index("license: mit")
    assert {file["name"] for file in made["files"]} >= {"README.md", "data/test-00000.parquet"}
    assert json.loads((target / "manifest.json").read_text()) == made


def test_a19_a_workbook_holds_texts_only_as_texts(tmp_path):
    project = a_project()
    for text in HOSTILE:
        f.make_sample(project, fields={"text": text})
    target, _ = written(project, tmp_path, "xlsx")
    sheet = openpyxl.load_workbook(target).active
    assert {cell.data_type for row in sheet for cell in row} <= {"s", "n", "b"}
    texts = [unescape(row[2].value) for row in sheet.iter_rows(min_row=2)]
    assert texts[-len(HOSTILE) :] == HOSTILE
    quoted = [row[2].style_id != 0 for row in sheet.iter_rows(min_row=2)]
    assert all(quoted[-len(HOSTILE) :])


def test_a19_a_csv_cell_is_no_formula_unless_raw_was_chosen(tmp_path):
    project = a_project()
    f.make_sample(project, fields={"=cmd": "x"})
    for text in HOSTILE:
        f.make_sample(project, fields={"text": text})
    target, made = written(project, tmp_path, "csv")
    lines = list(csv.reader(io.StringIO(target.read_bytes().decode("utf-8-sig"), newline="")))
    assert not [cell for line in lines for cell in line if is_dangerous(cell) and cell[0] != "'"]
    assert made["cells"] == "guarded"
    raw, made = written(project, tmp_path, "csv", "raw", raw=True)
    assert made["cells"] == "raw"
    rows = csv.DictReader(io.StringIO(raw.read_bytes().decode("utf-8-sig"), newline=""))
    texts = [row["text"] for row in rows]
    assert texts[-len(HOSTILE) :] == HOSTILE


cells = st.text(
    alphabet=st.one_of(
        st.sampled_from("=+-@\t\r＝＋－＠'\" ,\n\u200b"),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    ),
    max_size=12,
)


@given(cells)
def test_a19_the_guard_can_be_taken_off_again(cell):
    assert unguarded(guarded(cell)) == cell
    assert not is_dangerous(cell) or guarded(cell).startswith("'")


def a_row(text, meta):
    nothing = dict.fromkeys(columns.NESTED)
    return nothing | {"sample_id": 1, "text": text, "meta": meta, "annotations": []}


@hypothesis_settings(deadline=None)  # it writes files
@given(st.lists(cells, min_size=1, max_size=5))
def test_a19_no_cell_of_a_table_becomes_a_formula(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("a19")
    rows = [a_row(text, {"note": text}) for text in texts]
    for writer_of in (Csv, Xlsx):
        writer = writer_of(folder / writer_of.__name__, Layout({"text": "text"}, multiple=False))
        writer.write(rows)
        writer.close()
    with (folder / "Csv").open(encoding="utf-8-sig", newline="") as file:
        found = list(csv.DictReader(file))
    assert [unguarded(row["text"]) for row in found] == texts
    for row in found:
        assert not [cell for cell in row.values() if is_dangerous(cell) and cell[0] != "'"]
    book = openpyxl.load_workbook(io.BytesIO((folder / "Xlsx").read_bytes()))
    assert not [cell for row in book.active for cell in row if cell.data_type == "f"]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | cells,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(cells, inner, max_size=3),
    max_leaves=8,
)


@hypothesis_settings(deadline=None)  # it writes files
@given(cells, st.dictionaries(cells, json_values, max_size=3))
def test_a19_json_lines_are_lossless(tmp_path_factory, text, meta):
    path = tmp_path_factory.mktemp("lines") / "out"
    writer = JsonLines(path, Layout({"text": "text"}, multiple=False))
    writer.write([a_row(text, meta)] * 2)
    writer.close()
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [a_row(text, meta)] * 2


@hypothesis_settings(deadline=None)  # it writes files
@given(st.lists(cells, min_size=1, max_size=5))
def test_a19_parquet_is_lossless(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("parquet") / "out"
    writer = Parquet(path, Layout({"text": "text"}, multiple=False))
    writer.write([a_row(text, {"note": text}) for text in texts])
    writer.close()
    found = pq.read_table(path).to_pylist()
    assert [row["text"] for row in found] == texts
    assert [json.loads(row["meta"]) for row in found] == [{"note": text} for text in texts]


def test_a_workbook_refuses_a_cell_that_would_be_cut(tmp_path):
    project = a_project()
    f.make_sample(project, fields={"text": "x" * 32_768})
    with pytest.raises(ExportRefused, match="32,767 characters"):
        written(project, tmp_path, "xlsx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("field", ["id", "field_id", "final_label", "field_x", "label"])
def test_a_field_may_be_called_like_one_of_our_columns(field):
    column = columns.column_of(field)
    assert column not in columns.OURS
    assert columns.field_of(column) == field


def samples_of(project):
    found = Sample.objects.visible().filter(project=project).order_by("pk")
    return list(found.values_list("external_id", "fields", "meta", "reference", "split"))


@pytest.mark.parametrize("task_type", ["single_label", "multi_label"])
@pytest.mark.parametrize("format_", ["jsonl", "csv", "parquet", "xlsx"])
def test_an_export_imports_again_as_it_was(tmp_path, settings, task_type, format_):
    settings.UPLOAD_DIR = tmp_path / "uploads"
    project = a_project(task_type)
    f.make_sample(project, fields={"text": "'=x", "id": "a field called id"}, external_id="x")
    answered(project, ["yes"], ["no"])
    target, _ = written(project, tmp_path, format_)
    copy = f.make_project(task_type)
    f.make_codebook(copy, slugs=("yes", "no", "maybe"))
    coming = imports.receive(copy, target.name, [target.read_bytes()])
    assert coming.error == ""
    assert imports.choose(coming, mapping_from(coming.mapping))
    work_until_rest(coming)
    assert imports.decide(coming, keep_duplicates=True, without_unknown=False)
    work_until_rest(coming)
    assert (coming.state, coming.rows_refused) == ("done", 0)
    expected = samples_of(project)
    if format_ in ("csv", "xlsx"):  # a table cannot tell an absent text from an empty one
        names = {name: "" for _, fields, *_ in expected for name in fields}
        expected = [(pk, names | fields, *rest) for pk, fields, *rest in expected]
    assert samples_of(copy) == expected


def test_the_command_writes_a_file_and_says_what_is_in_it(tmp_path, capsys):
    project = a_project()
    call_command("export", "Letters", out=tmp_path / "letters.csv", json=True)
    made = json.loads(capsys.readouterr().out)
    assert (made["rows"], made["sequence"]) == (3, 0)
    manifest = json.loads((tmp_path / "letters.csv.manifest.json").read_text())
    assert manifest["files"][0]["sha256"] == made["sha256"]["letters.csv"]
    assert manifest["project"]["id"] == project.pk


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"out": "letters.doc"}, "Choose a --format"),
        ({"out": "missing/letters.csv"}, "There is no folder"),
        ({"out": "letters.csv", "machine": 99}, "no machine annotator 99"),
        ({"out": ".", "format": "dataset"}, "exists already"),
        ({"out": "a.csv", "again": "b.json"}, "No such file"),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path, monkeypatch, options, message):
    project = a_project()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError, match=message):
        call_command("export", str(project.pk), *[f"--{n}={v}" for n, v in options.items()])
