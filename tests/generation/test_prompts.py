"""Asking in several ways: each answer is a vote, and one that cannot be read is seen as that."""

import dataclasses
import json

import pytest

from annotation.models import Suggestion
from annotation.task_types import TASK_TYPES
from annotation.task_types.base import UNSURE, LabelRule
from generation import reports
from generation.llm.base import Capabilities
from generation.llm.stand_in import MODEL, reply_to
from generation.techniques import make
from generation.techniques.base import Rejection, StepReading, Vote
from generation.techniques.wordings import WORDINGS
from tests.generation.runs import start, states, work_off
from tests.generation.test_techniques import FIELDS, MULTI, RULES, SINGLE, obedient, reply

NAMES = [wording.name for wording in WORDINGS]


def steps(task_type=SINGLE, rules=RULES, **options):
    return make("prompts", options).steps(rules, task_type, FIELDS, 7)


def vote(slug):
    return StepReading("", {s: float(s == slug) for s in RULES.slugs}, 1.0)


def combine(readings, task_type=SINGLE, **options):
    return make("prompts", options).combine(readings, RULES, task_type)


@pytest.mark.parametrize("task_type", TASK_TYPES.values(), ids=TASK_TYPES)
def test_seven_ways_are_seven_requests_in_different_words(task_type):
    asked = steps(task_type)
    assert [step.name for step in asked] == NAMES
    assert len(set(NAMES)) == 7
    words = {step.messages[-1].content.split("# Answer")[1] for step in asked}
    assert len(words) == 7
    assert {step.temperature for step in asked} == {0.0}


def test_fewer_ways_are_the_first_and_one_request_each_however_many_labels():
    many = dataclasses.replace(
        RULES, labels=tuple(LabelRule(f"l{i}", f"Label {i}") for i in range(60))
    )
    for task_type in (SINGLE, MULTI):
        asked = steps(task_type, many, ways=4)
        assert [step.name for step in asked] == NAMES[:4]
        for step in asked[1:]:
            assert set(step.options.values()) == {*many.slugs, UNSURE}


def test_marks_stand_in_an_order_of_the_seeds():
    orders = {
        tuple(make("prompts", {}).steps(RULES, SINGLE, FIELDS, seed)[1].options.values())
        for seed in range(20)
    }
    assert len(orders) > 8


@pytest.mark.parametrize("task_type", TASK_TYPES.values(), ids=TASK_TYPES)
def test_every_way_leads_a_good_model_to_the_same_label(task_type):
    technique = make("prompts", {})
    for step in steps(task_type):
        reading = technique.read(step, obedient(step), RULES, task_type)
        assert reading.shares == {"for": 0, "against": 1, "none": 0}, step.name


def test_votes_are_kept_by_the_way_of_asking_and_their_shares_are_probabilities():
    said = ["for", "for", "against", "for", "none", "for", "against"]
    judgement = combine([vote(slug) for slug in said])
    assert judgement.probabilities == pytest.approx({"for": 4 / 7, "against": 2 / 7, "none": 1 / 7})
    assert judgement.votes == tuple(Vote(n, s) for n, s in zip(NAMES, said, strict=True))
    assert (judgement.covered_mass, judgement.source) == (1.0, "prompts")


def test_an_answer_that_cannot_be_read_is_a_category_of_its_own_and_no_silent_zero():
    bad = Rejection("label_not_in_set", "“maybe” was not on offer.")
    readings = [vote("for"), bad, vote("for"), bad, vote("against"), vote("for"), bad]
    judgement = combine(readings)
    assert [v.code for v in judgement.votes] == ["for", None, "for", None, "against", "for", None]
    assert judgement.covered_mass == pytest.approx(4 / 7)
    assert judgement.probabilities == pytest.approx({"for": 0.75, "against": 0.25, "none": 0})


def test_unsure_is_a_vote_that_covers_no_label():
    judgement = combine([vote("for"), StepReading("", covered=0.0), vote("for")], ways=3)
    assert [v.code for v in judgement.votes] == ["for", UNSURE, "for"]
    assert judgement.covered_mass == pytest.approx(2 / 3)


def test_where_most_cannot_be_read_the_sample_is_rejected_with_the_commonest_reason():
    bad = Rejection("malformed_json", "no JSON")
    result = combine([vote("for"), bad, bad], ways=3)
    assert (result.code, result.detail) == ("malformed_json", "2 of 3 answers: no JSON")


def test_several_labels_are_one_vote_and_so_is_none():
    technique = make("prompts", {"ways": 3})
    asked = steps(MULTI, ways=3)
    mark = {slug: m for m, slug in asked[1].options.items()}
    number = {slug: int(m) for m, slug in asked[2].options.items()}
    said = [
        {"labels": ["none", "for"]},
        {"option": [mark["for"], mark["none"]]},
        {"entailed": []},
    ]
    readings = [
        technique.read(step, reply(json.dumps(value)), RULES, MULTI)
        for step, value in zip(asked, said, strict=True)
    ]
    judgement = technique.combine(readings, RULES, MULTI)
    assert [v.code for v in judgement.votes] == ["for|none", "for|none", ""]
    assert judgement.probabilities["for"] == pytest.approx(2 / 3)
    both = {"entailed": [number["for"], number[UNSURE]]}
    assert technique.read(asked[2], reply(json.dumps(both)), RULES, MULTI).code == "wrong_shape"


@pytest.mark.parametrize(
    ("way", "text", "code"),
    [
        ("choice", '{"option": "Z"}', "label_not_in_set"),
        ("choice", '{"option": ["A"]}', "wrong_shape"),
        ("choice", '{"answer": "A"}', "missing_field"),
        ("entailment", '{"entailed": 9}', "label_not_in_set"),
        ("entailment", '{"entailed": true}', "wrong_shape"),
        ("entailment", '{"entailed": "1"}', "wrong_shape"),
        ("true_false", '{"true": []}', "wrong_shape"),
        ("true_false", '{"true": [1, 2]}', "wrong_shape"),
        ("true_false", '{"true": [1, 1]}', "wrong_shape"),
        ("evidence", '{"label": "for"}', "missing_field"),
        ("comparison", '{"label": "both"}', "label_not_in_set"),
        ("instruction", "I would say for.", "malformed_json"),
    ],
)
def test_what_a_way_did_not_ask_for_is_never_mapped_to_a_label(way, text, code):
    (step,) = (step for step in steps() if step.name == way)
    result = make("prompts", {}).read(step, reply(text), RULES, SINGLE)
    assert isinstance(result, Rejection)
    assert result.code == code


def test_the_stand_in_answers_every_way_and_wavers_where_it_is_unsure():
    technique, spread = make("prompts", {}), set()
    capabilities = Capabilities(True, True, True, True)
    for i in range(12):
        fields = {"text": f"xyzzy qwrt {i}"}
        readings = []
        for step in technique.steps(RULES, SINGLE, fields, i):
            request = step.request(MODEL, capabilities)
            text = reply_to(request.body(), request.payload())["choices"][0]["message"]["content"]
            readings.append(technique.read(step, reply(text), RULES, SINGLE))
        assert all(isinstance(reading, StepReading) for reading in readings)
        spread.add(len({tuple(reading.shares.items()) for reading in readings}))
    assert max(spread) > 1


@pytest.mark.django_db
def test_a_run_writes_the_votes_and_buys_one_request_a_way(openai_server):
    openai_server.script(
        {"match": '"entailed"', "replies": [{"text": "Hard to say."}]},
        {"match": '"true": a list', "replies": [{"text": '{"true": [1, 2]}'}]},
        {"match": '"option"', "replies": [{"text": '{"option": "A"}'}]},
        {"match": '"quote"', "replies": [{"text": '{"quote": "A", "label": "yes"}'}]},
        {"match": '"label"', "replies": [{"text": '{"label": "yes"}'}]},
    )
    run = work_off(start(openai_server, technique="prompts"))
    assert states(run) == [("done", "")]
    said = Suggestion.objects.get()
    codes = {entry["prompt"]: entry["code"] for entry in said.votes}
    assert list(codes) == NAMES
    assert (codes["entailment"], codes["true_false"]) == (None, None)
    assert {codes[way] for way in ("question", "instruction", "comparison", "evidence")} == {"yes"}
    assert (said.source, said.code) == ("prompts", "yes")
    assert said.covered_mass == pytest.approx(5 / 7)
    # The answer that broke its form was sent back once; all others were asked once.
    assert run.calls.count() == 7 + 1


@pytest.mark.django_db
def test_the_price_counts_every_way_of_asking(openai_server):
    run = start(openai_server, texts=["one", "two", "three"], technique="prompts")
    samples, book = run.project.samples.all(), run.project.edition()
    for options, requests in (({}, 21), ({"ways": 4}, 12), ({"ways": 4, "rationale": True}, 15)):
        technique = make("prompts", options)
        price = reports.price(samples, None, run.connection, technique, book)
        assert price.requests == requests
