"""May the machine answer in a person's place? The section of the agreement page."""

import json
from io import StringIO

import numpy as np
import pytest
from django.core.management import call_command
from django.utils.timezone import now
from pytest_django.asserts import assertContains, assertNotContains

from annotation.arrays_agreement import judgements
from annotation.models import Codebook, Sample
from annotation.reports.replacing import UNEVEN, replacing
from annotation.reports.scope import rounds_under, scope_of, usual_machine
from synthlab.science.alternative_annotator import TOO_FEW_PEOPLE, alternative_annotator_test
from synthlab.science.figures import NO_DRAW
from tests import factories as f
from tests.annotation.test_agreement import answer_all, make_samples, open_round, page, suggest

pytestmark = pytest.mark.django_db
SLUGS = ("a", "b", "c")


def noisy(rng, truth, share):
    return np.where(rng.random(len(truth)) < share, truth, (truth + 1) % 3)


def make_study(n=60, people=3, machine=0.95, person=0.8, task_type="single_label", **fields):
    """People who are right on one share of the samples, and a machine right on another."""
    rng = np.random.default_rng(5)
    project = f.make_project(task_type)
    f.make_codebook(project, SLUGS)
    truth = rng.integers(0, 3, n)
    said = [noisy(rng, truth, person) for _ in range(people)]
    model = noisy(rng, truth, machine)
    samples = make_samples(project, n)
    suggest(f.make_machine(project), samples, [SLUGS[label] for label in model])
    round_ = open_round(project, samples, **{"inclusion": 0.1, **fields})
    annotators = [f.make_annotator(project) for _ in range(people)]
    answer_all(
        round_,
        {who: [SLUGS[x] for x in column] for who, column in zip(annotators, said, strict=True)},
    )
    return project, np.stack(said, axis=1), model


def found_in(project, effort="skilled"):
    edition = project.edition()
    scope = scope_of(project, edition, rounds_under(edition), usual_machine(project))
    read = judgements(scope)
    return replacing(read, [f"person {n}" for n in range(len(read.annotators))], effort)


def test_it_is_the_test_of_the_paper_on_blind_answers_drawn_by_lot():
    project, people, model = make_study()
    expected = alternative_annotator_test(people, model, 0.15)
    found = found_in(project)
    assert found.winning_rate == expected.winning_rate == 1.0
    assert found.advantage.value == expected.advantage.value
    assert found.advantage.interval == pytest.approx(expected.advantage.interval)
    p = [contest.adjusted for contest in expected.contests]
    assert [rival.p for rival in found.rivals] == pytest.approx(p)
    shares = [rival.machine.value for rival in found.rivals]
    assert shares == [contest.model_advantage for contest in expected.contests]
    assert all(rival.machine.interval[0] < rival.machine.value for rival in found.rivals)
    assert (found.samples, found.epsilon) == (60, 0.15)


def test_a_poor_machine_does_not_pass_and_a_higher_price_helps_it():
    project, _people, _model = make_study(machine=0.55)
    assert found_in(project).passes is False
    near, _people, _model = make_study(n=90, machine=0.72)
    p = [found_in(near, effort).rivals[0].p for effort in ("crowd", "skilled", "expert")]
    assert p == sorted(p, reverse=True)
    assert p[0] > p[2]


def test_the_page_says_what_it_means_for_each_price(client):
    project, _people, _model = make_study()
    response = page(client, project)
    assertContains(response, "It passes: the machine wins against 3 of 3 people")
    assertContains(response, "less than 15\N{NARROW NO-BREAK SPACE}% of the samples")
    names = project.memberships.filter(role="annotator").values_list("pseudonym", flat=True)
    for name in names:
        assertContains(response, name)
    expert = page(client, project, "?effort=expert")
    assert expert.context["report"].replacing.epsilon == 0.2
    assert page(client, project, "?effort=cheap").context["report"].replacing.epsilon == 0.15


def test_two_people_a_sample_are_too_few_and_the_button_asks_three(client):
    project, _people, _model = make_study(people=2)
    response = page(client, project)
    assertContains(response, "no sample drawn by lot has blind answers of three people")
    assertContains(response, "at least 30 for each")
    step = response.context["replace_step"]
    form = client.get(step.url).context["form"]
    assert (form.initial["overlap"], form.initial["strategy"]) == (3, "uniform")
    assert (form.initial["purpose"], form.initial["budget"]) == ("audit", "60")
    client.force_login(f.make_adjudicator(project))
    assertNotContains(client.get(f"/projects/{project.pk}/agreement/"), step.button)


def test_chosen_samples_and_uneven_chances_measure_nothing():
    project, _people, _model = make_study(inclusion=None, stratum="least_confidence")
    assert found_in(project).reason == NO_DRAW
    uneven, _people, _model = make_study(n=40)
    samples = make_samples(uneven, 40)
    for sample in samples:
        Sample.objects.filter(pk=sample.pk).update(content_hash=f"new {sample.pk}")
    round_ = open_round(uneven, samples, inclusion=0.4, frame={"size": 9})
    suggest(uneven.machines.get(), samples, ["a"] * 40)
    answer_all(round_, {f.make_annotator(uneven): ["a"] * 40 for _ in range(3)})
    assert found_in(uneven).reason == UNEVEN
    assert found_in(uneven).winning_rate is None


def test_too_few_samples_are_counted_for_each_person(client):
    project, _people, _model = make_study(n=29)
    found = found_in(project)
    assert found.reason == TOO_FEW_PEOPLE
    assert [(rival.samples, rival.machine.value) for rival in found.rivals] == [(29, None)] * 3
    response = page(client, project)
    assertContains(response, "fewer than two people have 30 samples")
    assertContains(response, "too few samples", 3)


def test_copies_of_a_text_count_once():
    project, _people, _model = make_study(n=40)
    project.samples.update(content_hash="same")
    assert found_in(project).samples == 1


def test_ratings_are_compared_by_distance_on_their_scale():
    project = f.make_project("rating")
    book = f.make_codebook(project, ("low", "middle", "high"), published=False)
    book.labels.filter(slug="low").update(number=-2)
    Codebook.objects.filter(pk=book.pk).update(state="published", published_at=now())
    rng = np.random.default_rng(3)
    names = np.array(["low", "middle", "high"])
    truth = rng.integers(0, 3, 50)
    samples = make_samples(project, 50)
    suggest(f.make_machine(project), samples, names[truth].tolist())
    round_ = open_round(project, samples, inclusion=0.1)
    said = [np.clip(truth + rng.integers(0, 2, 50), 0, 2) for _ in range(3)]
    answer_all(round_, {f.make_annotator(project): names[column].tolist() for column in said})
    points = np.array([-2.0, 1.0, 2.0]) + 2  # the scale, from 0 on
    expected = alternative_annotator_test(
        points[np.stack(said, axis=1)], points[truth], 0.15, alignment="distance"
    )
    p = [contest.adjusted for contest in expected.contests]
    assert [rival.p for rival in found_in(project).rivals] == pytest.approx(p)


def test_answers_with_several_labels_match_as_a_whole():
    project = f.make_project("multi_label")
    f.make_codebook(project, SLUGS)
    samples = make_samples(project, 40)
    suggest(f.make_machine(project), samples, [["a", "b"]] * 40)
    round_ = open_round(project, samples, inclusion=0.1)
    whole, part = [["a", "b"]] * 40, [["a"]] * 40
    answer_all(round_, {f.make_annotator(project): said for said in (whole, whole, part)})
    found = found_in(project)
    assert [rival.machine.value for rival in found.rivals] == [1.0, 1.0, 1.0]
    assert [rival.person.value for rival in found.rivals] == [1.0, 1.0, 0.0]


def test_the_command_says_it_too():
    project, _people, _model = make_study()
    out = StringIO()
    call_command("agreement", project.name, "--effort", "expert", "--json", stdout=out)
    said = json.loads(out.getvalue())["replacing"]
    assert (said["epsilon"], said["winning_rate"], said["passes"]) == (0.2, 1.0, True)
    assert len(said["rivals"]) == 3
    assert said["advantage"]["interval"][0] > 0.5
