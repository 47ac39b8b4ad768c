"""A label run from its start to its end: what is asked, kept and written, and what people do."""

import json

import pytest
from django.utils.timezone import now

from annotation.models import Codebook
from generation import techniques
from generation.actions import runs, work
from tests.factories import make_codebook, make_project, make_sample
from tests.generation.runs import (
    LETTER_A,
    connect,
    start,
    states,
    suggestions,
    work_off,
)

pytestmark = pytest.mark.django_db

GOOD = {"text": "A", "logprobs": LETTER_A}


def test_a_run_labels_every_sample_and_ends(openai_server):
    run = work_off(start(openai_server, ["one", "two", "three"], concurrency=4))
    assert (run.state, states(run)) == ("done", [("done", "")] * 3)
    assert suggestions(run).count() == 3
    assert {call.outcome for call in run.calls.all()} == {"settled"}
    assert run.ended_at is not None


def test_a_call_keeps_everything_that_was_asked_and_answered(openai_server):
    openai_server.always(
        **GOOD, model="other-model", usage={"prompt_tokens": 100, "completion_tokens": 1}
    )
    run = work_off(start(openai_server))
    call = run.calls.get()
    assert call.cost == 100 + 2
    assert (call.model_asked, call.model_returned) == ("test-model", "other-model")
    assert (call.status, call.finish_reason, call.usage_source) == (200, "stop", "provider")
    assert call.request_id == "req-0"
    assert call.request == openai_server.ledger[0].body
    assert json.loads(call.reply)["model"] == "other-model"
    assert call.latency_ms >= 0


def test_the_connection_is_never_asked_more_at_once_than_it_allows(openai_server):
    openai_server.always(**GOOD, latency=0.05)
    work_off(start(openai_server, [f"text {n}" for n in range(20)], concurrency=4))
    assert max(entry.concurrency for entry in openai_server.ledger) == 4


def test_requests_per_minute_are_kept_over_slices(openai_server):
    openai_server.always(**GOOD)
    run = start(openai_server, [f"text {n}" for n in range(9)], requests_per_minute=30)
    for _ in range(3):
        work.work_on(run.pk, seconds=0.3)
    assert len(openai_server.ledger) == 3


def test_cancelling_stops_sending_and_keeps_what_was_answered(openai_server):
    run = start(openai_server, ["one", "two", "three"])
    work.work_on(run.pk, seconds=0)
    runs.cancel(run)
    work_off(run)
    assert run.state == "cancelled"
    assert {state for state, _reason in states(run)} <= {"done", "cancelled"}


def test_a_run_does_again_only_what_has_no_valid_suggestion(openai_server):
    openai_server.script({"match": "bad text", "replies": [{"text": None}]}, {"replies": [GOOD]})
    run = work_off(start(openai_server, ["good text", "bad text"]))
    assert run.state == "done_short"
    openai_server.reset()
    openai_server.always(**GOOD)
    technique = techniques.make("logprobs", {})
    second, _new = runs.start_run(run.connection, technique, run.machine.codebook)
    runs.plan(second.pk)
    work_off(second)
    assert second.machine == run.machine
    assert second.slots.get().sample.text == "bad text"
    assert suggestions(run).count() == 2


def test_planning_twice_plans_once(openai_server):
    run = start(openai_server, ["one", "two"])
    make_sample(run.project, "three")
    runs.plan(run.pk)
    assert run.slots.count() == 2


def test_votes_ask_each_vote_and_a_rationale_follows_the_answer(openai_server):
    run = work_off(start(openai_server, technique="votes", options={"votes": 3}))
    assert len(openai_server.ledger) == 3
    assert suggestions(run).get().source == "votes"
    openai_server.reset()
    run = work_off(start(openai_server, options={"rationale": True}))
    assert len(openai_server.ledger) == 2
    assert suggestions(run).get().rationale


CODE = (
    *("{{ api_key }}", "{{ connection.key }}", "{{ 7*7 }}", "{% debug %}", "{{ text }}"),
    *("{0.__class__}", "{text!r}", "%(key)s", "${key}", "<%= key %>", "#{key}", "{{label}}"),
)


def codebook_of(project, words):
    """An edition in which every text that people write is these words."""
    codebook = make_codebook(project, question=words, instructions=words, published=False)
    examples = [{"text": words, "why": words, "near_miss": near} for near in (False, True)]
    codebook.labels.update(definition=words, include=words, exclude=words, examples=examples)
    Codebook.objects.filter(pk=codebook.pk).update(state="published", published_at=now())


@pytest.mark.parametrize("technique", ["logprobs", "votes", "verbalized"])
def test_a14_code_in_samples_and_rules_reaches_the_model_as_it_was_written(
    openai_server, technique
):
    openai_server.always(**GOOD)
    words = " ".join(CODE)
    project = make_project()
    codebook_of(project, words)
    make_sample(project, fields={"text": f"Before {words} after", CODE[0]: "a second text"})
    connection = connect(openai_server)
    connection.set_key("sk-canary-4711-wxyz")
    connection.save()
    run, _new = runs.start_run(connection, techniques.make(technique, {}), project.edition())
    runs.plan(run.pk)
    work_off(run)
    for entry in openai_server.ledger:
        prompt = "\n".join(message["content"] for message in entry.body["messages"])
        assert f"Before {words} after" in prompt
        # The question twice, the instructions, the sample, and seven texts of each of two labels.
        assert prompt.count(words) == 4 + 2 * 7
        assert "canary" not in prompt
    assert openai_server.ledger
