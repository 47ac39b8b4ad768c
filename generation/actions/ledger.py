"""The ledger: no request without an intent within the budget, no reply without a receipt."""

from datetime import UTC, datetime, timedelta

from django.db import connection as database
from django.db import transaction
from django.db.models import Q
from django.utils.timezone import now

from generation.actions.busy import patiently
from generation.llm import tokens
from generation.llm.limits import MINUTE, room
from generation.models import Call, Connection, Run
from generation.models.ledger import OPEN
from synthlab.failpoints import mutated

ERROR_LENGTH = 500


def clock():
    """The time by the database's clock: it judges every lease, whatever a worker's clock says."""
    if database.vendor != "postgresql" or mutated("own_clock"):
        return now()
    with database.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def hold(run_id):
    """The run and its connection, locked until the end of the transaction.

    Whoever reserves money or a place on a connection does it here, one after the other. SQLite
    transactions are exclusive from their start; there the lock is the transaction itself.
    """
    connection_id = Run.objects.values_list("connection", flat=True).get(pk=run_id)
    connection = Connection.objects.select_for_update().get(pk=connection_id)
    run = Run.objects.select_for_update().get(pk=run_id)
    run.connection = connection
    return run


def intent(run, request, factor=1.0):
    """A call of the run at its largest possible price, not saved and without its attempt.

    `factor`: how far estimates of prompts fell short on this connection.
    """
    return Call(run=run, **_intent(run.connection, request, factor))


def probe_intent(connection, request):
    return Call(purpose="probe", **_intent(connection, request, 1.0))


def _intent(connection, request, factor):
    prompt = round(tokens.estimate_prompt(request) * factor) + 1
    cost = 0
    if connection.price_in is not None and connection.price_out is not None:
        cost = tokens.cost(prompt, request.max_tokens, connection.price_in, connection.price_out)
    return {
        "connection": connection,
        "request_hash": request.hash(),
        "request": request.body(),
        "model_asked": request.model,
        "reserved_cost": cost,
        "reserved_tokens": prompt + request.max_tokens,
    }


def in_flight(connection):
    """The calls that somebody may send or has sent, oldest first. Dead workers' count too: their
    requests may well be on their way."""
    reserved = Call.objects.filter(connection=connection, outcome=Call.Outcome.RESERVED)
    return list(reserved.order_by("pk").values_list("pk", flat=True))


def pace(connection):
    """How many requests and tokens the connection's limits per minute still allow, over all
    workers: (requests, tokens)."""
    limits = (connection.requests_per_minute, connection.tokens_per_minute)
    if limits == (None, None):
        return room([], *limits)
    moment = clock()
    lately = Call.objects.filter(
        connection=connection, created_at__gt=moment - timedelta(seconds=MINUTE)
    ).exclude(outcome=Call.Outcome.FAILED, sent_at=None)
    history = [
        ((moment - created).total_seconds(), amount)
        for created, amount in lately.values_list("created_at", "reserved_tokens")
    ]
    return room(history, *limits)


def receipt(connection, outcome):
    """The columns of a call that a reply or an error fills, ready for the journal."""
    sent = datetime.fromtimestamp(outcome.sent_at, UTC).isoformat()
    common = {"sent_at": sent, "settled_at": now().isoformat()}
    if (reply := outcome.reply) is None:
        return common | _failure(outcome.error)
    return common | {
        "outcome": Call.Outcome.SETTLED,
        "status": reply.status,
        "model_returned": reply.model_returned,
        "request_id": reply.request_id,
        "finish_reason": reply.finish_reason[:40],
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "reasoning_tokens": reply.reasoning_tokens,
        "cached_tokens": reply.cached_tokens,
        "usage_source": reply.usage_source,
        "latency_ms": reply.latency_ms,
        "reply": reply.raw,
        "cost": tokens.cost(
            reply.prompt_tokens,
            reply.completion_tokens,
            connection.price_in or 0,
            connection.price_out or 0,
        ),
    }


def _failure(error):
    """An error after which nobody knows whether the call was paid for keeps its reservation."""
    outcome = Call.Outcome.UNKNOWN if error.unknown else Call.Outcome.FAILED
    return {
        "outcome": outcome,
        "status": error.status,
        "request_id": error.request_id,
        "latency_ms": error.latency_ms,
        "reply": error.raw,
        "error": str(error)[:ERROR_LENGTH],
    }


def settle(receipts):
    """Keep receipts, each once: {call id: columns}. A settled call never changes again."""
    patiently(_settle, receipts)


@transaction.atomic
def _settle(receipts):
    for call_id, columns in receipts.items():
        Call.objects.filter(pk=call_id, outcome__in=OPEN).update(**columns)


def give_up(call_ids):
    """Calls that were reserved and never sent: they cost nothing."""
    Call.objects.filter(pk__in=call_ids, outcome=Call.Outcome.RESERVED).update(
        outcome=Call.Outcome.FAILED, error="It was not sent.", settled_at=now()
    )


def doubt_calls(calls):
    """Nobody can say any more what became of these: they count at their largest possible cost."""
    reserved = calls.filter(outcome=Call.Outcome.RESERVED)
    return reserved.update(
        outcome=Call.Outcome.UNKNOWN,
        error="The worker stopped before an answer was stored; it may have been paid for.",
    )


def doubt_stray_probes():
    """Probes whose process has gone: reserved for longer than any call can take."""
    long_ago = clock() - timedelta(minutes=10)
    stray = Call.objects.filter(
        attempt=None, outcome=Call.Outcome.RESERVED, created_at__lt=long_ago
    )
    return doubt_calls(stray) if stray.exists() else 0


def shortfall(connection):
    """By how much prompts were longer than our estimate on this connection lately; at least 1."""
    settled = Call.objects.filter(
        Q(usage_source="provider"), connection=connection, outcome=Call.Outcome.SETTLED
    ).exclude(purpose="embed")
    ratios = [
        counted / max(1, sum(tokens.estimate(m["content"]) + tokens.PER_MESSAGE for m in messages))
        for counted, messages in settled.order_by("-pk").values_list(
            "prompt_tokens", "request__messages"
        )[:30]
    ]
    return min(max([1.0, *ratios]), 8.0)
