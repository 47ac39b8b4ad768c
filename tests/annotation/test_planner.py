"""The planner: what a round should bring, before anybody works, and what came of it."""

import json
import re
from datetime import timedelta
from html import unescape
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from annotation import tasks
from annotation.actions import forecasts
from annotation.actions.draws import Design, draw_round
from annotation.models import Annotation, Forecast, Suggestion
from annotation.reports import planner
from annotation.reports.planner_outcome import outcome
from annotation.reports.scope import rounds_under, scope_of
from synthlab.science.planned_round import interval_to_come
from tests import factories as f
from tests.annotation.test_agreement import make_samples
from tests.annotation.test_certificate import answer

pytestmark = pytest.mark.django_db
SIZE = 120


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.FEATURE_DIR = tmp_path / "features"


class Study:
    """Samples that are truly "yes", but every third "no"; the machine is wrong the more often the
    less sure it is."""

    def __init__(self, size=SIZE, seed=1, sure=None, silent=0, **fields):
        slugs, rng = ("yes", "no"), np.random.default_rng(seed)
        self.project = f.make_project(**fields)
        self.edition = f.make_codebook(self.project, slugs)
        self.machine = f.make_machine(self.project)
        self.annotator = f.make_annotator(self.project)
        self.manager = f.make_manager(self.project)
        self.samples = make_samples(self.project, size)
        self.sure = rng.uniform(0.5, 1, size) if sure is None else np.asarray(sure, dtype=float)
        self.truth = [slugs[i % 3 == 0] for i in range(size)]
        self.wrong = rng.random(size) > np.nan_to_num(self.sure, nan=0.75)
        said = [
            slugs[true == slugs[0]] if wrong else true
            for true, wrong in zip(self.truth, self.wrong, strict=True)
        ]
        self.suggest(said[silent:], self.samples[silent:], self.sure[silent:])

    def suggest(self, said, samples, sure):
        """A confidence of NaN is not stated."""
        task, rules = self.project.task, self.edition.rules()
        values = [task.value([slug], rules) for slug in said]
        stated = [None if np.isnan(c) else float(c) for c in sure]
        Suggestion.objects.bulk_create(
            Suggestion(
                machine=self.machine, sample=sample, value=value, code=task.code(value),
                probabilities={}, source="verbalized", confidence=c,
                entropy=None if c is None else round(1 - c, 6), margin=c and 2 * c - 1,
            )
            for sample, value, c in zip(samples, values, stated, strict=True)
        )  # fmt: skip

    def forecast(self):
        return forecasts.ask(self.machine, self.edition, wait=True)

    def draw(self, strategy, budget, audit="", seed=1):
        return draw_round(self.project, Design(
            codebook=self.edition, machine=self.machine, strategy=strategy, budget=str(budget),
            audit=str(audit), seed=seed, annotators=(self.annotator,),
        ))  # fmt: skip

    def answer(self, round_, **fields):
        """All of it, by what is true."""
        true = {sample.pk: slug for sample, slug in zip(self.samples, self.truth, strict=True)}
        items = list(round_.items.order_by("rank"))
        for slug in set(self.truth):
            mine = [item for item in items if true[item.sample_id] == slug]
            answer(round_, self.annotator, mine, slug, **fields)

    def pilot(self, n):
        self.answer(self.draw("uniform", n))

    def plan(self, **wish):
        wish = {"budget": 20, "audit": 10, "overlap": 1, "target": 0.95, **wish}
        found = planner.newest(self.machine, self.edition)
        return planner.plan(found, planner.Wish(self.machine, self.edition, **wish))

    def page(self, client, query="", user=None, **headers):
        client.force_login(user or self.manager)
        return client.get(f"/projects/{self.project.pk}/planner/{query}", headers=headers)

    def reckon(self, client, **fields):
        client.force_login(self.manager)
        return client.post(f"/projects/{self.project.pk}/planner/reckon/", fields)

    def scope(self):
        return scope_of(self.project, self.edition, rounds_under(self.edition), self.machine)


@pytest.fixture
def study():
    return Study()


# Before anything is known.


def test_without_codebook_or_machine_the_page_says_what_comes_first(client):
    project = f.make_project()
    client.force_login(f.make_manager(project))
    address = f"/projects/{project.pk}/planner/"
    assertContains(client.get(address), "Publish the codebook first")
    f.make_codebook(project)
    assertContains(client.get(address), "No machine has labelled anything")
    assertRedirects(client.post(f"{address}reckon/"), address)
    assert not Forecast.objects.exists()


def test_a_manager_makes_a_forecast_and_an_adjudicator_reads_it(client, study):
    assertContains(study.page(client), "None was made for this machine")
    sent = study.reckon(client, budget="40", machine=study.machine.pk)
    address = f"/projects/{study.project.pk}/planner/?machine={study.machine.pk}&budget=40"
    assertRedirects(sent, address)
    assertContains(study.page(client, "?budget=40"), "Design this round")
    reader = study.page(client, user=f.make_adjudicator(study.project))
    assertContains(reader, "Right in the set")
    assertNotContains(reader, "Design this round")
    assertNotContains(reader, "Make a new forecast")
    assert study.page(client, user=study.annotator).status_code == 404


def test_a_new_forecast_leaves_the_older_ones_as_they_were(client, study):
    study.reckon(client)
    first = Forecast.objects.get()
    study.reckon(client)
    assert Forecast.objects.count() == 2
    before = first.result
    first.refresh_from_db()
    assert first.result == before == Forecast.objects.latest("pk").result


def test_an_empty_pool_and_a_machine_that_said_nothing_lead_on(client):
    empty = Study(size=0)
    empty.reckon(client)
    assertContains(empty.page(client), "The pool has no samples")
    silent = Study(size=30, silent=30)
    silent.reckon(client)
    assertContains(silent.page(client), "has not labelled any sample")


# Where the chances of errors come from.


def test_unchecked_confidences_are_taken_as_stated_and_lead_to_a_pilot(client, study):
    found = study.forecast().result
    assert (found["source"], found["counts"]["labelled"]) == ("raw", 0)
    now = found["lines"][0]["accuracy"][0]
    assert now == pytest.approx(study.sure.mean(), abs=1e-6)
    assert all(line["low"] is None for line in found["lines"])
    page = study.page(client)
    assertContains(page, "These confidences are unchecked")
    assertContains(page, "No band can be given")
    link = next(x for x in re.findall(r'href="([^"]+)"', page.text) if "purpose=pilot" in x)
    form = client.get(unescape(link)).context["form"]
    wished = {name: form.initial[name] for name in ("strategy", "budget", "purpose", "overlap")}
    assert wished == {"strategy": "uniform", "budget": "40", "purpose": "pilot", "overlap": 1}


def test_few_answers_are_too_few_to_check_by(client, study):
    study.pilot(12)
    assert study.forecast().result["source"] == "raw"
    assertContains(study.page(client), "too few to check these confidences")


def test_people_s_answers_teach_the_chances_and_give_a_band(client, study):
    study.pilot(60)
    found = study.forecast().result
    counts = found["counts"]
    assert (found["source"], counts["labelled"], counts["by_lot"]) == ("learned", 60, 60)
    lines = {name: line for line in found["lines"] for name in line["strategies"]}
    assert lines["expected_error"]["judged"] == "apart"
    assert "student_disagreement" in lines
    assert all(line["low"][0] < line["accuracy"][0] < line["high"][0] for line in found["lines"])
    left = study.wrong.sum() - study.wrong[answered_rows(study)].sum()
    truth = 1 - left / SIZE
    assert lines["uniform"]["low"][0] <= truth <= lines["uniform"]["high"][0]
    assertContains(study.page(client), "from people’s labels of 60 samples")


def answered_rows(study):
    labelled = set(Annotation.objects.values_list("sample", flat=True))
    return [i for i, sample in enumerate(study.samples) if sample.pk in labelled]


def test_missing_labels_and_missing_confidences_are_counted_and_said(client):
    sure = np.linspace(0.5, 0.99, SIZE)
    sure[5:12] = np.nan
    study = Study(sure=sure, silent=5)
    found = study.forecast().result
    assert (found["counts"]["silent"], found["counts"]["unstated"], found["unstated"]) == (5, 7, 7)
    known = sure[12:].mean()
    assert found["lines"][0]["accuracy"][0] == pytest.approx(known * 115 / SIZE, abs=1e-6)
    page = study.page(client)
    assertContains(page, "5 samples have no label of this machine")
    assertContains(page, "7 labels have no stated confidence")


def test_a_machine_that_never_says_how_sure_it_is_needs_people_first(client):
    study = Study(sure=np.full(SIZE, np.nan))
    assert study.forecast().result["reason"] == "no_confidence"
    assertContains(study.page(client), "does not say how sure it is")
    study.pilot(40)
    assert study.forecast().result["source"] == "learned"


def test_equal_confidences_make_every_line_that_of_the_lot(client):
    study = Study(sure=np.full(SIZE, 0.8))
    found = study.forecast().result
    curves = {tuple(line["accuracy"]) for line in found["lines"] if line["kind"] != "chance"}
    assert len(curves) == 1
    assertContains(study.page(client), "the same confidence everywhere")


def test_with_several_labels_a_sample_the_confidence_is_checked_by_whole_answers(client):
    study = Study(task_type="multi_label", size=150)
    study.pilot(60)
    found = study.forecast().result
    assert found["source"] == "calibrated"
    lines = {name: line for line in found["lines"] for name in line["strategies"]}
    assert found["left_out"] == ["co_annotating", "student_disagreement"]
    assert lines["least_confidence"]["low"][0] < lines["least_confidence"]["high"][0]
    assertContains(study.page(client), "Design this round")


def test_samples_that_wait_in_a_round_are_no_candidates_and_keep_the_machine_s_label(client, study):
    study.draw("least_confidence", 30)
    counts = study.forecast().result["counts"]
    assert (counts["waiting"], counts["free"], counts["labelled"]) == (30, 90, 0)
    assertContains(study.page(client), "30 samples were drawn and have no settled label")


# The worker.


def test_a_forecast_that_reads_texts_is_left_to_the_worker_which_makes_it_once(client, study):
    study.pilot(30)
    study.reckon(client)
    found = Forecast.objects.get()
    assert found.state == Forecast.State.WAITING
    page = study.page(client)
    assertContains(page, "is being worked out")
    assertContains(page, "No worker is alive.")
    fragment = study.page(client, **{"HX-Request": "true"})
    assertContains(fragment, 'hx-trigger="every 2s"')
    assertNotContains(fragment, "<html")
    assert forecasts.ask(study.machine, study.edition).pk == found.pk
    tasks.work_on_forecasts()
    found.refresh_from_db()
    assert (found.state, found.result["source"]) == (Forecast.State.DONE, "learned")
    assert not forecasts.work_on_due()
    assert study.page(client, **{"HX-Request": "true"}).headers["HX-Refresh"] == "true"
    assertNotContains(study.page(client), "every 2s")


def test_a_large_pool_is_left_to_the_worker(client, study, settings):
    settings.FORECAST_AT_ONCE = SIZE - 1
    study.reckon(client)
    assert Forecast.objects.get().state == Forecast.State.WAITING


def waiting(study, **columns):
    columns = {"state": "working", "version": 1, **columns}
    return Forecast.objects.create(
        project=study.project, machine=study.machine, codebook=study.edition, **columns
    )


def test_a_forecast_whose_worker_died_is_begun_anew_and_no_other_is_touched(study):
    found = waiting(study, lease_until=now() + timedelta(minutes=1))
    assert not forecasts.work_on_due()
    Forecast.objects.update(lease_until=now() - timedelta(seconds=1))
    assert forecasts.work_on_due()
    found.refresh_from_db()
    assert (found.state, found.version) == (Forecast.State.DONE, 2)


def test_a_worker_that_lost_its_lease_writes_nothing(study):
    found = waiting(study, lease_until=now())
    Forecast.objects.filter(pk=found.pk).update(version=2)
    with pytest.raises(forecasts.LeaseLost):
        forecasts._hold(found, state=Forecast.State.DONE)
    assert not forecasts.work_on(found)
    assert Forecast.objects.get().state == Forecast.State.WORKING


def test_a_forecast_over_which_workers_die_is_given_up_and_says_so(client, study):
    waiting(study, version=forecasts.TRIES, lease_until=now() - timedelta(seconds=1))
    assert not forecasts.work_on_due()
    assertContains(study.page(client), "broke off 5 times")
    study.reckon(client)
    assert planner.newest(study.machine, study.edition) is not None


# The round that somebody thinks of.


def test_the_interval_that_a_round_will_give_is_that_of_what_it_draws_by_lot(study):
    study.forecast()
    plan = study.plan()
    rows = {name: row for row in plan.rows for name in row.strategies}
    right = 1 - plan.result["expected_error"]
    assert rows["least_confidence"].measuring == 10
    assert rows["least_confidence"].interval == interval_to_come(right, 10, SIZE)
    assert rows["uniform"].measuring == rows["uncertainty_weighted"].measuring == 30
    assert rows["uniform"].width <= rows["uncertainty_weighted"].width
    assert study.plan(audit=0).rows[0].interval is None


def test_a_round_fixes_what_its_parts_meet(study):
    study.forecast()
    row = next(row for row in study.plan().rows if "least_confidence" in row.strategies)
    doubt = np.sort(1 - study.sure)[::-1]
    # The lot takes a twelfth of every part, the rest goes by doubt.
    deep = 20 / (1 - 10 / SIZE)
    met = np.interp(deep, np.arange(SIZE + 1), np.concatenate([[0], np.cumsum(doubt)]))
    assert row.fixed.value == pytest.approx(
        10 * doubt.mean() + (1 - 10 / SIZE) * met, abs=0.15
    )  # between the points of the curve it is straight
    assert row.accuracy.value == pytest.approx(1 - (doubt.sum() - row.fixed.value) / SIZE)


def test_the_target_is_reached_where_enough_errors_are_gone(study):
    study.forecast()
    row = next(row for row in study.plan(target=0.9).rows if "least_confidence" in row.strategies)
    left = np.concatenate([[0], np.cumsum(np.sort(1 - study.sure)[::-1])])
    exact = int(np.flatnonzero((1 - study.sure).sum() - left <= 0.1 * SIZE)[0])
    assert abs(row.reach.labels - exact) <= 1
    assert study.plan(target=0.2).rows[0].reach.labels == 0


def test_time_is_an_assumption_until_answers_were_timed_or_somebody_says(client, study):
    study.forecast()
    assertContains(study.page(client, "?budget=20&audit=10"), "is an assumption")
    assert study.plan(overlap=2).effort.seconds == 2 * 30 * 30
    round_ = study.draw("uniform", 20)
    for seconds, item in zip([4.0] * 5 + [10.0] * 10 + [40.0] * 5, round_.items.all(), strict=True):
        answer(round_, study.annotator, [item], seconds=seconds)
    plan = study.plan()
    assert (plan.time.seconds, plan.time.answers) == (10.0, 20)
    assert plan.effort.low <= plan.effort.seconds <= plan.effort.high
    said = study.plan(seconds=60.0, wage=18.0)
    assert (said.effort.seconds, said.effort.low, said.cost) == (1800, None, 9.0)
    page = study.page(client, "?budget=20&audit=10&seconds=60&wage=18")
    assertContains(page, "9.00, at 18.00 an hour")


def test_the_button_leads_to_the_form_of_that_round(client, study):
    study.forecast()
    page = study.page(client, "?budget=25&audit=5&overlap=2")
    links = {
        unescape(link)
        for link in re.findall(r'href="([^"]+rounds/new/[^"]+)"', page.text)
        if "purpose=review" in link
    }
    forms = [client.get(link).context["form"].initial for link in links]
    assert {form["strategy"] for form in forms} == {
        "expected_error", "uncertainty_weighted", "uniform",
    }  # fmt: skip
    for form in forms:
        wished = [form[name] for name in ("budget", "audit", "overlap", "machine", "codebook")]
        assert wished == ["25", "5", 2, study.machine, study.edition]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("budget=many", "Budget: “many” is no budget"),
        ("budget=confidence%3C0.8", "Budget: A forecast counts in samples or per cent"),
        ("audit=0.5", "Audit part: “0.5” is no budget"),
        ("audit=120%25", "Audit part: A budget in per cent"),
        ("overlap=0", "People a sample: Ensure"),
        ("target=101", "Wanted, % right: Ensure"),
        ("seconds=-1", "Seconds an answer: Ensure"),
        ("seconds=nan", "Seconds an answer: Enter a number"),
        ("wage=much", "Cost of an hour: Enter a number"),
        ("edition=99", "Edition: Select a valid choice"),
    ],
)
def test_what_cannot_be_asked_names_the_field(client, query, words):
    study = Study(size=3)
    assertContains(study.page(client, f"?{query}"), words, status_code=422)


def test_extreme_rounds_have_numbers(client, study):
    study.forecast()
    for query in ("budget=0&audit=0", "budget=100%25&audit=100%25", "target=100"):
        page = study.page(client, f"?{query}")
        assertContains(page, "Right in the set")
        assertNotContains(page, "undefined")
        assertNotContains(page, "nan")


def test_every_line_of_the_chart_stands_in_the_table(client, study):
    study.pilot(40)
    found = study.forecast().result
    page = study.page(client)
    names = page.context["names"]
    assert len(names) == len(found["lines"]) == len(page.context["rows"])
    assert page.text.count('<tr><th scope="row" class="number">') == len(found["labels"])
    layers = [layer["data"]["values"] for layer in page.context["chart"]["layer"]]
    drawn = {row["line"] for rows in layers for row in rows if "line" in row}
    assert drawn == set(names)


def test_the_page_asks_as_much_of_a_large_pool_as_of_a_small_one(client):
    counted = []
    for size in (30, 200):
        study = Study(size=size)
        study.answer(study.draw("uniform", 15))
        study.forecast()
        study.page(client)
        with CaptureQueriesContext(connection) as queries:
            study.page(client)
        counted.append(len(queries))
    assert counted[0] == counted[1] <= 60


# What came of it.


def test_the_outcome_is_held_against_the_forecast_that_was_stored_before_the_round(client):
    study = Study(size=400, seed=4)
    study.pilot(80)
    before = study.forecast()
    round_ = study.draw("least_confidence", 60, audit=40, seed=2)
    study.answer(round_)
    study.forecast()
    came = outcome(study.scope())
    assert (came.forecast, came.round) == (before, round_)
    assert "least_confidence" in came.strategies
    assert [came.points[-1].labels, came.by_lot, came.partly] == [180, 120, False]
    labelled = study.wrong[answered_rows(study)].sum()
    assert came.points[-1].fixed == labelled
    truth = 1 - (study.wrong.sum() - labelled) / 400
    assert came.points[-1].low <= truth <= came.points[-1].high
    first = next(point for point in came.points if point.expected is not None)
    assert first.labels >= 80
    assert came.inside == len(came.banded) > 5
    page = study.page(client)
    assertContains(page, "As it came out")
    assertContains(page, "points lie in the band")
    assertContains(page, "Hold it against another of 2 forecasts")
    other = study.page(client, f"?forecast={Forecast.objects.latest('pk').pk}")
    assert other.context["came"].forecast == Forecast.objects.latest("pk")


def test_no_more_errors_can_be_left_than_were_found_later(study):
    study.answer(study.draw("least_confidence", 60, audit=20))
    points = outcome(study.scope()).points
    last = points[-1]
    for point in points:
        assert point.low <= point.accuracy <= point.high <= 1 - (last.fixed - point.fixed) / SIZE
    assert [point.fixed for point in points] == sorted(point.fixed for point in points)


def test_without_a_lot_nothing_came_out_that_can_be_measured(client, study):
    study.forecast()
    study.answer(study.draw("least_confidence", 30))
    page = study.page(client)
    assertContains(page, "Not measurable yet: 0 blind answers")
    assert outcome(study.scope()).points == ()


def test_answers_that_came_later_make_a_forecast_old_and_it_says_so(client, study):
    study.forecast()
    assertNotContains(study.page(client), "Since then came")
    study.pilot(25)
    assertContains(study.page(client), "Since then came: 25 answers, 1 round.")
    study.forecast()
    assertNotContains(study.page(client), "Since then came")


# The command.


def said(study, *arguments):
    out = StringIO()
    call_command("plan", str(study.project.pk), "--json", *arguments, stdout=out)
    return json.loads(out.getvalue())


def test_the_command_says_what_the_page_shows_and_makes_a_forecast_where_it_must(client, study):
    first = said(study, "--budget", "20", "--audit", "10", "--wage", "36", "--target", "90")
    assert first["round"] == {"samples": 30, "budget": 20, "audit": 10}
    assert first["cost"] == 9.0
    assertContains(study.page(client, "?budget=20&audit=10&target=90"), first["headline"])
    assert said(study)["forecast"] == first["forecast"]
    study.pilot(30)
    assert said(study)["forecast"] > first["forecast"]
    out = StringIO()
    call_command("plan", study.project.name, stdout=out)
    assert "right (" in out.getvalue()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--budget", "many"], "--budget: “many” is no budget"),
        (["--machine", "999"], "--machine: Select a valid choice"),
        (["--edition", "9"], "--edition: Select a valid choice"),
    ],
)
def test_the_command_names_what_cannot_be(study, arguments, words):
    with pytest.raises(CommandError, match=words):
        said(study, *arguments)
