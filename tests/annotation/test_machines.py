"""How sure a machine annotator is: /projects/<id>/machines/ and /machines/<id>/."""

import json
import re

import pytest
from pytest_django.asserts import assertContains

from annotation.reports import machines as reports
from tests import factories as f

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    project = f.make_project()
    f.make_codebook(project)
    return project


@pytest.fixture
def machine(project):
    """Four samples: three "yes" at .95, .93 and 1, one "no" at .5 and a bit."""
    machine = f.make_machine(project)
    for p in (0.95, 0.93, 1.0, 0.49):
        f.make_suggestion(machine, f.make_sample(project, f"p {p}"), {"yes": p, "no": 1 - p})
    return machine


def test_every_suggestion_is_in_exactly_one_bar_and_the_last_holds_certainty(machine):
    found = reports.distribution(machine, "confidence")
    counts = [bar.count for bar in found.bars]
    assert sum(counts) == 4
    assert counts[10] == 1  # 0.51 lies in [0.50, 0.55)
    assert counts[18] == 1  # 0.93
    assert counts[19] == 2  # 0.95 and 1
    assert found.bars[10].by_label == (0, 1, 0)


def test_entropy_is_binned_up_to_its_largest_value(machine):
    found = reports.distribution(machine, "entropy")
    assert found.top == pytest.approx(0.6931, abs=1e-4)
    assert found.bars[19].count == 1  # the one near one half


def test_a_missing_confidence_is_counted_apart_and_never_binned(project, machine):
    f.make_suggestion(machine, f.make_sample(project, "x"), {"yes": 0.6, "no": 0.4})
    sample = f.make_sample(project, "no figure")
    machine.suggestions.create(
        sample=sample, value={"label": "yes"}, code="yes", probabilities={}, source="verbalized"
    )
    found = reports.distribution(machine, "confidence")
    assert found.missing == 1
    assert sum(bar.count for bar in found.bars) == 5


def test_the_samples_behind_a_bar_are_listed_the_least_sure_first(client, project, machine):
    client.force_login(f.make_manager(project))
    response = client.get(f"/machines/{machine.pk}/?low=0.9&high=1.0")
    assert [row.measured for row in response.context["behind"]] == [0.93, 0.95, 1.0]
    assertContains(response, "p 0.93")


def test_the_chart_has_the_figures_of_the_table(client, project, machine):
    client.force_login(f.make_manager(project))
    page = client.get(f"/machines/{machine.pk}/").content.decode()
    spec = json.loads(
        re.search(r'id="distribution" type="application/json">(.*?)</script>', page)[1]
    )
    values = spec.get("data", {}).get("values") or next(iter(spec["datasets"].values()))
    assert sum(row["n"] for row in values) == 4
    assert all(row["url"].startswith(f"/machines/{machine.pk}/?") for row in values)


def test_multi_label_shows_the_probability_of_one_label(project):
    project = f.make_project(task_type="multi_label")
    f.make_codebook(project, ("red", "blue"))
    machine = f.make_machine(project)
    f.make_suggestion(machine, f.make_sample(project), {"red": 0.9, "blue": 0.2})
    bars = reports.distribution(machine, "confidence", "blue").bars
    assert [bar.count for bar in bars].index(1) == 4
    assert [(row.slug, row.count) for row in reports.label_rows(machine)] == [
        ("red", 1),
        ("blue", 0),
    ]


def test_an_unknown_measure_or_label_does_not_exist(client, project, machine):
    client.force_login(f.make_manager(project))
    assert client.get(f"/machines/{machine.pk}/?measure=password").status_code == 404
    assert client.get(f"/machines/{machine.pk}/?label=maybe").status_code == 404


def test_the_list_does_not_ask_more_for_more_machines(
    client, project, machine, django_assert_max_num_queries
):
    client.force_login(f.make_manager(project))
    for number in range(12):
        f.make_machine(project, name=f"Machine {number}")
    with django_assert_max_num_queries(8):
        assertContains(client.get(f"/projects/{project.pk}/machines/"), "Machine 11")


def test_a_project_without_machines_says_the_next_step(client, project):
    client.force_login(f.make_manager(project))
    assertContains(client.get(f"/projects/{project.pk}/machines/"), "Start a label run")
