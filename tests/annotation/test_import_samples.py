"""manage.py import_samples, which does what the pages do."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from annotation.models import Sample
from tests import factories as f

pytestmark = pytest.mark.django_db
CONTENT = "no;before;sentence;gold;year\n1;;We meet.;yes;1990\n2;So.;We part.;no;1991\n"


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    settings.UPLOAD_DIR = tmp_path / "uploads"
    return settings.UPLOAD_DIR


@pytest.fixture
def project():
    project = f.make_project(name="Letters")
    f.make_codebook(project)
    return project


@pytest.fixture
def run(tmp_path, project):
    """Import this content; the report as --json prints it, and the failure."""

    def run(content, *options, name="a.csv"):
        path, out, failure = tmp_path / name, io.StringIO(), ""
        path.write_text(content, encoding="utf-8")
        try:
            call_command("import_samples", "Letters", str(path), "--json", *options, stdout=out)
        except CommandError as error:
            failure = str(error)
        return json.loads(out.getvalue()), failure

    return run


def test_the_columns_are_mapped_as_told(run, project):
    said = "id=no,optional=before,text=sentence,reference=gold,meta=year"
    report, failure = run(CONTENT, "--map", said)
    assert (report["imported"], report["known_references"], failure) == (2, 2, "")
    sample = Sample.objects.visible().get(external_id="2")
    assert list(sample.fields.items()) == [("before", "So."), ("sentence", "We part.")]
    assert (sample.meta, sample.reference) == ({"year": "1991"}, {"label": "no"})


def test_without_a_map_the_columns_are_guessed_and_said(run):
    report, _failure = run("id,text,label\n1,A,yes\n")
    assert report["mapping"]["text"] == ["text"]
    assert report["mapping"]["reference"] == "label"
    assert report["imported"] == 1


def test_a_refused_row_stops_everything_unless_told_otherwise(run, project, uploads):
    content = "text,split\na,dev\n,dev\n"
    report, failure = run(content, "--map", "text=text,split=split")
    assert "1 refused" in failure
    assert report["refused_rows"][0]["row"] == 3
    assert not Sample.objects.exists()
    assert list(uploads.iterdir()) == []
    report, failure = run(content, "--map", "text=text,split=split", "--refused", "good-rows")
    assert (report["imported"], failure) == (1, "")


def test_an_unknown_reference_label_stops_everything_unless_told_otherwise(run):
    content = "text,gold\na,yes\nb,maybe\n"
    report, failure = run(content, "--map", "text=text,reference=gold")
    assert report["unknown_references"] == {"maybe": 1}
    assert "--unknown without" in failure
    report, failure = run(content, "--map", "text=text,reference=gold", "--unknown", "without")
    assert (report["imported"], failure) == (2, "")


def test_duplicates_are_skipped_or_kept_and_nothing_new_is_a_failure(run):
    assert run("text\na\na\n")[0]["imported"] == 1
    report, failure = run("text\na\na\n")
    assert (report["imported"], report["duplicates_in_project"]) == (0, 1)
    assert "every row is a duplicate" in failure
    assert run("text\na\na\n", "--keep-duplicates")[0]["imported"] == 2


def test_how_the_file_is_read_can_be_said(run):
    options = ("--header", "no", "--delimiter", r"\t", "--map", "text=column_2")
    report, _failure = run("id\ttext\n1\tA\n", *options, name="a.txt")
    assert report["imported"] == 2
    assert report["read_as"]["delimiter"] == "\t"


def test_a_file_of_another_kind_is_refused_with_advice(run):
    report, failure = run("<stata_dta><header>", name="a.dta")
    assert "Stata files cannot be read." in failure
    assert report["error"] == failure


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("words=text", "--map takes role=column"),
        ("text=text,id=text,id=text", "--map has id twice"),
        ("text=body", "There is no column “body”"),
    ],
)
def test_a_wrong_map_says_what_is_wrong(run, said, message, uploads):
    assert message in run("text\na\n", "--map", said)[0]["error"]
    assert list(uploads.iterdir()) == []


def test_the_report_is_printed_for_people_too(tmp_path, project, capsys):
    path = tmp_path / "a.csv"
    path.write_text("text,split\na,dev\nb,sometimes\n")
    with pytest.raises(CommandError):
        call_command("import_samples", str(project.pk), str(path), "--map", "text=text,split=split")
    assert "row 3: The split “sometimes” is none" in capsys.readouterr().out


def test_a_file_that_is_not_there_is_said(project):
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_samples", "Letters", "nowhere.csv")
