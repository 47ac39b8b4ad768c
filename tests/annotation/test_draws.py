"""Drawing rounds: what is drawn, what is logged of it, and what survives a crash."""

import json
import uuid
from dataclasses import replace
from datetime import timedelta
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.utils.timezone import now
from pytest_django.asserts import assertContains

from annotation import arrays
from annotation.actions import draws
from annotation.actions.draws import BeingDrawn, CannotDraw, Design, draw_round, plan
from annotation.arrays_learning import lessons
from annotation.arrays_votes import votes_of
from annotation.filters import SampleFilter
from annotation.models import Assignment, Round, RoundItem, Sample, Suggestion
from synthlab.science.selection import STRATEGIES
from synthlab.science.selection.mixture import Mixture
from tests.factories import (
    make_annotation,
    make_annotator,
    make_codebook,
    make_machine,
    make_manager,
    make_project,
    make_round,
    make_sample,
    make_suggestion,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    """Forty samples; a machine says yes with confidence .5, .51, .52 ..."""
    project = make_project()
    machine = make_machine(project, make_codebook(project))
    for i in range(40):
        sample = make_sample(project, f"text {i}")
        make_suggestion(machine, sample, {"yes": 0.5 + i / 100, "no": 0.5 - i / 100})
    return project


def design(project, **changes):
    return Design(
        **{
            "codebook": project.edition(),
            "strategy": "least_confidence",
            "budget": "10",
            "machine": project.machines.first(),
            "annotators": (make_annotator(project),),
            "seed": 7,
            **changes,
        }
    )


def drawn(round_):
    return list(round_.items.order_by("rank").values_list("sample", flat=True))


def test_the_least_confident_are_drawn_and_measure_nothing(project):
    round_ = draw_round(project, design(project))
    expected = list(Sample.objects.order_by("pk").values_list("pk", flat=True)[:10])
    assert drawn(round_) == expected
    assert set(round_.items.values_list("inclusion", "stratum")) == {(None, "least_confidence")}


def test_the_audit_part_is_drawn_by_lot_with_its_chance_logged(project):
    round_ = draw_round(project, design(project, budget="15%", audit="10%"))
    audit = round_.items.filter(stratum="audit")
    assert round_.items.count() == 6 + 4
    assert set(audit.values_list("inclusion", flat=True)) == {4 / 40}
    assert not round_.items.exclude(stratum="audit").exclude(inclusion=None).exists()


@pytest.mark.parametrize(("recall", "said"), [(None, None), (0.9584, "holds 95.8 % of the")])
def test_a_round_says_how_good_an_approximate_graph_was(recall, said):
    rows = np.arange(2)
    drawn = Mixture(rows, rows, rows, rows, recall=recall)
    notes = draws.notes_on_neighbours(drawn)
    assert [said in note for note in notes] == ([True] if said else [])
    assert draws.notes_on_neighbours(None) == []


def test_a_uniform_round_gives_every_item_the_same_chance(project):
    round_ = draw_round(project, design(project, strategy="uniform", machine=None))
    assert set(round_.items.values_list("inclusion", flat=True)) == {10 / 40}


def test_the_seed_decides_the_draw(project):
    same = [
        drawn(draw_round(project, design(project, strategy="uniform", which=SampleFilter())))
        for _ in range(2)
    ]
    other = draw_round(project, design(project, strategy="uniform", which=SampleFilter(), seed=8))
    assert same[0] == same[1] != drawn(other)


def test_the_frame_is_logged_with_its_filter_size_and_hash(project):
    round_ = draw_round(project, design(project, which=SampleFilter(text="text 1", split="pool")))
    ids = Sample.objects.filter(text__contains="text 1").order_by("pk").values_list("pk", flat=True)
    assert round_.frame == {
        "filter": {"text": "text 1", "split": "pool", "machine": round_.machine_id},
        "size": 11,
        "hash": arrays.hash_of(arrays.np.array(ids)),
    }


def test_by_default_what_was_drawn_before_and_other_splits_stay_out(project):
    make_sample(project, "kept for tests", split="test")
    first = draw_round(project, design(project))
    second = draw_round(project, design(project, budget="100%"))
    assert second.frame["size"] == 30
    assert not set(drawn(first)) & set(drawn(second))


def test_each_sample_has_a_seat_for_each_answer_asked_for(project):
    round_ = draw_round(project, design(project, overlap=3))
    assert Assignment.objects.open().filter(round=round_).count() == 30
    assert set(round_.assignments.values_list("seat", flat=True)) == {1, 2, 3}


def test_a_missing_confidence_is_drawn_first(project):
    silent = make_sample(project, "the machine said nothing")
    unstated = make_sample(project, "the machine did not say how sure")
    Suggestion.objects.create(
        machine=project.machines.get(), sample=unstated, value={"label": "no"}, code="no",
        probabilities={"no": 1}, source="verbalized",
    )  # fmt: skip
    round_ = draw_round(project, design(project, budget="2"))
    assert set(drawn(round_)) == {silent.pk, unstated.pk}
    assert set(round_.items.values_list("score", flat=True)) == {None}


def test_a_threshold_draws_what_is_below_it(project):
    assert draw_round(project, design(project, budget="confidence<0.6")).items.count() == 10


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"which": SampleFilter(text="nowhere")}, "No sample is in the frame"),
        ({"codebook": None}, "Publish the codebook"),
        ({"machine": None}, "needs a machine"),
        (
            {"strategy": "uniform", "machine": None, "which": SampleFilter(predicted="yes")},
            "choose the machine",
        ),
        ({"budget": "a lot"}, "is no budget"),
        ({"budget": "200%"}, "at most 100"),
        ({"budget": "confidence<0.3"}, "above the threshold"),
        ({"audit": "confidence<0.8"}, "drawn by lot"),
        ({"seed": -1}, "seed"),
        ({"strategy": "astrology"}, "is no strategy"),
        ({"strategy": "co_annotating"}, "asked in one way only"),
        ({"strategy": "co_annotating", "machine": None}, "needs a machine"),
        ({"options": {"k": 3}}, "“least_confidence” has no option “k”"),
        (
            {"strategy": "uncertainty_weighted", "options": {"uniform": 0}},
            "Uniform share of the draw: enter a number from 0.1 to 1",
        ),
    ],
)
def test_what_cannot_be_drawn_says_why_and_leaves_nothing(project, changes, message):
    with pytest.raises(CannotDraw, match=message):
        draw_round(project, design(project, **changes))
    assert not Round.objects.exists()


def test_a_budget_above_the_frame_takes_all_and_says_so(project):
    round_ = draw_round(project, design(project, budget="500"))
    assert round_.items.count() == 40
    assert round_.parameters["notes"] == ["The frame holds 40 samples: all of them are drawn."]
    assert set(round_.items.values_list("inclusion", flat=True)) == {1.0}


def test_the_trade_is_known_before_the_draw(project):
    trade = plan(project, design(project, budget="10", audit="20")).trade
    confidence = [0.5 + i / 100 for i in range(40)]
    assert trade.expected_accuracy == pytest.approx(sum(confidence) / 40)
    assert trade.measuring == 20
    low, high = trade.expected_interval
    # Wilson for 0.695 at n = 20: (.7910 ± 1.96 sqrt(.0106 + .0024)) / 1.1921.
    assert (low, high) == (pytest.approx(0.4761, abs=1e-4), pytest.approx(0.8510, abs=1e-4))
    doubt = 40 - sum(confidence)
    assert 0 < trade.expected_errors < trade.errors_in_frame == pytest.approx(doubt)


def test_without_an_audit_nothing_is_measured(project):
    trade = plan(project, design(project)).trade
    assert trade.measuring == 0
    assert trade.expected_interval is None
    assert trade.expected_errors == pytest.approx(10 - sum(0.5 + i / 100 for i in range(10)))


def test_one_draw_asked_for_twice_is_one_round(project):
    asked = design(project, key=uuid.uuid4())
    assert draw_round(project, asked) == draw_round(project, asked)
    assert Round.objects.count() == 1


def test_a_draw_that_is_being_written_is_not_begun_again(project):
    key = uuid.uuid4()
    make_unfinished(project, key, now() + timedelta(seconds=30))
    with pytest.raises(BeingDrawn):
        draw_round(project, design(project, key=key))


def test_a_draw_whose_writer_died_is_made_anew(project):
    key = uuid.uuid4()
    left = make_unfinished(project, key, now() - timedelta(seconds=1))
    round_ = draw_round(project, design(project, key=key))
    assert (round_.pk, round_.state) == (left.pk, Round.State.OPEN)
    assert round_.items.count() == RoundItem.objects.count() == 10


def test_a_draw_without_a_key_whose_writer_died_is_cleared_away(project):
    left = make_unfinished(project, None, now() - timedelta(seconds=1))
    round_ = draw_round(project, design(project))
    assert not Round.objects.filter(pk=left.pk).exists()
    assert round_.items.count() == RoundItem.objects.count() == 10


def test_a_large_draw_is_left_to_the_worker_which_opens_it_once(project, settings):
    settings.DRAW_AT_ONCE = 9
    annotator, wanted = make_annotator(project), design(project, key=uuid.uuid4())
    wanted = replace(wanted, annotators=(annotator,))
    round_ = draw_round(project, wanted, wait=False)
    assert (round_.state, round_.items.count()) == (Round.State.DRAWING, 0)
    assert not Round.objects.waiting_for(annotator).exists()
    with pytest.raises(BeingDrawn):
        draw_round(project, wanted, wait=False)
    assert draws.work_on_due()
    assert not draws.work_on_due()
    round_.refresh_from_db()
    assert (round_.state, round_.items.count()) == (Round.State.OPEN, 10)
    assert Round.objects.waiting_for(annotator).get() == round_
    same = draw_round(project, replace(wanted, key=uuid.uuid4(), which=SampleFilter(split="pool")))
    said = [
        list(r.items.order_by("rank").values_list("sample", "inclusion")) for r in (round_, same)
    ]
    assert said[0] == said[1]
    assert draw_round(project, wanted, wait=False) == round_


def test_a_small_draw_is_made_at_once(project):
    assert draw_round(project, design(project, key=uuid.uuid4()), wait=False).items.count() == 10


def test_a_draw_that_became_impossible_says_why_and_gives_way_to_the_next(project, settings):
    settings.DRAW_AT_ONCE = 0
    wanted = design(project, key=uuid.uuid4())
    left = draw_round(project, wanted, wait=False)
    Sample.objects.update(split="test")
    assert draws.work_on_due()
    assert not draws.work_on_due()
    left.refresh_from_db()
    assert "No sample is in the frame" in left.parameters["problem"]
    Sample.objects.update(split="pool")
    assert draw_round(project, wanted).items.count() == 10
    assert not Round.objects.filter(pk=left.pk).exists()


def make_unfinished(project, key, until):
    """What a killed writer leaves: some rows, and a round that nobody sees."""
    round_ = make_round(project, samples=[Sample.objects.first()])
    Round.objects.filter(pk=round_.pk).update(
        state="drawing",
        draw_key=key,
        drawing_until=until,
        seed=7,
        machine=project.machines.get(),
        strategy="least_confidence",
        parameters={"budget": "10", "audit": ""},
        frame={"filter": {"split": "pool", "drawn": False}},
    )
    return round_


def test_a_writer_that_lost_its_lease_stops(project):
    planned = plan(project, design(project))
    round_ = draws._begin(project, design(project), planned, None, now())
    Round.objects.filter(pk=round_.pk).delete()
    with pytest.raises(CannotDraw, match="given up"):
        draws._write(round_, planned)
    assert not RoundItem.objects.exists()


@pytest.fixture
def texts(settings, tmp_path):
    settings.FEATURE_DIR = tmp_path / "features"


def votes(codes):
    return [{"prompt": f"way {n}", "code": code} for n, code in enumerate(codes)]


def asked_in_three_ways(project):
    """Another machine, which contradicts itself on every third sample."""
    machine = make_machine(project)
    for i, sample in enumerate(Sample.objects.order_by("pk")):
        codes = ["yes", "yes", "yes" if i % 3 else None]
        yes = 0.5 + i / 100
        make_suggestion(machine, sample, {"yes": yes, "no": 1 - yes}, votes=votes(codes))
    return machine


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_draws_a_round_with_an_audit_the_same_way_twice(project, texts, name):
    machine = asked_in_three_ways(project)
    wanted = replace(design(project, budget="6", audit="4", machine=machine), strategy=name)
    round_ = draw_round(project, wanted)
    assert round_.items.count() == 10
    by_lot = round_.items.filter(inclusion__isnull=False).count()
    assert by_lot == (10 if STRATEGIES[name].by_chance else 4)
    which = SampleFilter(split="pool")
    again = draw_round(project, replace(wanted, which=which))
    said = [
        list(r.items.order_by("rank").values_list("sample", "stratum")) for r in (round_, again)
    ]
    assert said[0] == said[1]


def test_co_annotating_draws_where_the_ways_of_asking_lead_to_different_answers(project):
    wanted = design(project, strategy="co_annotating", budget="14")
    round_ = draw_round(project, replace(wanted, machine=asked_in_three_ways(project)))
    ids = list(Sample.objects.order_by("pk").values_list("pk", flat=True))
    assert set(drawn(round_)) == set(ids[::3])
    # Two answers alike and one that cannot be read: log2(3) - 2/3 bits.
    scores = round_.items.values_list("score", flat=True)
    assert list(scores) == [pytest.approx(0.9183, abs=1e-4)] * 14


def test_co_annotating_knows_four_three_and_two_of_nine_and_no_votes_come_first(project):
    machine, (first, second, third) = make_machine(project), Sample.objects.all()[:3]
    nine = ["yes"] * 4 + ["no"] * 3 + [None] * 2
    make_suggestion(machine, first, {"yes": 0.6, "no": 0.4}, votes=votes(nine))
    make_suggestion(machine, second, {"yes": 1, "no": 0}, votes=votes(["yes"] * 9))
    make_suggestion(machine, third, {"yes": 1, "no": 0})
    wanted = design(project, strategy="co_annotating", which=SampleFilter(suggested=True))
    round_ = draw_round(project, replace(wanted, machine=machine))
    ranked = round_.items.order_by("rank").values_list("sample", "score")
    assert list(ranked) == [
        (third.pk, None),
        (first.pk, pytest.approx(1.5305, abs=5e-5)),
        (second.pk, 0),
    ]


def test_a_student_is_taught_what_each_way_of_asking_led_to(project):
    machine = asked_in_three_ways(project)
    samples = arrays.np.array(sorted(project.samples.values_list("pk", flat=True)))
    taught = lessons(machine, project.edition(), samples, texts=False)
    assert taught.pool.votes[:3].tolist() == [[0, 0, -2], [0, 0, 0], [0, 0, 0]]
    other = project.machines.order_by("pk").first()
    assert lessons(other, project.edition(), samples, texts=False).pool.votes is None


def test_the_page_of_a_sample_shows_what_each_way_of_asking_led_to(client, project):
    asked_in_three_ways(project)
    client.force_login(make_manager(project))
    page = client.get(f"/samples/{Sample.objects.order_by('pk')[0].pk}/")
    assertContains(page, "way 2: <em>cannot be read</em>")
    assertContains(page, "way 0: <bdi hx-disable>yes</bdi>")


def test_different_sets_of_labels_are_different_votes(project):
    machine, sample = project.machines.get(), make_sample(project)
    codes = ["a|b", "", "a|b", "a", "a|c", None]
    make_suggestion(machine, sample, {"yes": 1, "no": 0}, votes=votes(codes))
    samples = arrays.np.array([sample.pk])
    assert votes_of(machine.pk, samples, ("a", "b")).tolist() == [[2, 3, 2, 0, -2, -2]]


def test_with_several_labels_a_sample_no_student_is_taught(project, texts):
    project.task_type = "multi_label"
    with pytest.raises(CannotDraw, match="one label"):
        plan(project, replace(design(project), strategy="student_disagreement"))
    assert plan(project, replace(design(project), strategy="expected_error")).samples == 10


def test_texts_are_read_by_the_worker_never_in_a_request(project, texts):
    wanted = replace(design(project, key=uuid.uuid4()), strategy="vote_k")
    planned = plan(project, wanted, quick=True)
    assert (planned.samples, planned.drawn, planned.trade) == (10, None, None)
    round_ = draw_round(project, wanted, wait=False)
    assert (round_.state, round_.parameters["samples"]) == ("drawing", 10)
    assert not project.feature_tables.exists()
    draws.work_on_due()
    round_.refresh_from_db()
    assert (round_.state, round_.items.count()) == ("open", 10)
    assert project.feature_tables.get().size == 40


def test_expected_error_goes_by_what_people_said_where_the_machine_is_wrong(project, texts):
    """The machine is sure of everything with the word cat, and people say it is wrong there."""
    machine = project.machines.get()
    for i in range(60):
        text, sure = ("a cat sits here", 0.95) if i % 2 else ("the price of bread", 0.9)
        sample = make_sample(project, f"{text} {i}")
        make_suggestion(machine, sample, {"yes": sure, "no": 1 - sure})
    animals = project.samples.filter(text__contains="cat")
    seen = [*animals[:15], *project.samples.filter(text__contains="bread")[:15]]
    people = [make_annotator(project)]
    pilot = make_round(project, samples=seen, annotators=people)
    for item in pilot.items.select_related("sample"):
        make_annotation(item, people[0], "no" if "cat" in item.sample.text else "yes")
    which = SampleFilter(split="pool", drawn=False, confidence_from=0.89)
    wanted = replace(design(project, budget="8", audit=""), which=which)
    drawn = draw_round(project, replace(wanted, strategy="expected_error"))
    texts_drawn = drawn.items.values_list("sample__text", flat=True)
    assert sum("cat" in text for text in texts_drawn) == 8
    assert drawn.parameters["learned"]["answers"] == 30


def test_a_writer_whose_draw_was_begun_anew_by_another_stops(project):
    planned = plan(project, design(project))
    slow = draws._begin(project, design(project, key=uuid.uuid4()), planned, None, now())
    assert draws.work_on_due()
    Round.objects.filter(pk=slow.pk).update(state="drawing", drawing_until=now())  # still writing
    with pytest.raises(CannotDraw, match="given up"):
        draws._write(slow, planned)
    assert RoundItem.objects.filter(round=slow).count() == 10


def test_a_strategy_draws_with_its_options_and_the_worker_draws_anew_with_them(project):
    wanted = design(project, key=uuid.uuid4(), strategy="uncertainty_weighted")
    even = draw_round(project, replace(wanted, options={"uniform": 1.0}))
    chances = even.items.values_list("inclusion", flat=True)
    assert list(chances) == [pytest.approx(10 / 40)] * 10
    assert even.parameters["options"] == {"uniform": 1.0}
    again = Round.objects.filter(pk=even.pk)
    again.update(state="drawing", drawing_until=now() - timedelta(seconds=1))
    assert draws.work_on_due()
    assert list(chances.all()) == [pytest.approx(10 / 40)] * 10
    assert again.get().parameters["options"] == {"uniform": 1.0}


def draw(*args):
    out = StringIO()
    call_command("draw", *args, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_the_command_draws_and_prints_what_it_did(project):
    annotator = make_annotator(project)
    said = draw(
        project.name, "--strategy", "least_confidence", "--budget", "15%", "--audit", "5%",
        "--overlap", "2", "--seed", "3", "--annotator", annotator.username,
    )  # fmt: skip
    round_ = Round.objects.get(pk=said["round"])
    assert (said["samples"], said["audit"], said["seats"], said["seed"]) == (8, 2, 16, 3)
    assert said["frame"]["hash"] == round_.frame["hash"]
    assert said["annotators"] == [annotator.username]
    assert "2 answers, but 1 person" in said["notes"][0]
    assert round_.seats.get().user == annotator


def test_the_command_takes_the_options_of_the_strategy(project):
    make_annotator(project)
    said = draw(
        project.name, "--budget", "5", "--strategy", "uncertainty_weighted", "--option",
        "uniform=0.5",
    )  # fmt: skip
    assert said["options"] == {"uniform": 0.5}


def test_the_command_asks_all_annotators_unless_told_otherwise(project):
    people = {make_annotator(project).username, make_annotator(project).username}
    assert set(draw(str(project.pk), "--budget", "5")["annotators"]) == people


def test_the_command_says_in_json_too_what_failed(project):
    out = StringIO()
    with pytest.raises(CommandError, match="is no budget"):
        call_command("draw", project.name, "--budget", "many", "--json", stdout=out)
    assert "is no budget" in json.loads(out.getvalue())["error"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["no such project", "--budget", "5"], "There is no project"),
        (["{name}", "--budget", "5", "--annotator", "nobody"], "takes no part"),
        (["{name}", "--budget", "5", "--machine", "999"], "no machine annotator 999"),
        (["{name}", "--budget", "5", "--overlap", "0"], "at least 1"),
        (["{name}", "--budget", "5", "--option", "uniform"], "write name=value"),
        (["{name}", "--budget", "5", "--option", "k=3"], "“uniform” has no option “k”"),
        (
            ["{name}", "--budget", "5", "--strategy", "vote_k", "--option", "neighbours=few"],
            "--option neighbours: Neighbours .* whole number from 1 to 250",
        ),
    ],
)
def test_the_command_names_what_it_does_not_find(project, args, message):
    with pytest.raises(CommandError, match=message):
        call_command("draw", *(arg.format(name=project.name) for arg in args))


def test_two_projects_of_one_name_must_be_told_apart(project):
    make_project(name=project.name)
    with pytest.raises(CommandError, match="give a number"):
        call_command("draw", project.name, "--budget", "5")
