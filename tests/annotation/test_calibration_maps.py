"""Calibration maps in force: stored with what they were fitted on, shown where confidence is."""

import hashlib

import numpy as np
import pytest
from django.urls import reverse
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from annotation.actions.draw_plans import plan
from annotation.actions.draws import Design
from annotation.actions.maps import NoMap, use_map
from annotation.models import CalibrationMap
from annotation.reports.maps_in_force import in_force, newest_of
from annotation.reports.scope import rounds_under, scope_of, usual_machine
from synthlab.science.calibration_maps import fit_map
from tests import factories as f
from tests.annotation.test_reliability import drawn, make_study, page

pytestmark = pytest.mark.django_db


def scope_in(project):
    edition = project.edition()
    return scope_of(project, edition, rounds_under(edition), usual_machine(project))


def boastful(n=120, **fields):
    """A machine that claims too much, so that a map helps."""
    confidence, right = drawn(n, power=4.0)
    project, round_ = make_study(confidence, right, **{"inclusion": 0.2, **fields})
    return project, round_, confidence, right


def post(client, project, **sent):
    return client.post(f"/projects/{project.pk}/reliability/map/", sent)


def test_the_button_stores_the_winning_map_with_all_that_it_was_fitted_on(client):
    project, round_, confidence, right = boastful()
    response = page(client, project)
    assertContains(response, "Use this map")
    assertNotContains(response, "map in force since")
    scope = response.context["scope"]
    sent = {"edition": 1, "machine": scope.machine.pk, "round": round_.pk}
    address = reverse("annotation:reliability", args=[project.pk])
    query = f"edition=1&machine={scope.machine.pk}&round={round_.pk}"
    assertRedirects(post(client, project, **sent), f"{address}?{query}#maps")
    row = CalibrationMap.objects.get()
    expected = fit_map("platt", confidence, right.astype(float), np.full(120, 5.0))
    assert (row.machine, row.codebook) == (scope.machine, project.edition())
    assert row.kind == response.context["report"].maps.corrected.name == "platt"
    assert row.parameters["slope"] == pytest.approx(expected.parameters["slope"])
    assert row.held_out["platt"] < row.held_out["raw"]
    assert (row.inputs["answers"], row.inputs["rounds"]) == (120, [round_.pk])
    newest = project.annotations.latest("pk").pk
    assert row.inputs["until"] == {"annotation": newest, "adjudication": 0}
    digest = hashlib.sha256()
    for array in (confidence, right.astype(float), np.full(120, 5.0)):
        digest.update(np.asarray(array, "<f8").tobytes())
    assert row.inputs["sha256"] == digest.hexdigest()


def test_the_page_shows_the_map_in_force_and_that_it_is_stale_when_answers_came(client):
    project, round_, _confidence, _right = boastful(inclusion=0.2)
    use_map(scope_in(project))
    response = page(client, project)
    assertContains(response, "fitted on 120 answers to samples drawn by lot, for edition 1")
    assertNotContains(response, "It is stale")
    item = round_.items.select_related("sample", "round__project").first()
    f.make_annotation(item, f.make_annotator(project), "yes", blind=False)  # measures nothing
    assert not in_force(usual_machine(project), project.edition()).stale
    f.make_annotation(item, f.make_annotator(project), "yes")
    assertContains(page(client, project), "It is stale: 1 answer or settlement came since.")


def test_another_machine_or_edition_has_no_map(client):
    project, _round, _confidence, _right = boastful()
    machine = usual_machine(project)
    use_map(scope_in(project))
    assert in_force(f.make_machine(project), project.edition()) is None
    newer = f.make_codebook(project, change="wording", parent=project.edition())
    assert in_force(machine, newer) is None
    assert newest_of(machine).row.codebook.number == 1


def test_where_no_map_is_better_there_is_no_button_and_the_confidence_stays(client):
    confidence = np.tile([0.6, 0.8], 60)
    right = np.tile([1, 1, 1, 1, 1, 1, 0, 1, 0, 0], 12).astype(bool)
    project, round_ = make_study(confidence, right, inclusion=0.2)
    assertNotContains(page(client, project), "Use this map")
    with pytest.raises(NoMap):
        use_map(scope_in(project))
    response = post(client, project, edition=1, round=round_.pk)
    assertContains(client.get(response.url), "No map is used")
    assert not CalibrationMap.objects.exists()


def test_a_map_can_be_taken_out_of_force_when_none_is_better_any_more(client):
    confidence = np.tile([0.6, 0.8], 60)
    right = np.tile([1, 1, 1, 1, 1, 1, 0, 1, 0, 0], 12).astype(bool)
    project, round_ = make_study(confidence, right, inclusion=0.2)
    CalibrationMap.objects.create(
        machine=usual_machine(project),
        codebook=project.edition(),
        kind="temperature",
        parameters={"t": [2.0]},
        inputs={"answers": 40, "rounds": [], "until": {"annotation": 0, "adjudication": 0}},
        held_out={},
    )
    assertContains(page(client, project), "Use the confidence as it is")
    post(client, project, edition=1, round=round_.pk)
    assert CalibrationMap.objects.latest("pk").kind == "identity"
    assert in_force(usual_machine(project), project.edition()) is None


def test_without_a_draw_by_lot_there_is_no_button(client):
    project, round_, _confidence, _right = boastful(inclusion=None)
    assertNotContains(page(client, project), "Use this map")
    response = post(client, project, edition=1, round=round_.pk)
    assertContains(client.get(response.url), "no answered sample was drawn with a known chance")


def test_a_project_without_answers_gets_a_sentence(client):
    project = f.make_project("multi_label")
    f.make_codebook(project)
    client.force_login(f.make_manager(project))
    response = client.post(f"/projects/{project.pk}/reliability/map/", follow=True)
    assertContains(response, "There is no confidence and no answer to fit a map on.")


def test_machine_and_sample_pages_translate_the_confidence(client):
    project, round_, _confidence, _right = boastful()
    client.force_login(f.make_manager(project))
    machine, sample = usual_machine(project), round_.items.first().sample
    assertContains(client.get(f"/machines/{machine.pk}/"), "How often is it right at each")
    assertNotContains(client.get(f"/samples/{sample.pk}/"), "calibrated")
    use_map(scope_in(project))
    found = newest_of(machine)
    shown = client.get(f"/machines/{machine.pk}/")
    assertContains(shown, "fitted on 120 answers")
    chance = f"{100 * found.chance(0.9):.1f}\N{NARROW NO-BREAK SPACE}%"
    assertContains(shown, chance)
    said = machine.suggestions.get(sample=sample)
    chance = f"{100 * found.chance(said.confidence):.1f}\N{NARROW NO-BREAK SPACE}%"
    page_of_sample = client.get(f"/samples/{sample.pk}/")
    assertContains(page_of_sample, f"calibrated: people agree with {chance}")


def test_a_draw_is_reckoned_by_the_map_and_takes_the_same_samples():
    project, _round, confidence, _right = boastful()
    machine = usual_machine(project)
    which = Design(project.edition(), "least_confidence", "30", seed=1).which
    design = Design(
        project.edition(),
        "least_confidence",
        "30",
        seed=1,
        audit="10",
        machine=machine,
        which=type(which)(split="pool"),
    )
    before = plan(project, design)
    use_map(scope_in(project))
    after = plan(project, design)
    chances = in_force(machine, project.edition()).chances(np.asarray(confidence))
    assert after.trade.errors_in_frame == pytest.approx(float((1 - chances).sum()))
    assert after.trade.errors_in_frame > before.trade.errors_in_frame
    assert after.drawn.rows.tolist() == before.drawn.rows.tolist()
    assert after.map.answers == 120
