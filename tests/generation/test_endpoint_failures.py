"""What a label run does about an endpoint that fails, and about workers and people, over HTTP."""

import logging
import time
from datetime import timedelta

import pytest
from django.utils.timezone import now

from generation import techniques
from generation.actions import runs, slots, upkeep
from generation.models import Attempt, Call, Connection, Slot
from tests.factories import make_codebook
from tests.generation.runs import (
    LETTER_A,
    outcomes,
    start,
    states,
    suggestions,
    work_off,
)
from tests.openai_server import gaps

pytestmark = pytest.mark.django_db

GOOD = {"text": "A", "logprobs": LETTER_A}


def first_then_good(server, *replies):
    server.script({"replies": [*replies, GOOD]})


# The numbers are those of the catalogue of failures: one event, and what must follow.


def test_01_429_with_retry_after_is_waited_for_exactly_and_costs_no_try(openai_server):
    slow = {"status": 429, "headers": {"retry-after": "1"}}
    first_then_good(openai_server, slow)
    run = work_off(start(openai_server))
    assert run.state == "done"
    assert gaps(openai_server.ledger)[0] >= 1.0
    assert outcomes(run) == ["failed", "settled"]
    assert Attempt.objects.get().state == "valid"
    assert run.connection.calls.first().status == 429
    assert Connection.objects.get().blocked_until is not None


def test_01_every_worker_waits_for_what_one_was_told(openai_server):
    run = start(openai_server)
    Connection.objects.update(blocked_until=now() + timedelta(seconds=0.8))
    began = time.time()
    work_off(run)
    assert openai_server.ledger[0].at - began >= 0.7


def test_01_a_very_long_retry_after_pauses_the_run_until_then(openai_server):
    openai_server.always(status=429, headers={"retry-after": "3600"})
    run = work_off(start(openai_server))
    assert (run.state, run.reason_code) == ("paused", "rate_limited")
    assert run.resume_at > now() + timedelta(minutes=59)


def test_02_429_forever_opens_the_breaker_with_a_reason_and_a_time(openai_server):
    openai_server.always(status=429, headers={"retry-after-ms": "5"})
    run = work_off(start(openai_server, ["one", "two", "three"]))
    assert (run.state, run.reason_code) == ("paused", "breaker")
    assert "slow down" in run.reason
    assert len(openai_server.ledger) <= 20
    assert now() < run.resume_at <= now() + timedelta(seconds=31)


def test_02_after_the_breaker_one_request_probes_and_the_run_goes_on_by_itself(openai_server):
    openai_server.always(status=429, headers={"retry-after-ms": "5"})
    run = work_off(start(openai_server, ["one", "two", "three"]))
    before = len(openai_server.ledger)
    run.__class__.objects.update(resume_at=now())
    upkeep.sweep()
    work_off(run)
    assert (run.state, len(openai_server.ledger)) == ("paused", before + 1)
    openai_server.always(**GOOD)
    run.__class__.objects.update(resume_at=now())
    upkeep.sweep()
    assert work_off(run).state == "done"


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        ({"status": 429, "code": "insufficient_quota"}, "quota", "add credit"),
        ({"status": 401}, "auth", "enter a valid one"),
        ({"status": 403}, "auth", "enter a valid one"),
        ({"status": 404}, "not_found", "check both"),
    ],
)
def test_03_what_only_a_person_can_mend_pauses_after_one_call(
    openai_server, reply, code, said, caplog
):
    caplog.set_level(logging.DEBUG)
    openai_server.always(**reply)
    run = start(openai_server, ["one", "two", "three"], concurrency=8)
    run.connection.set_key("sk-canary-4711-canary")
    run.connection.save()
    work_off(run)
    assert (run.state, run.reason_code) == ("paused", code)
    assert said in run.reason
    assert len(openai_server.ledger) == 1
    assert "canary" not in caplog.text
    assert states(run) == [("planned", "")] * 3


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_04_a_failing_endpoint_is_asked_again_a_few_times_then_the_sample_is_rejected(
    openai_server, status
):
    openai_server.always(status=status)
    run = work_off(start(openai_server))
    assert (run.state, states(run)) == ("done_short", [("rejected", "server")])
    assert outcomes(run) == ["failed"] * run.max_tries
    waits = gaps(openai_server.ledger)
    assert min(waits) >= 0.4


def test_04_a_connection_cut_amid_the_body_is_unknown_and_asked_once_more(openai_server):
    openai_server.always(**GOOD, cut=True)
    run = work_off(start(openai_server))
    assert states(run) == [("rejected", "transport")]
    assert outcomes(run) == ["unknown", "unknown"]


def test_05_a_hanging_call_ends_at_its_deadline_and_stays_counted_at_its_largest_cost(
    openai_server,
):
    first_then_good(openai_server, {"hang": True})
    run = work_off(start(openai_server, deadline_seconds=1))
    unknown, settled = run.calls.order_by("pk")
    assert (unknown.outcome, settled.outcome, run.state) == ("unknown", "settled", "done")
    assert unknown.reserved_cost > 0
    assert unknown.latency_ms < 2000
    headers = [entry.headers["idempotency-key"] for entry in openai_server.ledger]
    assert headers[0] == headers[1]


def test_15_what_a_dead_worker_was_asking_is_asked_again_once_and_stays_counted(openai_server):
    run = start(openai_server)
    slot = slots.claim(run, 1)[0]
    attempt = Attempt.objects.create(slot=slot, number=1, step=0)
    lost = Call.objects.create(
        run=run, connection=run.connection, attempt=attempt, request={}, reserved_cost=77
    )
    Slot.objects.update(lease_until=now() - timedelta(seconds=1))
    upkeep.sweep()
    work_off(run)
    lost.refresh_from_db()
    assert (lost.outcome, run.state) == ("unknown", "done")
    assert Call.objects.count() == 2


def test_15_a_reply_that_was_stored_is_read_without_asking_again(openai_server):
    run = work_off(start(openai_server))
    reply = run.calls.get().reply
    again = start(openai_server)
    slot = slots.claim(again, 1)[0]
    attempt = Attempt.objects.create(slot=slot, number=1, step=0)
    Call.objects.create(
        run=again, connection=again.connection, attempt=attempt, request={},
        outcome="settled", reply=reply, prompt_tokens=1, completion_tokens=1,
    )  # fmt: skip
    Slot.objects.filter(pk=slot.pk).update(lease_until=now() - timedelta(seconds=1))
    upkeep.sweep()
    openai_server.reset()
    assert work_off(again).state == "done"
    assert openai_server.ledger == []


def test_16_a_second_start_of_the_same_machine_finds_the_first_run(openai_server):
    run = start(openai_server)
    technique = techniques.make("logprobs", {})
    second, new = runs.start_run(run.connection, technique, run.machine.codebook)
    assert (second, new) == (run, False)


def test_16_resuming_twice_is_resuming_once(openai_server):
    run = start(openai_server)
    runs.pause(run, "A pause.")
    assert [runs.resume(run), runs.resume(run)] == [True, False]


def test_17_a_run_keeps_its_edition_when_a_newer_one_is_published(openai_server):
    run = start(openai_server)
    make_codebook(run.project, ("up", "down"))
    work_off(run)
    assert suggestions(run).get().value["label"] in {"yes", "no"}


def test_18_a_refused_parameter_pauses_and_is_left_out_only_with_consent(openai_server):
    openai_server.script(
        {"has": ["temperature"], "replies": [{"status": 400, "param": "temperature"}]},
        {"replies": [GOOD]},
    )
    run = work_off(start(openai_server, ["one", "two"]))
    assert (run.state, run.reason_code) == ("paused", "parameter:temperature")
    assert len(openai_server.ledger) == 1
    fresh = runs.start_without(run, "temperature", None)
    runs.plan(fresh.pk)
    work_off(fresh)
    assert fresh.state == "done"
    assert fresh.machine != run.machine
    assert "temperature" not in openai_server.ledger[-1].body


def test_18_another_model_than_was_asked_for_is_noticed(openai_server):
    openai_server.always(**GOOD, model="cheaper-model")
    run = work_off(start(openai_server))
    assert run.calls.get().model_returned == "cheaper-model"


def test_20_one_missing_label_of_several_rejects_the_sample_not_the_others(openai_server):
    bad = {"text": "?", "logprobs": [[("?", -0.1)]]}
    openai_server.script({"match": "second text", "replies": [bad]}, {"replies": [GOOD]})
    run = start(openai_server, ["first text", "second text"], task_type="multi_label")
    work_off(run)
    assert states(run) == [("done", ""), ("rejected", "low_mass")]
