"""Kept figures: what they name, that they never change, that they can be computed again."""

import json

import pytest
from django.core.management import call_command
from django.urls import reverse

from annotation.actions.estimates import NothingToKeep, keep, recompute
from annotation.models import Annotation, Estimate
from annotation.reports.scope import scope_of
from tests import factories as f

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    """Eight samples drawn by lot from sixteen; six are answered, five as the machine did."""
    project = f.make_project()
    codebook = f.make_codebook(project)
    annotator = f.make_annotator(project)
    round_ = f.make_round(
        project,
        [f"text {number}" for number in range(8)],
        annotators=[annotator],
        codebook=codebook,
        inclusion=0.5,
        frame={"size": 16},
    )
    machine = f.make_machine(project)
    for place, item in enumerate(round_.items.order_by("rank")):
        said = {"yes": 0.75, "no": 0.25} if place % 2 else {"yes": 0.25, "no": 0.75}
        f.make_suggestion(machine, item.sample, said)
        if place < 6:
            f.make_annotation(item, annotator, "yes" if place % 2 or place > 3 else "no")
    project.annotator, project.round, project.machine = annotator, round_, machine
    return project


def scope(project):
    return scope_of(project, project.edition(), [project.round], project.machine)


def test_every_figure_names_what_it_was_computed_from(project):
    kept = keep(scope(project))
    newest = Annotation.objects.order_by("-pk").first().pk
    accuracy = next(one for one in kept if one.figure == "machine:percent")
    assert accuracy.inputs["rounds"] == [project.round.pk]
    assert accuracy.inputs["edition"] == 1
    assert accuracy.inputs["machine"] == project.machine.fingerprint
    assert accuracy.inputs["until"]["annotation"] == newest
    assert len(accuracy.inputs["read"]) == len(accuracy.result_hash) == 64
    assert accuracy.result["naive"]["value"] == pytest.approx(5 / 6)
    assert "numpy" in accuracy.code_version
    assert {"machine:kappa", "machine:f1:yes", "people:alpha"} <= {one.figure for one in kept}


def test_figures_come_out_the_same_after_more_was_said(project):
    first = keep(scope(project))[0]
    later = project.round.items.order_by("rank")[6]
    f.make_annotation(later, project.annotator, "no")
    changed = Annotation.objects.order_by("pk").first()
    f.make_annotation(changed.round_item, project.annotator, "yes", supersedes=changed)
    again = recompute(first)
    assert (again.same, again.same_inputs, again.same_code) == (True, True, True)
    new = {one.figure: one.result for one in keep(scope(project))}
    assert new["machine:percent"] != first.result  # so that it could have differed


def test_a_result_that_was_tampered_with_is_found(project):
    first = keep(scope(project))[0]
    rows = Estimate.objects.filter(batch=first.batch)
    fields = {
        name: getattr(first, name)
        for name in ("project", "codebook", "machine", "options", "inputs", "code_version")
    }
    forged = Estimate.objects.create(
        **fields,
        batch="00000000-0000-4000-8000-000000000001",
        figure=first.figure,
        method=first.method,
        result={**first.result, "value": 0.99},
        result_hash=first.result_hash,
    )
    found = recompute(forged)
    assert first.figure in found.changed
    assert recompute(rows.first()).same


def test_without_rounds_there_is_nothing_to_keep():
    project = f.make_project()
    f.make_codebook(project)
    with pytest.raises(NothingToKeep, match="draw a round"):
        keep(scope_of(project, project.edition(), [], None))


def test_a_manager_keeps_figures_and_computes_them_again(client, project):
    client.force_login(f.make_manager(project))
    listed = reverse("annotation:estimates", args=[project.pk])
    made = client.post(
        reverse("annotation:estimates_keep", args=[project.pk]),
        {"edition": 1, "machine": project.machine.pk},
    )
    estimate = Estimate.objects.order_by("pk").first()
    page = reverse("annotation:estimate", args=[estimate.pk])
    assert made.url == page
    shown = client.get(page).content.decode()
    assert estimate.inputs["read"] in shown
    assert "Accuracy" in shown or "Percent agreement" in shown
    again = client.post(page, follow=True).content.decode()
    assert "byte for byte" in again
    assert page in client.get(listed).content.decode()


def test_an_adjudicator_reads_but_does_not_keep(client, project):
    client.force_login(f.make_adjudicator(project))
    listed = reverse("annotation:estimates", args=[project.pk])
    assert client.get(listed).status_code == 200
    keep_here = reverse("annotation:estimates_keep", args=[project.pk])
    assert client.post(keep_here).status_code == 404
    assert not Estimate.objects.exists()


def test_the_command_keeps_and_recomputes(project, capsys):
    call_command("agreement", str(project.pk), "--keep", "--json")
    said = json.loads(capsys.readouterr().out)
    first = Estimate.objects.order_by("pk").first()
    assert said["kept"] == first.pk
    call_command("recompute", str(project.pk), "--json")
    said = json.loads(capsys.readouterr().out)
    assert said["batches"] == [
        {
            "estimate": first.pk,
            "figures": Estimate.objects.count(),
            "changed": [],
            "same": True,
            "same_inputs": True,
            "same_code": True,
        }
    ]
