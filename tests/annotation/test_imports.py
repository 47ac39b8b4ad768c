"""From an upload to visible samples, through the pages; the worker's part is called by hand."""

import gzip
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils.timezone import now
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from annotation.actions import imports, imports_work, imports_writing
from annotation.actions.imports_hold import Lost
from annotation.exports.columns import flat
from annotation.forms_imports import MappingForm
from annotation.imports.mapping import mapping_from
from annotation.models import Sample, SampleImport
from tests import factories as f

pytestmark = pytest.mark.django_db
LETTERS = "id,before,sentence,after,gold\n1,,We meet.,Then we go.,yes\n2,So.,We part.,,No\n"
# Roles of these columns, in their order.
AS_CONTEXT = ("id", ("text", 1, "on"), ("text", 2), ("text", 3, "on"), "reference")


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    settings.UPLOAD_DIR = settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "uploads"
    settings.UPLOAD_DIR.mkdir()
    return settings.UPLOAD_DIR


@pytest.fixture
def project(client):
    """A project with the labels yes and no, whose manager is signed in."""
    project = f.make_project()
    f.make_codebook(project)
    client.force_login(f.make_manager(project))
    return project


def upload(client, project, content, name="letters.csv"):
    """The import that an upload makes."""
    content = content if isinstance(content, bytes) else content.encode()
    file = SimpleUploadedFile(name, content)
    response = client.post(f"/projects/{project.pk}/samples/import/", {"file": file})
    assert response.status_code == 302, response.content.decode()
    return SampleImport.objects.latest("pk")


def column_fields(roles, **more):
    """A role for each column; a text has a place, and perhaps says that it may be empty."""
    fields = dict(more)
    for number, role in enumerate(roles):
        role, *place = role if isinstance(role, tuple) else (role,)
        names = (f"role{number}", f"place{number}", f"empty{number}")
        fields |= dict(zip(names, (role, *place), strict=False))
    return fields


def check_rows(client, found, *roles, **more):
    """Map the columns and let the worker read every row."""
    response = client.post(f"/imports/{found.pk}/columns/", column_fields(roles, **more))
    assert response.status_code == 302, response.content.decode()
    imports_work.work_on_due()
    found.refresh_from_db()
    return found


def take(client, found, **choices):
    """Import the good rows and let the worker write them."""
    client.post(f"/imports/{found.pk}/decide/", {"choice": "good", **choices})
    imports_work.work_on_due()
    found.refresh_from_db()
    return found


def imported(client, project, content, *roles, **choices):
    found = check_rows(client, upload(client, project, content), *roles)
    assert found.state == "staged", found.error
    return take(client, found, **choices)


def texts(project):
    return list(
        Sample.objects.visible().filter(project=project).order_by("pk").values_list("text", flat=1)
    )


def test_the_page_shows_how_the_file_is_read_and_its_first_rows(client, project):
    found = upload(client, project, "Größe;Text\n1;Ärger\n2;Öl\n".encode("cp1252"))
    response = client.get(f"/imports/{found.pk}/")
    assertContains(response, "Ärger")
    assert found.preview["detection"]["encoding"] == "cp1252"
    assertContains(response, '<option value=";" selected>semicolon</option>', html=True)
    assertContains(response, '<option value="yes" selected>names the columns</option>', html=True)


def test_another_delimiter_gives_another_preview(client, project):
    found = upload(client, project, "a,b\n1,2\n3,4\n")
    before = found.preview["columns"]
    said = {"format": "csv", "encoding": "utf-8", "delimiter": ";", "header": "no"}
    said["quoting"] = "yes"
    assertRedirects(client.post(f"/imports/{found.pk}/read/", said), f"/imports/{found.pk}/")
    found.refresh_from_db()
    assert before == ["a", "b"]
    assert found.preview["columns"] == ["column_1"]
    assertContains(client.get(f"/imports/{found.pk}/"), "a,b")


def test_likely_roles_are_proposed(client, project):
    found = upload(client, project, "id,text,label,split\n1,A,yes,train\n2,B,no,test\n")
    page = client.get(f"/imports/{found.pk}/").content.decode()
    for number, role in enumerate(["id", "text", "reference", "split"]):
        select = page.split(f'name="role{number}"')[1].split("</select>")[0]
        assert f'<option value="{role}" selected>' in select


def test_a_sentence_with_its_context_becomes_samples_with_reference_labels(client, project):
    content = gzip.compress(LETTERS.encode())
    found = check_rows(client, upload(client, project, content, "letters.csv.gz"), *AS_CONTEXT)
    assertContains(client.get(f"/imports/{found.pk}/"), "the codebook knows all of them")
    assert take(client, found).state == "done"
    first, second = Sample.objects.visible().filter(project=project).order_by("pk")
    assert list(second.fields.items()) == [
        ("before", "So."),
        ("sentence", "We part."),
        ("after", ""),
    ]
    assert first.text == "We meet.\n\nThen we go."
    assert first.external_id == "1"
    assert first.reference == {"label": "yes"}
    assert second.reference_code == "no"
    assertContains(client.get(f"/imports/{found.pk}/"), "2 samples are in the project.")


def test_meta_is_kept_what_is_left_out_is_not_and_splits_have_many_names(client, project):
    content = 'text,set,age,secret\n"a\nb",train,3,x\nc,validation,4,y\nd,TEST,,z\n'
    imported(client, project, content, ("text", 1), "split", "meta", "leave")
    samples = Sample.objects.filter(project=project).order_by("pk")
    assert [sample.split for sample in samples] == ["pool", "dev", "test"]
    assert samples[0].meta == {"age": "3"}
    assert samples[0].fields == {"text": "a\nb"}


def test_refused_rows_are_named_with_their_numbers_and_reasons(client, project):
    content = "text,set\ngood,dev\n,dev\nbad split,sometimes\ncut\n=2+3,other\n"
    found = check_rows(client, upload(client, project, content), ("text", 1), "split")
    assert (found.rows_good, found.rows_refused) == (1, 4)
    page = client.get(f"/imports/{found.pk}/")
    assertContains(page, "The split “sometimes” is none that is known here.")
    response = client.get(f"/imports/{found.pk}/refused.csv")
    lines = b"".join(response.streaming_content).decode().splitlines()
    assert lines[0] == "row,reason,content"
    assert [line.split(",")[0] for line in lines[1:]] == ["3", "4", "5", "6"]
    assert "'=2+3" in lines[4]


@pytest.mark.parametrize("bad", ["a\0b", "\ud800"])
def test_a18_what_no_database_should_hold_is_refused_by_row(client, project, bad):
    lines = [{"text": "good"}, {"text": bad}, {"text": "good too"}]
    content = "\n".join(map(json.dumps, lines))
    found = check_rows(client, upload(client, project, content, "a.jsonl"), ("text", 1))
    assert found.refused.get().row_number == 2
    take(client, found)
    assert texts(project) == ["good", "good too"]


def test_nothing_imports_nothing_and_leaves_no_file(client, project, uploads):
    found = check_rows(client, upload(client, project, LETTERS), *AS_CONTEXT)
    assert list(uploads.iterdir())
    client.post(f"/imports/{found.pk}/decide/", {"choice": "nothing"})
    imports_work.sweep()
    found.refresh_from_db()
    assert (found.state, found.path) == ("discarded", "")
    assert texts(project) == []
    assert list(uploads.iterdir()) == []


def test_files_are_gone_when_it_is_done(client, project, uploads):
    imported(client, project, LETTERS, *AS_CONTEXT)
    assert list(uploads.iterdir()) == []


@pytest.mark.parametrize(("choice", "expected"), [("skip", ["b"]), ("keep", ["a", "b", "b"])])
def test_duplicates_are_counted_and_skipped_or_kept(client, project, choice, expected):
    f.make_sample(project, "a")
    found = check_rows(client, upload(client, project, "text\na\nb\nb\n"), ("text", 1))
    assert (found.duplicates_in_file, found.duplicates_in_project) == (1, 1)
    take(client, found, duplicates=choice)
    assert texts(project) == ["a", *expected]
    assert found.rows_skipped == 3 - len(expected)


def test_duplicates_in_later_chunks_are_skipped_too(client, project):
    content = "text\n" + "".join(f"text {n % 700}\n" for n in range(1400))
    found = imported(client, project, content, ("text", 1), duplicates="skip")
    assert (found.rows_written, found.rows_skipped) == (700, 700)
    assert len(set(texts(project))) == 700


def test_known_ids_with_other_texts_are_reported(client, project):
    f.make_sample(project, "old text", external_id="7")
    found = check_rows(
        client, upload(client, project, "id,text\n7,new\n8,other\n"), "id", ("text", 1)
    )
    assert found.report["ids"] == ["7"]
    assertContains(client.get(f"/imports/{found.pk}/"), "1 id is in the project already")


def test_unknown_reference_labels_are_named_and_refused_unless_chosen(client, project):
    content = "text,gold\na,yes\nb,Maybe\nc,Maybe\nd,perhaps\ne,\n"
    found = check_rows(client, upload(client, project, content), ("text", 1), "reference")
    page = client.get(f"/imports/{found.pk}/")
    assertContains(page, "<bdi>Maybe</bdi> × 2")
    assertContains(page, "<bdi>perhaps</bdi> × 1")
    take(client, found, unknown="refuse")
    assert texts(project) == ["a", "e"]
    assert [row.row_number for row in found.refused.all()] == [3, 4, 5]
    assert found.rows_skipped == 0


def test_unknown_reference_labels_can_go_to_meta(client, project):
    content = "text,gold\na,yes\nb,Maybe\n"
    imported(client, project, content, ("text", 1), "reference", unknown="without")
    sample = Sample.objects.get(project=project, text="b")
    assert (sample.reference, sample.reference_code) == (None, None)
    assert sample.meta == {"gold": "Maybe"}


def test_a_known_label_of_a_text_is_not_lost_to_an_unknown_one_before_it(client, project):
    content = "text,gold\na,Maybe\na,yes\n"
    imported(
        client, project, content, ("text", 1), "reference", unknown="refuse", duplicates="skip"
    )
    assert Sample.objects.get(project=project).reference_code == "yes"


def test_without_a_codebook_the_page_says_so_and_meta_keeps_the_labels(client):
    project = f.make_project()
    client.force_login(f.make_manager(project))
    found = upload(client, project, "text,gold\na,yes\n")
    assertContains(client.get(f"/imports/{found.pk}/"), "This project has no codebook yet.")
    check_rows(client, found, ("text", 1), "reference")
    assertContains(client.get(f"/imports/{found.pk}/"), "no reference label can be recognised")
    take(client, found)
    sample = Sample.objects.get(project=project)
    assert (sample.reference, sample.meta) == (None, {"gold": "yes"})


def test_a_draft_made_while_the_report_waits_is_enough(client):
    project = f.make_project()
    client.force_login(f.make_manager(project))
    found = check_rows(
        client, upload(client, project, "text,gold\na,YES\n"), ("text", 1), "reference"
    )
    f.make_codebook(project, published=False)
    assertContains(client.get(f"/imports/{found.pk}/"), "and the codebook knows it")
    take(client, found)
    assert Sample.objects.get(project=project).reference == {"label": "yes"}


def test_several_labels_in_a_cell_are_told_apart(client):
    project = f.make_project("multi_label")
    f.make_codebook(project, ("joy", "fear"))
    client.force_login(f.make_manager(project))
    found = upload(client, project, 'text,gold\na,"fear; joy"\nb,joy\nc,"joy;rage"\n')
    found = check_rows(client, found, ("text", 1), "reference", separator=";")
    assertContains(client.get(f"/imports/{found.pk}/"), "<bdi>joy | rage</bdi> × 1")
    take(client, found, unknown="refuse")
    codes = Sample.objects.filter(project=project).order_by("pk").values_list("reference_code")
    assert [code for (code,) in codes] == ["fear|joy", "joy"]


def test_ratings_are_known_by_slug_or_number(client):
    project = f.make_project("rating")
    f.make_codebook(project, ("bad", "so-so", "good"))
    client.force_login(f.make_manager(project))
    imported(client, project, "text,stars\na,2\nb,1.0\nc,BAD\n", ("text", 1), "reference")
    codes = Sample.objects.filter(project=project).order_by("pk").values_list("reference_code")
    assert [code for (code,) in codes] == ["good", "so-so", "bad"]


def test_a_reference_column_full_of_texts_is_refused_as_a_whole(client, project):
    content = "text,gold\n" + "".join(f"a{n},value {n}\n" for n in range(20_002))
    found = check_rows(client, upload(client, project, content), ("text", 1), "reference")
    assert found.state == "failed"
    assert "“gold” has more than 20,000 different values" in found.error


def test_a_mapping_without_text_or_with_two_ids_is_refused(client, project):
    found = upload(client, project, LETTERS)
    response = client.post(
        f"/imports/{found.pk}/columns/", column_fields(["id", "id", "meta", "meta", "meta"])
    )
    assertContains(response, "Only one column can be the id.", status_code=422)
    assertContains(response, "Choose at least one column as text.", status_code=422)
    found.refresh_from_db()
    assert found.state == "uploaded"


def test_a17_an_upload_over_the_limit_is_refused_while_it_arrives(
    client, project, settings, uploads
):
    settings.IMPORT_MAX_UPLOAD_MB = 1
    file = SimpleUploadedFile("big.csv", b"text\n" + b"x" * 2_000_000)
    response = client.post(f"/projects/{project.pk}/samples/import/", {"file": file})
    assertContains(response, "IMPORT_MAX_UPLOAD_MB", status_code=422)
    assert not SampleImport.objects.exists()
    assert list(uploads.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("2023-02-08_19:17:00__manual.csv", "2023-02-08_19:17:00__manual.csv"),
        ("../../../etc/passwd.csv", "passwd.csv"),
        ("..\\..\\boot.csv", "boot.csv"),
        ("😀 café.csv", "😀 café.csv"),
        ("CON", "CON"),
        ("x" * 4096 + ".csv", "x.csv"),
    ],
)
def test_a20_a_client_never_decides_where_a_file_is(client, project, uploads, name, shown):
    found = upload(client, project, LETTERS, name)
    assert [path.name for path in uploads.iterdir()] == [found.path]
    assert found.file_name.endswith(shown[-20:])
    assert "/" not in found.file_name
    assertContains(client.get(f"/imports/{found.pk}/"), shown[-20:])


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (b"", "The file is empty."),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "save it as .xlsx or .csv"),
        (b"<stata_dta><header>", "Stata files cannot be read."),
    ],
)
def test_what_cannot_be_read_says_what_to_do(client, project, content, advice):
    found = upload(client, project, content, "data.csv")
    page = client.get(f"/imports/{found.pk}/")
    assertContains(page, advice)
    assertContains(page, "Choose another file")


def test_a_limit_that_is_hit_fails_the_import_and_it_can_be_started_again(
    client, project, settings
):
    settings.IMPORT_MAX_ROWS = 300
    content = "text\n" + "".join(f"text {n}\n" for n in range(400))
    found = check_rows(client, upload(client, project, content), ("text", 1))
    page = client.get(f"/imports/{found.pk}/")
    assertContains(page, "The limit of 300 rows (IMPORT_MAX_ROWS) was reached.")
    assert texts(project) == []
    settings.IMPORT_MAX_ROWS = 500
    client.post(f"/imports/{found.pk}/again/")
    found.refresh_from_db()
    check_rows(client, found, ("text", 1))
    assert take(client, found).rows_written == 400


def test_a_lost_upload_is_said(client, project, uploads):
    found = upload(client, project, LETTERS)
    for path in uploads.iterdir():
        path.unlink()
    check_rows(client, found, *AS_CONTEXT)
    assertContains(client.get(f"/imports/{found.pk}/"), "no longer on the server")


def test_markup_in_names_and_cells_is_shown_as_text(client, project):
    evil = "<script>alert(1)</script>"
    found = upload(client, project, f"{evil},text\n{evil},{evil}\n", "a.csv")
    page = client.get(f"/imports/{found.pk}/")
    assertContains(page, "&lt;script&gt;alert(1)")
    assertNotContains(page, evil)


def test_progress_is_a_fragment_that_leads_to_the_page_when_it_is_over(client, project):
    found = upload(client, project, LETTERS)
    client.post(f"/imports/{found.pk}/columns/", column_fields(AS_CONTEXT))
    htmx = {"HX-Request": "true"}
    polled = client.get(f"/imports/{found.pk}/progress/", headers=htmx)
    assertContains(polled, "Waiting for a worker")
    assert b"<html" not in polled.content
    imports_work.work_on_due()
    over = client.get(f"/imports/{found.pk}/progress/", headers=htmx)
    assert over.headers["HX-Redirect"] == f"/imports/{found.pk}/"


def test_sending_a_step_twice_changes_nothing(client, project):
    found = check_rows(client, upload(client, project, LETTERS), *AS_CONTEXT)
    for _ in range(2):
        client.post(f"/imports/{found.pk}/decide/", {"choice": "good"})
    for _ in range(2):
        imports_work.work_on(found.pk)
    client.post(f"/imports/{found.pk}/decide/", {"choice": "nothing"})
    client.post(f"/imports/{found.pk}/discard/")
    found.refresh_from_db()
    assert (found.state, found.rows_written, len(texts(project))) == ("done", 2, 2)


def waiting_to_be_written(client, project, rows=1200):
    content = "text\n" + "".join(f"text {n}\n" for n in range(rows))
    found = check_rows(client, upload(client, project, content), ("text", 1))
    client.post(f"/imports/{found.pk}/decide/", {"choice": "good"})
    return found


def test_only_one_worker_can_claim_an_import(client, project):
    found = waiting_to_be_written(client, project)
    assert imports_work.claim(found.pk) is not None
    assert imports_work.claim(found.pk) is None


def test_a_writer_that_lost_its_lease_writes_nothing_more(client, project):
    found = waiting_to_be_written(client, project)
    sleeper = imports_work.claim(found.pk)
    SampleImport.objects.filter(pk=found.pk).update(lease_until=now())
    awake = imports_work.claim(found.pk)
    with pytest.raises(Lost):
        imports_writing.write(sleeper)
    assert not Sample.objects.exists()
    imports_writing.write(awake)
    assert len(texts(project)) == 1200


def test_discarding_in_the_middle_leaves_no_row(client, project):
    found = waiting_to_be_written(client, project)
    held = imports_work.claim(found.pk)
    f.make_sample(project, "text 0", sample_import=found)
    SampleImport.objects.filter(pk=found.pk).update(rows_written=1)
    assert texts(project) == []
    client.post(f"/imports/{found.pk}/discard/")
    with pytest.raises(Lost):
        imports_writing.write(held)
    imports_work.sweep()
    assert not Sample.objects.filter(project=project).exists()


def test_an_import_that_kills_its_workers_is_given_up(client, project):
    found = waiting_to_be_written(client, project)
    SampleImport.objects.filter(pk=found.pk).update(tries=imports_work.MOST_TRIES)
    imports_work.work_on(found.pk)
    found.refresh_from_db()
    assert found.state == "failed"
    assert "Tell the operator" in found.error


def test_imports_of_one_project_are_written_one_after_the_other(client, project):
    first, second = (
        check_rows(client, upload(client, project, "text\na\nb\n"), ("text", 1)) for _ in range(2)
    )
    for found in (first, second):
        client.post(f"/imports/{found.pk}/decide/", {"choice": "good"})
    assert list(imports_work.due()) == [first]
    imports_work.work_on_due()
    imports_work.work_on_due()
    second.refresh_from_db()
    assert (second.state, second.rows_written, second.rows_skipped) == ("done", 0, 2)


def test_files_nobody_decided_about_are_discarded_in_the_end(client, project, uploads):
    found = upload(client, project, LETTERS)
    SampleImport.objects.update(created_at=now() - 2 * imports_work.KEPT)
    imports_work.sweep_files()
    found.refresh_from_db()
    assert found.state == "discarded"
    assert list(uploads.iterdir()) == []


def test_the_list_of_imports_takes_the_same_queries_for_many(
    client, project, django_assert_max_num_queries
):
    for number in range(30):
        SampleImport.objects.create(project=project, file_name=f"{number}.csv")
    with django_assert_max_num_queries(8):
        response = client.get(f"/projects/{project.pk}/samples/import/")
    assertContains(response, "29.csv")


def test_imports_of_other_projects_do_not_exist(client, project):
    found = upload(client, project, LETTERS)
    client.force_login(f.make_annotator(project))
    assert client.get(f"/imports/{found.pk}/").status_code == 404
    client.force_login(f.make_manager(f.make_project()))
    assert client.post(f"/imports/{found.pk}/discard/").status_code == 404


def test_the_limit_holds_for_what_is_no_web_upload_too(project, settings, uploads):
    settings.IMPORT_MAX_UPLOAD_MB = 1
    with pytest.raises(imports.CannotImport, match="IMPORT_MAX_UPLOAD_MB"):
        imports.receive(project, "big.csv", [b"x" * 2**20, b"y"])
    assert list(uploads.iterdir()) == []


def test_an_import_of_nothing_but_duplicates_says_so(client, project):
    f.make_sample(project, "a")
    found = imported(client, project, "text\na\n", ("text", 1), duplicates="skip")
    page = client.get(f"/imports/{found.pk}/")
    assertContains(page, "No row was imported: every one is a duplicate or was refused.")


@pytest.mark.parametrize(
    "columns",
    [
        ["id", "pre_context", "text", "post_context", "label", "split"],
        ["instruction", "input", "response1", "response2"],
        flat(["sentence", "id"]),
    ],
    ids=["context", "pair", "export"],
)
def test_a_proposal_that_is_sent_unchanged_stays_what_it_was(client, project, columns):
    row = ["A text of several words."] * len(columns)
    found = upload(client, project, "\n".join([",".join(columns), ",".join(row), ""]))
    form = MappingForm(found)
    shown = {name: form[name].initial for name in form.fields}
    sent = MappingForm(found, {name: value for name, value in shown.items() if value})
    assert sent.is_valid(), sent.errors
    assert sent.chosen() == mapping_from(found.mapping)
