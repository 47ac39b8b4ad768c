"""The accuracy assisted by the machine's confidence, beside the one of the answers alone."""

import json
from io import StringIO

import numpy as np
import pytest
from django.core.management import call_command
from pytest_django.asserts import assertContains, assertNotContains

from annotation.actions.draws import Design, draw_round
from annotation.arrays_agreement import judgements
from annotation.models import Sample
from annotation.reports import assisted as reports
from annotation.reports.assisted import assisted
from annotation.reports.scope import rounds_under, scope_of, usual_machine
from synthlab.science.assisted import TOO_ALIKE, TOO_FEW
from tests import factories as f
from tests.annotation.test_agreement import answer_all, make_samples, page
from tests.annotation.test_reliability import believe

pytestmark = pytest.mark.django_db
SIZE = 700


def make_study(budget="150", slope=0.9, seed=4, unstated=0, size=SIZE):
    """A machine that says "yes" and is right the more often the surer it is; people answer a
    uniform round. Gives the project and how often it is right on everything."""
    rng = np.random.default_rng(seed)
    project = f.make_project()
    f.make_codebook(project)
    machine = f.make_machine(project)
    samples = make_samples(project, size)
    sure = rng.uniform(0.3, 1, size)
    right = rng.random(size) < (1 - slope) * 0.7 + slope * sure
    believe(machine, samples, [None if n < unstated else p for n, p in enumerate(sure)])
    answer(project, machine, samples, right, budget)
    return project, right


def answer(project, machine, samples, right, budget):
    design = Design(project.edition(), "uniform", budget, seed=3, machine=machine)
    round_ = draw_round(project, design)
    place = {sample.pk: n for n, sample in enumerate(samples)}
    drawn = round_.items.order_by("rank").values_list("sample", flat=True)
    said = ["yes" if right[place[pk]] else "no" for pk in drawn]
    answer_all(round_, {f.make_annotator(project): said})
    return round_


def assisted_in(project):
    edition = project.edition()
    return assisted(
        judgements(scope_of(project, edition, rounds_under(edition), usual_machine(project)))
    )


def test_it_holds_the_truth_and_is_worth_more_answers_where_the_confidence_knows():
    project, right = make_study()
    found = assisted_in(project)
    low, high = found.figure.interval
    assert low <= right.mean() <= high
    assert found.figure.method == "ppi"
    assert found.worth > 1.1 * found.figure.n == 165
    useless, _right = make_study(slope=0.0)
    assert assisted_in(useless).worth == pytest.approx(150, rel=0.04)


def test_the_page_and_the_command_say_it_beside_the_plain_figure(client):
    project, _right = make_study()
    found = assisted_in(project)
    response = page(client, project)
    assertContains(response, "Assisted by the machine's confidence:", html=False)
    assertContains(response, f"as if from {found.worth:.0f} answers instead of 150")
    assertContains(response, "95 % interval:")
    out = StringIO()
    call_command("agreement", project.name, "--json", stdout=out)
    said = json.loads(out.getvalue())["assisted"]
    assert said["figure"]["value"] == pytest.approx(found.figure.value)
    assert said["worth"] == pytest.approx(found.worth)


def test_with_fewer_than_a_hundred_answers_or_nearly_all_right_there_is_none(client):
    project, _right = make_study(budget="99")
    assert assisted_in(project).reason == TOO_FEW
    assertNotContains(page(client, project), "confidence cannot help")
    rng = np.random.default_rng(1)
    perfect = f.make_project()
    f.make_codebook(perfect)
    samples = make_samples(perfect, 300)
    believe(f.make_machine(perfect), samples, rng.uniform(0.5, 1, 300))
    answer(perfect, perfect.machines.get(), samples, np.arange(300) > 5, "120")
    assert assisted_in(perfect).reason == TOO_ALIKE
    assertContains(page(client, perfect), "confidence cannot help here: fewer than 20 answers")


def test_several_rounds_a_changed_frame_and_unstated_confidence_say_why():
    project, right = make_study()
    samples = list(project.samples.order_by("pk"))
    answer(project, project.machines.get(), samples, right, "20")
    assert assisted_in(project).reason == reports.SEVERAL_ROUNDS
    changed, _right = make_study()
    outside = changed.samples.filter(round_items=None).order_by("pk").first()
    Sample.objects.filter(pk=outside.pk).update(split="test")
    assert assisted_in(changed).reason == reports.NO_FRAME
    silent, _right = make_study(unstated=SIZE)
    assert assisted_in(silent).reason == reports.NOT_STATED


def test_samples_without_a_stated_confidence_get_the_mean_of_the_others():
    project, right = make_study(unstated=100)
    found = assisted_in(project)
    assert found.figure.interval[0] <= right.mean() <= found.figure.interval[1]


def test_several_labels_a_sample_have_no_one_confidence():
    project = f.make_project("multi_label")
    f.make_codebook(project)
    assert assisted_in(project) is None
