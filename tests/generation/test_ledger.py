"""The ledger: what counts as spent, what is kept of a reply, and how fast a connection may go."""

import json
import os
import time
from contextlib import contextmanager, suppress

import pytest
from django.conf import settings
from django.db import IntegrityError, OperationalError, transaction

from generation.actions import journal, ledger, slots
from generation.actions.busy import patiently
from generation.llm.base import LLMError, Message, Reply, Request
from generation.llm.limits import BREAKER_FAILURES, Limits, room
from generation.llm.wire import Ask, Outcome
from generation.models import Call, Connection, Run
from generation.models.ledger import Spend
from tests.factories import make_codebook, make_connection, make_machine, make_project
from tests.generation.runs import start, work_off

ASKED = Request((Message("user", "Hello there"),), "m", 10)
REPLY = Reply(text="x", raw="{}", prompt_tokens=7, completion_tokens=2)


@pytest.fixture
def run(db):
    project = make_project()
    make_codebook(project)
    connection = make_connection(price_in=1_000_000, price_out=2_000_000)
    return Run.objects.create(
        project=project, connection=connection, machine=make_machine(project), state="running"
    )


def call(run, **fields):
    made = ledger.intent(run, ASKED)
    made.save()
    Call.objects.filter(pk=made.pk).update(**fields)
    return Call.objects.get(pk=made.pk)


def outcome(made, reply=None, error=None):
    return Outcome(Ask(made.pk, ASKED), time.time(), reply, error)


def settle(made, reply=None, error=None):
    ledger.settle({made.pk: ledger.receipt(made.connection, outcome(made, reply, error))})
    made.refresh_from_db()
    return made


def test_an_intent_reserves_the_whole_answer_at_its_price(run):
    made = call(run)
    prompt = made.reserved_tokens - 10
    assert made.reserved_cost == prompt + 20
    assert Spend.of(run) == Spend(reserved=made.reserved_cost, tokens=made.reserved_tokens)


def test_what_is_settled_counts_as_used_and_what_is_unknown_as_reserved(run):
    settle(call(run), REPLY)
    lost = settle(call(run), error=LLMError("timeout", "It took too long.", sent=True))
    failed = settle(call(run), error=LLMError("server", "It failed.", status=500, sent=True))
    assert (lost.outcome, failed.outcome) == ("unknown", "failed")
    assert Spend.of(run) == Spend(
        settled=11, unknown=lost.reserved_cost, tokens=9 + lost.reserved_tokens
    )


def test_an_answer_that_makes_no_sense_was_paid_for_perhaps(run):
    error = LLMError("server", "Not a completion.", status=200, sent=True, raw="<html>")
    lost = settle(call(run), error=error)
    assert (lost.outcome, lost.reply) == ("unknown", "<html>")


def test_an_unknown_call_whose_reply_turns_up_is_settled_after_all(run):
    made = call(run, outcome="unknown")
    assert settle(made, REPLY).outcome == "settled"


def test_a_receipt_is_kept_once(run):
    made = settle(call(run), REPLY)
    settle(made, Reply(text="y", raw="other", prompt_tokens=70, completion_tokens=20))
    assert made.reply == "{}"
    with pytest.raises(IntegrityError), transaction.atomic():
        Call.objects.filter(pk=made.pk).update(cost=0)


def test_a_call_that_was_not_sent_costs_nothing(run):
    made = call(run)
    ledger.give_up([made.pk])
    assert Spend.of(run) == Spend()


def test_caps_hold_in_money_and_in_tokens(run):
    run.cap_cost, run.cap_tokens = 100, 50
    assert Spend(settled=60, reserved=20, unknown=20, tokens=50).within(run)
    assert not Spend(settled=60, reserved=21, unknown=20).within(run)
    assert not Spend(tokens=51).within(run)


class Died(Exception):
    pass


@contextmanager
def dying_worker():
    """The journal of a worker that dies at the end of the block."""
    with suppress(Died), journal.opened() as pages:
        yield pages
        raise Died


def test_replies_of_a_dead_worker_are_settled_from_its_journal(run):
    made = call(run)
    columns = ledger.receipt(made.connection, outcome(made, REPLY))
    with dying_worker() as pages:
        pages.arrived({"call": made.pk, "columns": columns})
        assert slots.replay_journals() == 0  # its worker lives
    assert slots.replay_journals() == 1
    made.refresh_from_db()
    assert (made.outcome, made.cost) == ("settled", 11)
    assert slots.replay_journals() == 0


def test_a_reply_that_arrives_while_others_are_settled_stays_in_the_journal(run):
    first, second = call(run), call(run)
    with dying_worker() as pages:
        for made in (first, second):
            columns = ledger.receipt(made.connection, outcome(made, REPLY))
            pages.arrived({"call": made.pk, "columns": columns})
        pages.sync()
        pages.clear(1)  # the database has the first alone
    slots.replay_journals()
    second.refresh_from_db()
    assert second.outcome == "settled"


def test_only_intents_that_were_never_sent_are_given_up(run):
    sent, unsent = call(run), call(run)
    with dying_worker() as pages:
        pages.reserved([sent.pk, unsent.pk])
        pages.sent(sent.pk)
    slots.replay_journals()
    outcomes = Call.objects.order_by("pk").values_list("outcome", flat=True)
    assert list(outcomes) == ["reserved", "failed"]


def test_marks_of_before_a_restart_of_the_machine_are_not_believed(run):
    made = call(run)
    with dying_worker() as pages:
        pages.reserved([made.pk])
    (marks,) = settings.JOURNAL_DIR.glob("*.marks")
    marks.write_text(marks.read_text().replace("boot ", "boot other-"))
    slots.replay_journals()
    made.refresh_from_db()
    assert made.outcome == "reserved"


def test_a_half_written_line_of_a_journal_is_passed_over(run):
    with dying_worker():
        pass
    (file,) = settings.JOURNAL_DIR.glob("*.jsonl")
    file.write_text('{"call": 1, "colu')
    assert slots.replay_journals() == 0
    assert not file.exists()


def test_a_full_disk_does_not_keep_a_reply_from_the_database(caplog):
    marks = os.open("/dev/null", os.O_WRONLY)
    with open("/dev/full", "wb", buffering=0) as full:
        journal.Journal(full, marks).arrived({"call": 1, "columns": {}})
    os.close(marks)
    assert "cannot be written" in caplog.text


def test_a_busy_database_is_waited_for():
    tries = iter([OperationalError("database is locked"), "written"])

    def write():
        if isinstance(found := next(tries), Exception):
            raise found
        return found

    assert patiently(write) == "written"


def test_another_fault_of_the_database_is_not_repeated():
    def write():
        raise OperationalError("no such table")

    with pytest.raises(OperationalError, match="no such table"):
        patiently(write)


def test_a_key_that_the_endpoint_repeats_is_not_stored(db, openai_server):
    openai_server.always(text="sk-canary-0123456789", status=200)
    run = start(openai_server, technique="verbalized")
    run.connection.set_key("sk-canary-0123456789")
    run.connection.save()
    work_off(run)
    stored = json.dumps(list(Call.objects.values("reply", "error", "request")))
    assert "[key]" in stored
    assert "canary" not in stored


def test_a_key_that_cannot_be_read_any_more_pauses_the_run(db, openai_server):
    run = start(openai_server)
    Connection.objects.update(encrypted_key="gAAAA-of-another-install")
    work_off(run)
    assert (run.state, run.reason_code) == ("paused", "auth")
    assert "enter it again" in run.reason


def test_a_host_that_is_forbidden_meanwhile_pauses_the_run(db, openai_server):
    run = start(openai_server)
    run.connection.base_url = "http://192.168.7.7/v1"
    run.connection.save()
    work_off(run)
    assert (run.state, run.reason_code) == ("paused", "blocked")


def slow_down(limits, sent_at=0.0, now=1.0, retry_after=None):
    error = LLMError("rate_limited", "Slow down.", 429, True, retry_after)
    limits.failed(error, sent_at, now)


def test_the_window_shrinks_by_a_quarter_once_for_each_burst():
    limits = Limits(most=32)
    slow_down(limits, sent_at=0.0, now=1.0)
    slow_down(limits, sent_at=0.5, now=1.1)
    assert limits.width == 24
    slow_down(limits, sent_at=2.0, now=3.0)
    assert limits.width == 18


def test_the_window_grows_by_one_after_twenty_five_answers_up_to_the_connections_own():
    limits = Limits(most=8)
    slow_down(limits)
    for _ in range(25):
        limits.succeeded()
    assert limits.width == 7
    for _ in range(250):
        limits.succeeded()
    assert limits.width == 8


def test_retry_after_is_kept_to_the_second():
    limits = Limits(most=1)
    slow_down(limits, now=10.0, retry_after=3.0)
    assert limits.blocked_until == 13.0


def test_the_breaker_opens_after_many_failures_in_several_bursts_only():
    limits = Limits(most=64)
    for _ in range(BREAKER_FAILURES * 2):
        slow_down(limits, sent_at=0.0)
    assert not limits.broken
    slow_down(limits, sent_at=5.0, now=6.0)
    assert limits.broken
    limits.succeeded()
    assert not limits.broken


def test_a_tenth_of_a_minutes_allowance_goes_at_once_and_all_of_it_in_a_minute():
    assert room([], 60, None)[0] == 6
    assert room([(1.0, 9)] * 6, 60, None)[0] == 0
    assert room([(7.0, 9)] * 6, 60, None)[0] == 6
    assert room([(7.0, 9)] * 60, 60, None)[0] == 0
    assert room([(30.0, 900)], None, 1000)[1] == 100
