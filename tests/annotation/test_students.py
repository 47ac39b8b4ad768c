"""Students: what people's answers teach, fixed before it is judged, and exported as corrected."""

import json

import numpy as np
import pytest
from django.core.management import call_command
from django.urls import reverse

from annotation.actions.students import CannotLearn, start_student, work_on_due
from annotation.exports.wanted import Wanted
from annotation.exports.write import export
from annotation.models import MachineAnnotator, Suggestion
from annotation.reports.scope import usual_machine
from annotation.reports.students import student_of
from tests import factories as f

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("snapshot_db")]
WRONG = "the parcel came late again"  # the machine takes these for praise
RIGHT = "what a lovely reading room"
WHO = ("writes Ada", "says a neighbour", "Mina asks", "from the third floor", "as ever")


@pytest.fixture(autouse=True)
def folders(settings, tmp_path):
    settings.FEATURE_DIR = tmp_path / "features"


@pytest.fixture
def project():
    """The machine calls each sample "yes", unsure where a parcel is late; there people say "no"."""
    project = f.make_project()
    f.make_codebook(project)
    annotator = f.make_annotator(project)
    texts = [f"{WRONG if n % 2 else RIGHT}, {WHO[n % 5]}" for n in range(300)]
    samples = [f.make_sample(project, text) for text in texts]
    machine = f.make_machine(project)
    rng = np.random.default_rng(1)
    for sample in samples:
        sure = float(rng.uniform(0.52, 0.6) if WRONG in sample.text else rng.uniform(0.85, 0.95))
        f.make_suggestion(machine, sample, {"yes": sure, "no": 1 - sure})
    round_ = f.make_round(project, samples=samples[:150], annotators=[annotator], inclusion=0.5)
    for item in round_.items.all():
        f.make_annotation(item, annotator, "no" if WRONG in item.sample.text else "yes")
    project.machine, project.samples_, project.annotator = machine, samples, annotator
    project.round = round_
    return project


def said(student):
    rows = student.suggestions.order_by("sample")
    return list(rows.values_list("sample", "code", "confidence"))


def test_it_corrects_what_people_would_say_otherwise(project):
    student = start_student(project.machine)
    assert work_on_due() is True
    assert work_on_due() is False
    labels = {sample: code for sample, code, _sure in said(student)}
    expected = ["no" if WRONG in sample.text else "yes" for sample in project.samples_]
    right = [
        labels[sample.pk] == label for sample, label in zip(project.samples_, expected, strict=True)
    ]
    assert np.mean(right) > 0.95
    found = student_of(student)
    assert (found.base, found.answers, found.said, found.size) == (project.machine, 150, 300, 300)
    assert 140 <= found.corrected <= 160
    for row in student.suggestions.all():
        assert sum(row.probabilities.values()) == pytest.approx(1)
        assert row.probabilities[row.code] == pytest.approx(row.confidence)
        assert row.source == "student"


def test_it_stays_as_it_was_whatever_is_answered_later(project):
    student = start_student(project.machine)
    work_on_due()
    before = said(student)
    kept = student.suggestions.order_by("sample")[:40].values_list("pk", flat=True)
    other = MachineAnnotator.objects.create(
        project=project,
        codebook=student.codebook,
        fingerprint="a worker that died after forty samples",
        **{
            name: getattr(student, name)
            for name in ("name", "kind", "model", "technique", "technique_version", "decoding")
        },
    )
    Suggestion.objects.bulk_create(
        Suggestion(**{**row, "machine": other})
        for row in (
            {k: getattr(one, k) for k in ("sample_id", "value", "code", "probabilities", "source",
                                          "confidence", "entropy", "margin")}
            for one in Suggestion.objects.filter(pk__in=list(kept))
        )
    )  # fmt: skip
    later = f.make_round(project, samples=project.samples_[150:190], annotators=[project.annotator])
    for item in later.items.all():
        f.make_annotation(item, project.annotator, "yes")
    assert work_on_due() is True
    assert said(other) == before
    newer = start_student(project.machine)
    assert newer != student
    assert newer.decoding["answers"] == 190


def test_asked_twice_it_is_one_student(project):
    assert start_student(project.machine) == start_student(project.machine)


def test_too_few_answers_teach_nothing(project):
    fresh = f.make_project()
    f.make_codebook(fresh)
    machine = f.make_machine(fresh)
    with pytest.raises(CannotLearn, match="not labelled anything"):
        start_student(machine)
    f.make_suggestion(machine, f.make_sample(fresh), {"yes": 0.75, "no": 0.25})
    with pytest.raises(CannotLearn, match="takes 20"):
        start_student(machine)
    student = start_student(project.machine)
    with pytest.raises(CannotLearn, match="is a student"):
        start_student(student)


def test_pages_go_on_with_the_machine_that_was_asked(project):
    start_student(project.machine)
    work_on_due()
    assert usual_machine(project) == project.machine


def sources(project, tmp_path, **options):
    wanted = Wanted("jsonl", **options)
    path = tmp_path / f"out{len(list(tmp_path.iterdir()))}.jsonl"
    made = export(project, wanted, path)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return made["counts"]["by_source"], rows


def test_a_release_marks_corrected_labels_and_can_leave_them_out(project, tmp_path):
    student = start_student(project.machine)
    work_on_due()
    counted, rows = sources(project, tmp_path, machine=student.pk)
    assert counted["people"] == 150
    assert counted["corrected"] + counted["model"] == 150
    corrected = [row for row in rows if row["final_source"] == "corrected"]
    assert 70 <= len(corrected) <= 80
    assert {row["final_label"] for row in corrected} == {"no"}
    counted, rows = sources(project, tmp_path, machine=student.pk, corrected=False)
    assert (counted["corrected"], counted["model"]) == (0, 150)
    assert {row["final_label"] for row in rows if row["final_source"] == "model"} == {"yes"}
    counted, _rows = sources(project, tmp_path)
    assert (counted["corrected"], counted["model"]) == (0, 150)


def test_an_audit_after_it_judges_the_student(client, project):
    student = start_student(project.machine)
    work_on_due()
    call_command(
        "draw", str(project.pk), "--strategy", "uniform", "--budget", "40", "--purpose", "audit",
        "--machine", str(student.pk), "--seed", "1",
    )  # fmt: skip
    audit = project.rounds.latest("pk")
    for item in audit.items.all():
        f.make_annotation(item, project.annotator, "no" if WRONG in item.sample.text else "yes")
    page = {"machine": student.pk, "error": "10", "confidence": "90"}
    client.force_login(f.make_manager(project))
    shown = client.get(reverse("annotation:certificate", args=[project.pk]), page).content.decode()
    assert "accepted without a person" in shown


def test_the_machine_page_lets_a_student_learn_and_follows_it(client, project):
    client.force_login(f.make_manager(project))
    page = reverse("annotation:machine", args=[project.machine.pk])
    assert "Let a student learn" in client.get(page).content.decode()
    made = client.post(reverse("annotation:machine_learn", args=[project.machine.pk]))
    student = MachineAnnotator.objects.get(kind="student")
    assert made.url == reverse("annotation:machine", args=[student.pk])
    assert 'hx-trigger="every 2s"' in client.get(made.url).content.decode()
    poll = {"HX-Request": "true", "HX-Target": "student"}
    assert b"<html" not in client.get(made.url, headers=poll).content
    work_on_due()
    assert client.get(made.url, headers=poll).headers["HX-Refresh"] == "true"
    shown = client.get(made.url).content.decode()
    assert "every 2s" not in shown
    assert "another label than the machine" in shown
    assert student.name in client.get(page).content.decode()


def test_the_command_waits_until_the_student_has_said_everything(project, capsys):
    call_command("learn", str(project.pk), "--json")
    found = json.loads(capsys.readouterr().out)
    assert (found["learned_from"], found["answers"], found["said"]) == (
        project.machine.pk,
        150,
        300,
    )
    assert found["corrected"] == student_of(MachineAnnotator.objects.get(kind="student")).corrected


def test_a_refusal_is_said_on_the_machine_page(client):
    project = f.make_project()
    f.make_codebook(project)
    machine = f.make_machine(project)
    client.force_login(f.make_manager(project))
    url = reverse("annotation:machine_learn", args=[machine.pk])
    assert "start a label run" in client.post(url, follow=True).content.decode()
    assert not MachineAnnotator.objects.filter(kind="student").exists()
