"""The reliability page: confidence against people's answers, maps and the risk-coverage curve."""

import json
import re

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.asserts import assertContains, assertNotContains
from sklearn.metrics import brier_score_loss

from annotation.actions.draws import Design, draw_round
from annotation.models import Round, RoundItem, Suggestion
from annotation.reports import reliability as reports
from annotation.reports import reliability_words as sentences
from annotation.reports.reliability_maps import maps
from annotation.reports.scope import rounds_under, scope_of, usual_machine
from annotation.reports.words import apart
from synthlab.science.bootstrap import Bootstrap
from synthlab.science.estimation import Design as Drawn
from tests import factories as f
from tests.annotation.test_agreement import answer_all, make_samples

pytestmark = pytest.mark.django_db


def believe(machine, samples, confidence):
    """Suggestions "yes", each with its confidence (None: not stated)."""
    value = machine.project.task.value(["yes"], machine.codebook.rules())
    Suggestion.objects.bulk_create(
        Suggestion(
            machine=machine,
            sample=sample,
            value=value,
            code="yes",
            probabilities={},
            source="verbalized",
            confidence=None if sure is None else float(sure),
        )
        for sample, sure in zip(samples, confidence, strict=True)
    )


def make_round(project, samples, inclusion, **fields):
    """An open round over these samples; one chance for all, or one for each (None: none known)."""
    chances = inclusion if isinstance(inclusion, list) else [inclusion] * len(samples)
    fields = {"name": "Pilot", "strategy": "uniform", "seed": 1, "state": "open", **fields}
    round_ = Round.objects.create(project=project, codebook=project.edition(), **fields)
    RoundItem.objects.bulk_create(
        RoundItem(
            round=round_,
            sample=sample,
            rank=rank,
            stratum="audit" if chance else "least_confidence",
            inclusion=chance,
            score=0.5,
        )
        for rank, (sample, chance) in enumerate(zip(samples, chances, strict=True))
    )
    return round_


def make_study(
    confidence, right, inclusion=1.0, task_type="single_label", machine_name="M", **fields
):
    """A machine that said "yes" to all of one round, and an annotator who agreed where `right`
    (None: no answer)."""
    project = f.make_project(task_type)
    f.make_codebook(project, ("yes", "no"))
    machine = f.make_machine(project, name=machine_name)
    samples = make_samples(project, len(right))
    believe(machine, samples, confidence)
    round_ = make_round(project, samples, inclusion, **fields)
    said = [None if hit is None else "yes" if hit else "no" for hit in right]
    answer_all(round_, {f.make_annotator(project): said})
    return project, round_


def honest():
    """A machine that is right exactly as often as it says, for each of five values."""
    confidence = np.repeat([0.6, 0.7, 0.8, 0.9, 1.0], 100)
    return confidence, np.concatenate([np.arange(100) < n for n in (60, 70, 80, 90, 100)])


def drawn(n, seed=1, power=2.0):
    """Confidences, and hits at a lower rate than they claim."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.5, 1.0, n)
    return confidence, rng.random(n) < confidence**power


def page(client, project, query="", user=None):
    client.force_login(user or f.make_manager(project))
    return client.get(f"/projects/{project.pk}/reliability/{query}")


def report_of(project):
    edition = project.edition()
    return reports.report(scope_of(project, edition, rounds_under(edition), usual_machine(project)))


def rows_of(report):
    return {row.name: row for row in (*report.rows, *report.areas)}


def text_of(response):
    return response.content.decode()


def test_four_stated_values_give_the_textbook_error_brier_and_bins():
    # By hand: |.5-.2|*5 + |.6-.6|*5 + |.8-.4|*5 + |1-1|*5, all over 20 = 0.175.
    confidence = np.repeat([0.5, 0.6, 0.8, 1.0], 5)
    hits = np.concatenate([np.arange(5) < n for n in (1, 3, 2, 5)])
    project, _ = make_study(confidence, hits)
    report = report_of(project)
    rows = rows_of(report)
    assert rows["ece"].naive.value == pytest.approx(0.175)
    assert rows["brier"].naive.value == pytest.approx(brier_score_loss(hits, confidence))
    assert [(row.low, row.naive.count) for row in report.bins] == [
        (0.5, 5), (0.6, 5), (0.8, 5), (1.0, 5)
    ]  # fmt: skip
    assert [row.naive.accuracy.value for row in report.bins] == pytest.approx([0.2, 0.6, 0.4, 1.0])
    # The surest quarter is never wrong, all together are wrong in 9 of 20.
    points = report.naive.curve.points
    assert (points[0].coverage, points[0].risk.value) == (0.25, 0.0)
    assert (points[-1].coverage, points[-1].risk.value) == (1.0, pytest.approx(9 / 20))


def test_every_figure_has_its_interval_both_ways_and_names_its_draw(client):
    project, _ = make_study(*drawn(250), inclusion=0.5, name="Spring audit")
    response = page(client, project)
    assertContains(response, "from 250 answered samples drawn by lot in round “Spring audit”")
    assertContains(response, "95 % interval:")
    assertContains(response, "naive, uncorrected:")
    report = report_of(project)
    for row in (*report.rows, *report.areas, *report.maps.rows):
        for figure in (row.corrected, row.naive):
            assert figure.value is not None, row.name
            low, high = figure.interval
            assert low <= figure.value <= high, row.name
    assert "nan" not in re.sub(r"<[^>]*>", " ", text_of(response).lower()).split()


def test_charts_show_what_the_tables_show(client):
    project, _ = make_study(*drawn(120), inclusion=0.5)
    response = page(client, project)
    scripts = re.findall(r'<script id="([\w-]+)" type="application/json">(.*?)</script>',
                         text_of(response))  # fmt: skip
    charts = {name: json.loads(text) for name, text in scripts}
    assert set(charts) == {"diagram-chart", "counts-chart", "curve-chart"}
    report = report_of(project)
    shown = [layer for layer in charts["diagram-chart"]["layer"] if "tooltip" in layer["encoding"]]
    squares = shown[-1]["data"]["values"]
    assert [(row["n"], row["right"]) for row in squares] == [
        (row.corrected.count, round(row.corrected.accuracy.value, 4)) for row in report.bins
    ]
    assert all(row["low"] <= row["right"] <= row["high"] for row in squares)
    kept = charts["curve-chart"]["layer"][-1]["data"]["values"]
    assert len(kept) == len(report.corrected.curve.points)
    for point in report.corrected.curve.points:
        assertContains(response, f"{100 * point.coverage:.1f}")


def test_the_corrected_error_is_that_of_the_set_where_the_naive_one_is_not(client):
    """The least sure are wrong most; a round of them and an audit measures the whole set."""
    rng = np.random.default_rng(4)
    confidence = rng.beta(8, 1.5, 900)
    right = rng.random(900) < np.where(confidence < 0.7, 0.25 * confidence, confidence)
    project = f.make_project()
    f.make_codebook(project)
    machine, annotator = f.make_machine(project), f.make_annotator(project)
    samples = make_samples(project, 900)
    believe(machine, samples, confidence)
    design = Design(codebook=project.edition(), strategy="least_confidence", budget="260",
                    audit="150", seed=3, machine=machine)  # fmt: skip
    round_ = draw_round(project, design)
    hit = dict(zip([sample.pk for sample in samples], right.tolist(), strict=True))
    ranked = round_.items.order_by("rank").values_list("sample", flat=True)
    answer_all(round_, {annotator: ["yes" if hit[pk] else "no" for pk in ranked]})
    report = report_of(project)
    places = np.minimum((confidence * 10).astype(int), 9)
    gaps = np.bincount(places, weights=right - confidence, minlength=10)
    truth = np.abs(gaps).sum() / 900
    corrected, naive = (getattr(rows_of(report)["ece"], side) for side in ("corrected", "naive"))
    assert corrected.interval[0] <= truth <= corrected.interval[1]
    assert naive.interval[0] > truth
    brier = rows_of(report)["brier"]
    loss = float(((confidence - right) ** 2).mean())
    assert brier.corrected.interval[0] <= loss <= brier.corrected.interval[1]
    assert brier.naive.interval[0] > loss
    assertContains(page(client, project), "were chosen, not drawn by lot; over the whole set it is")


def test_without_a_draw_by_lot_nothing_speaks_for_the_whole_set(client):
    project, _ = make_study(*drawn(60), inclusion=None, strategy="least_confidence")
    response = page(client, project)
    assertContains(response, "not measurable yet")
    assertContains(response, "Draw a round with an audit part")
    assertContains(response, f'href="/projects/{project.pk}/rounds/new/"')
    assertContains(response, "Naive, uncorrected: confidence and people")
    report = report_of(project)
    for row in (*report.rows, *report.areas, *report.maps.rows):
        assert row.corrected.value is None
        assert row.corrected.reason
        assert row.naive.value is not None
    assert all(row.corrected is None for row in report.bins)
    adjudicator = page(client, project, user=f.make_adjudicator(project))
    assertNotContains(adjudicator, "/rounds/new/")


def test_too_few_drawn_by_lot_are_said_to_be_too_few(client):
    chances = [1.0] * 7 + [None] * 53
    project, _ = make_study(*drawn(60), inclusion=chances)
    response = page(client, project)
    assertContains(response, "Only 7 answered samples were drawn by lot")
    assertContains(response, "fewer than 10 effective answers")


@pytest.mark.parametrize("n", [0, 1, 9])
def test_below_ten_answers_there_is_a_sentence(client, n):
    confidence, right = drawn(12)
    project, _ = make_study(confidence, [*right[:n], *[None] * (12 - n)])
    response = page(client, project)
    assertContains(response, "Figures start at 10.")
    assertContains(response, f"{n} sample{'' if n == 1 else 's'} of these rounds")
    assertContains(response, "Draw a round with an audit part")
    assertNotContains(response, "data-chart")


@pytest.mark.parametrize("hit", [True, False])
def test_answers_that_are_all_equal_have_figures_and_intervals_but_no_map(client, hit):
    confidence, _ = drawn(40)
    project, _ = make_study(confidence, [hit] * 40, inclusion=0.5)
    response = page(client, project)
    assertContains(response, "people agreed with the model every time, or never")
    rows = rows_of(report_of(project))
    for name in ("ece", "brier", "right", "aurc", "excess"):
        for figure in (rows[name].corrected, rows[name].naive):
            low, high = figure.interval
            assert low <= figure.value <= high
    assert rows["right"].corrected.interval[0] < rows["right"].corrected.interval[1]


def test_one_stated_value_is_one_bin_and_refuses_a_map(client):
    _, right = drawn(50)
    project, _ = make_study(np.full(50, 0.95), right, inclusion=0.5)
    response = page(client, project)
    assertContains(response, "the model always stated the same confidence")
    assertContains(response, "It states few different values")
    assertContains(response, "× 50")
    assert len(report_of(project).bins) == 1


def test_the_values_are_counted_over_all_that_the_machine_labelled(client):
    confidence = np.tile([0.9, 0.95, 1.0], 10)
    project, _ = make_study(confidence, np.tile([True, False], 15), inclusion=0.5)
    machine = usual_machine(project)
    believe(machine, [f.make_sample(project, f"not drawn {i}") for i in range(4)], [0.9] * 4)
    assert report_of(project).values == ((0.9, 14), (0.95, 10), (1.0, 10))
    assert [row.naive.count for row in report_of(project).bins] == [10, 10, 10]
    assertContains(page(client, project), "× 14")


def test_many_values_share_ten_bins_and_are_not_listed(client):
    project, _ = make_study(*drawn(100), inclusion=0.5)
    response = page(client, project)
    assertNotContains(response, "It states few different values")
    assert [row.low for row in report_of(project).bins] == [0.5, 0.6, 0.7, 0.8, 0.9]


def test_a_handful_of_answers_that_all_differ_are_no_bins_of_their_own():
    project, _ = make_study(np.linspace(0.71, 0.79, 12), [True] * 8 + [False] * 4)
    report = report_of(project)
    assert [(row.low, row.high, row.naive.count) for row in report.bins] == [(0.7, 0.8, 12)]
    assert report.values == ()


def test_a_machine_that_never_says_how_sure_it_is_has_no_figures(client):
    project, _ = make_study([None] * 30, drawn(30)[1])
    response = page(client, project)
    assertContains(response, "This machine does not say how sure it is")
    assertContains(response, f'href="/projects/{project.pk}/runs/new/"')


def test_answers_without_a_confidence_are_left_out_and_counted(client):
    confidence, right = drawn(30)
    project, _ = make_study([None] * 4 + [*confidence[4:]], right)
    report = report_of(project)
    assert (report.samples, report.unknown) == (26, 4)
    assertContains(page(client, project), "4 answered samples are left out")


@pytest.mark.parametrize("stored", [-0.2, 1.5, 1e300])
def test_a_stored_confidence_that_is_no_probability_counts_as_not_stated(client, stored):
    confidence, right = drawn(30)
    project, _ = make_study([stored, *confidence[1:]], right)
    assert page(client, project).status_code == 200
    assert report_of(project).unknown == 1


def test_a_confidence_a_rounding_above_one_is_one():
    confidence, right = drawn(30)
    project, _ = make_study([1 + 4e-16, *confidence[1:]], right)
    assert report_of(project).unknown == 0


def test_multi_label_projects_get_a_sentence_and_the_agreement_page(client):
    project, _ = make_study(*drawn(30), task_type="multi_label")
    response = page(client, project, user=f.make_adjudicator(project))
    assertContains(response, "a sample may have several labels")
    assertContains(response, f'<a class="button primary" href="/projects/{project.pk}/agreement/">')


def test_a_map_that_helps_on_held_out_answers_wins_and_raw_is_named_where_none_does(client):
    project, _ = make_study(*drawn(500, power=4), inclusion=0.5)
    found = report_of(project).maps
    assert found.corrected.name in {"temperature", "platt"}
    briers = {row.name: row.corrected.value for row in found.rows}
    assert set(briers) == {"raw", "temperature", "platt"}
    assert briers["raw"] - briers[found.corrected.name] == pytest.approx(found.corrected.gain)
    assert found.corrected.gain > found.corrected.margin
    assertContains(page(client, project), "wins: on answers that it was not fitted on")

    calibrated, _ = make_study(*honest(), inclusion=0.5)
    kept = report_of(calibrated).maps.corrected
    assert (kept.name, kept.ece) == ("raw", None)
    assertContains(page(client, calibrated), "The confidence is kept as it is: no map was better")


def test_isotonic_is_tried_only_with_more_than_a_thousand_answers():
    rng = np.random.default_rng(2)
    confidence = rng.uniform(0.5, 1, 1300)
    right = (rng.random(1300) < np.where(confidence > 0.75, 0.9, 0.3)).astype(float)
    inclusion = np.where(np.arange(1300) < 400, 0.5, np.nan)
    found = maps(confidence, right, Drawn(inclusion), Bootstrap(replicates=50))
    isotonic = {row.name: row for row in found.rows}["isotonic"]
    assert isotonic.corrected.reason == "too few effective answers to try this map"
    assert isotonic.naive.value is not None
    assert found.naive.name == "isotonic"


def test_many_answers_are_resampled_together_and_say_the_same():
    confidence, right = drawn(reports.MANY + 100)
    project, _ = make_study(confidence, right, inclusion=0.5)
    rows = rows_of(report_of(project))
    loss = brier_score_loss(right, confidence)
    assert rows["brier"].naive.value == pytest.approx(loss, abs=5e-4)
    assert rows["stated"].corrected.value == pytest.approx(confidence.mean(), abs=5e-4)


def test_two_small_numbers_are_shown_with_digits_that_tell_them_apart():
    assert apart(0.00944, 0.00938) == ("0.00944", "0.00938")
    assert apart(0.0213, 0.0061) == ("0.021", "0.006")
    assert apart(0.0, 0.0) == ("0.000", "0.000")


def test_over_and_under_confidence_are_said_only_where_they_are_clear():
    for study, words in (
        (drawn(400, power=3.0), "claims too much"),
        (drawn(400, power=0.2), "claims too little"),
        (honest(), "as sure as it is right"),
    ):
        project, _ = make_study(*study, inclusion=0.5)
        assert words in sentences.claim(report_of(project).corrected)


def test_empty_projects_say_the_next_step(client):
    project = f.make_project()
    assertContains(page(client, project), "Publish the codebook first")
    f.make_codebook(project)
    assertContains(page(client, project), "Draw a round")
    make_round(project, make_samples(project, 2), 1.0)
    assertContains(page(client, project), "No machine has labelled anything yet")


def test_only_managers_and_adjudicators_see_it(client):
    project, _ = make_study(*drawn(12))
    for user, status in (
        (f.make_adjudicator(project), 200),
        (f.make_annotator(project), 404),
        (f.make_manager(f.make_project()), 404),
    ):
        assert page(client, project, user=user).status_code == status


def test_it_stands_in_the_navigation_beside_agreement(client):
    project, _ = make_study(*drawn(12))
    text = text_of(page(client, project))
    links = re.findall(rf'href="/projects/{project.pk}/(\w*)/"', text)
    assert links.index("reliability") == links.index("agreement") + 1
    assert re.search(r'/reliability/" aria-current="page"', text)


def test_the_rounds_to_measure_can_be_chosen(client):
    project, _ = make_study(*drawn(30), name="Pilot")
    machine, annotator = usual_machine(project), f.make_annotator(project)
    more = [f.make_sample(project, f"more {i}") for i in range(20)]
    believe(machine, more, np.linspace(0.6, 0.9, 20))
    second = make_round(project, more, 1.0, name="Second")
    answer_all(second, {annotator: ["yes", "no"] * 10})
    response = page(client, project, f"?round={second.pk}")
    assertContains(response, "from 20 answered samples drawn by lot in round “Second”")
    assertContains(page(client, project), "in 2 rounds")


def test_hostile_names_stay_text(client):
    project, _ = make_study(*drawn(12), name="<script>round", machine_name="<script>machine")
    response = page(client, project)
    assertContains(response, "&lt;script&gt;machine")
    assertNotContains(response, "<script>machine")
    assertNotContains(response, "<script>round")


def test_the_number_of_queries_does_not_grow_with_the_answers(client):
    numbers = []
    for n in (12, 90):
        project, _ = make_study(*drawn(n))
        client.force_login(f.make_manager(project))
        with CaptureQueriesContext(connection) as queries:
            client.get(f"/projects/{project.pk}/reliability/")
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] <= 45
