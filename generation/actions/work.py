"""A slice of work on a run: claim slots, send their requests, keep the receipts, read the answers.

The caller's thread holds the database, the wire's thread the network. About every 50 ms a turn
stores what came back: receipts first, in a transaction of their own, so that no reply is lost while
it is read.
"""

import time
from datetime import timedelta

from generation import techniques
from generation.actions import connections, journal, ledger, runs, slots
from generation.actions.turns import Slice, take_turn
from generation.llm.base import Capabilities, LLMError
from generation.llm.limits import LONGEST_WAIT, Limits, needs_a_person
from generation.llm.wire import Wire
from generation.models import Call, Connection, Run
from generation.models.ledger import Spend
from generation.techniques.base import Rejection
from synthlab.failpoints import failpoint

SLICE_SECONDS = 60
TURN_SECONDS = 0.05
BREAK_SECONDS = 30  # a broken connection is tried again so often
# The next answer would be the same; what the endpoint sent was paid for, or nothing was.
ASKED_ONCE = frozenset({"bad_request", "context_overflow", "too_large"})


def work_on(run_id, seconds=SLICE_SECONDS):
    """Work on a running run for about so long, or until nothing is due. True if anything was."""
    run = Run.objects.select_related("connection", "machine__codebook", "project").get(pk=run_id)
    if run.state != Run.State.RUNNING:
        return False
    try:
        connections.check(run.connection)
    except LLMError as error:
        return runs.pause(run, error, error.kind)
    limits = Limits(
        most=run.connection.concurrency,
        careful=run.reason_code in {runs.STARTING, runs.PROBING},
        fragile=run.reason_code == runs.PROBING,
    )
    # Read here: the wire opens its client on a thread that has no business with the database.
    client = connections.client_maker(run.connection)
    with (
        journal.opened() as pages,
        Wire(client, limits, pages.sent, journalled(pages, run.connection)) as wire,
    ):
        work = Slice(
            run=run,
            technique=techniques.make(run.machine.technique, run.machine.decoding["options"]),
            rules=run.machine.codebook.rules(),
            capabilities=Capabilities.from_json(run.machine.decoding),
            wire=wire,
            journal=pages,
            factor=ledger.shortfall(run.connection),
            spent=Spend.of(run),
        )
        return _work(work, time.monotonic() + seconds)


def journalled(pages, connection):
    """Puts each outcome's receipt into the journal as it arrives, on the wire's thread."""

    def arrived(outcome):
        outcome.receipt = ledger.receipt(connection, outcome)
        pages.arrived({"call": outcome.ask.call_id, "columns": outcome.receipt})

    return arrived


def _work(work, until):
    did_something = False
    while True:
        if outcomes := work.wire.received(TURN_SECONDS):
            _keep(work, outcomes)
        work.closing = work.closing or time.monotonic() > until
        turn = take_turn(work)
        did_something = did_something or bool(work.helds or (turn and turn.ended))
        if turn is not None:
            _heed(work, turn)
        if work.closing:
            _take_back(work)
        if not work.out and (work.closing or not work.helds):
            break
    _let_go(work)
    return runs.end_if_done(work.run) or did_something


def _keep(work, outcomes):
    """The receipts, on disk and then in the database; only then is anything read."""
    receipts = {outcome.ask.call_id: outcome.receipt for outcome in outcomes}
    work.journal.sync()
    failpoint("reply.journalled")
    ledger.settle(receipts)
    work.journal.clear(len(receipts))
    failpoint("reply.settled")
    for outcome in outcomes:
        step = work.out.pop(outcome.ask.call_id)
        step.held.asked.discard(step.index)
        if outcome.error is None:
            _read(work, step, outcome.reply)
        else:
            _mend(work, step, outcome.error)


def _read(work, step, reply):
    held, index = step.held, step.index
    attempt, number = held.attempts[index], held.labelling.number(index)
    work.results.append((held, attempt, held.labelling.read(index, reply)))
    if held.labelling.number(index) > number:
        del held.attempts[index]  # asking once more is another attempt


def _mend(work, step, error):
    """After an error: pause the run, or ask again later, or reject where that is over."""
    held, index, limits = step.held, step.index, work.wire.limits
    if error.kind == "rate_limited":
        if until := slow_down(work):
            _pause(work, error, "rate_limited", until)
    elif needs_a_person(error):
        _pause(work, error, f"parameter:{error.parameter}" if error.parameter else error.kind)
    elif error.kind in ASKED_ONCE or _is_last_try(work, held, index, error):
        rejection = Rejection(error.kind, str(error))
        held.labelling.results[index] = rejection
        work.results.append((held, held.attempts[index], rejection))
    else:
        held.waiting[index] = time.monotonic() + limits.backoff(held.failures)
    if limits.broken and not work.closing:
        resume_at = ledger.clock() + timedelta(seconds=BREAK_SECONDS)
        _pause(work, f"Nothing comes back from the endpoint. {error}", "breaker", resume_at)


def _is_last_try(work, held, index, error):
    """An unknown outcome is asked for once more at most, a failure up to the run's tries."""
    if error.unknown:
        held.unknowns[index] = held.unknowns.get(index, 0) + 1
        return held.unknowns[index] > slots.UNKNOWN_RESEND
    held.failures += 1
    return held.failures >= work.run.max_tries


def slow_down(work):
    """Exactly as long as the endpoint asked, for every worker; until when, where that is so long
    that the run had better pause."""
    wait = max(work.wire.limits.blocked_until - time.monotonic(), 0.0)
    until = ledger.clock() + timedelta(seconds=wait)
    Connection.objects.filter(pk=work.run.connection_id).update(blocked_until=until)
    return until if wait > LONGEST_WAIT else None


def _pause(work, reason, code, resume_at=None):
    runs.pause(work.run, reason, code, resume_at)
    work.closing = True


def _heed(work, turn):
    """Stop when the run does, or when the budget holds nothing more and nothing is on its way."""
    if turn.run.state != Run.State.RUNNING:
        work.closing = True
    elif turn.budget and not turn.steps:
        open_ = Call.objects.filter(run=turn.run, outcome=Call.Outcome.RESERVED)
        if not open_.exists():
            _pause(work, turn.budget, "budget")


def _take_back(work):
    """What is not sent yet never will be, and costs nothing."""
    if unsent := [ask.call_id for ask in work.wire.recall()]:
        ledger.give_up(unsent)
    for call_id in unsent:
        step = work.out.pop(call_id)
        step.held.asked.discard(step.index)


def _let_go(work):
    work.run.refresh_from_db(fields=["state"])
    slots.release(work.run, [held.slot for held in work.helds.values()])
