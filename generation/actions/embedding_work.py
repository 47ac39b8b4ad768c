"""A slice of work on a run that buys vectors: one worker at a time, resumable at every point.

As for labels, intents are committed before anything is sent, replies are on disk and in the ledger
before they are read, and what nobody knows the outcome of counts at its largest cost.
"""

import time
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Q
from django.utils.translation import gettext as _

from generation.actions import connections, embeddings, journal, ledger, runs, slots
from generation.actions.embedding_turns import Buying, cut, pause, send, take_back
from generation.actions.work import ASKED_ONCE, BREAK_SECONDS, journalled, slow_down
from generation.llm.base import LLMError
from generation.llm.completion import BodyError
from generation.llm.embeddings import read_vectors
from generation.llm.limits import Limits, needs_a_person
from generation.llm.transport import MAX_BODY
from generation.llm.wire import Wire
from generation.models import Call, Embedding, Run, TextVector
from generation.reports_vectors import dimensions_of, missing
from synthlab.failpoints import failpoint

TURN_SECONDS = 0.05
MOST_TEXTS = 64  # in a request
FULL = 0.5  # of the cap on an answer


def work_on_due(seconds: float) -> int | None:
    """Work on the oldest run that buys vectors and that nobody holds; its id."""
    free = Q(lease_until=None) | Q(lease_until__lt=ledger.clock())
    due = Embedding.objects.filter(free, run__state=Run.State.RUNNING).order_by("pk")
    for embedding in due.select_related("run__connection", "run__project"):
        if _hold(embedding):
            _work_on(embedding, seconds)
            return embedding.run_id
    return None


def _hold(embedding):
    """Take the lease, or keep it; False: somebody else has it."""
    until = ledger.clock() + timedelta(seconds=settings.WORK_LEASE_SECONDS)
    mine = Embedding.objects.filter(pk=embedding.pk, version=embedding.version)
    held = mine.update(lease_until=until, version=F("version") + 1)
    embedding.version += 1
    return bool(held)


def _work_on(embedding, seconds):
    run = embedding.run
    run.embedding = embedding
    try:
        connections.check(run.connection)
    except LLMError as error:
        runs.pause(run, error, error.kind)
    else:
        _take_up(run)
        _buy(run, embedding, time.monotonic() + seconds)
        run.refresh_from_db(fields=["state"])
        if run.state == Run.State.RUNNING:
            embeddings.finish(run)
    Embedding.objects.filter(pk=embedding.pk, version=embedding.version).update(lease_until=None)


def _take_up(run):
    """What an earlier worker left: its replies are read, and what it had sent is in doubt."""
    slots.replay_journals()
    ledger.doubt_calls(Call.objects.filter(run=run))
    unread = Call.objects.filter(
        run=run, outcome=Call.Outcome.SETTLED, vectors__pk__isnull=False, vectors__valid=None
    )
    for call in unread.distinct():
        _read(run.embedding, call.pk, call.reply, len(call.request["input"]))
    if _asked_too_often(run):
        text = _(
            "No answer was stored for either of two requests about the same texts. "
            "Cancel, and begin anew to ask once more."
        )
        runs.pause(run, text, "unknown_outcome")


def _asked_too_often(run):
    """Is there a text without a vector whose requests ended in doubt once too often?"""
    doubted = TextVector.objects.filter(call__run=run, call__outcome=Call.Outcome.UNKNOWN)
    often = doubted.values("content_hash").annotate(n=Count("pk"))
    often = often.filter(n__gt=slots.UNKNOWN_RESEND).values("content_hash")
    lacking = missing(run.project, run.embedding.source)
    return lacking.filter(content_hash__in=often).exists()


def _buy(run, embedding, until):
    limits = Limits(
        most=run.connection.concurrency,
        careful=run.reason_code in {runs.STARTING, runs.PROBING},
        fragile=run.reason_code == runs.PROBING,
    )
    client = connections.client_maker(run.connection)
    with (
        journal.opened() as pages,
        Wire(client, limits, pages.sent, journalled(pages, run.connection)) as wire,
    ):
        work = Buying(run, embedding, wire, pages, ledger.shortfall(run.connection))
        while not (work.closing or (work.exhausted and not work.waiting)) or work.out:
            if outcomes := wire.received(TURN_SECONDS):
                _keep(work, outcomes)
            if time.monotonic() > until or not _still_held(work):
                work.closing = True
            if not work.closing:
                send(work)
            else:
                take_back(work)


def _still_held(work):
    """Renew the lease in time."""
    if time.monotonic() - work.renewed_at < settings.WORK_LEASE_SECONDS / 3:
        return True
    work.renewed_at = time.monotonic()
    return _hold(work.embedding)


def _keep(work, outcomes):
    """The receipts, on disk and then in the database; only then is anything read."""
    work.journal.sync()
    failpoint("reply.journalled")
    ledger.settle({outcome.ask.call_id: outcome.receipt for outcome in outcomes})
    work.journal.clear(len(outcomes))
    failpoint("vectors.settled")
    for outcome in outcomes:
        batch = work.out.pop(outcome.ask.call_id)
        if outcome.error is not None:
            _mend(work, batch, outcome.error)
            continue
        raw, count = outcome.reply.raw, len(batch.texts)
        work.size = max(1, min(MOST_TEXTS, int(MAX_BODY * FULL / max(len(raw) / count, 1))))
        if problem := _read(work.embedding, outcome.ask.call_id, raw, count):
            pause(work, problem, "dimensions")
    if work.run.reason_code and not work.wire.limits.careful:
        begun = [runs.STARTING, runs.PROBING]
        Run.objects.filter(pk=work.run.pk, reason_code__in=begun).update(reason_code="")
        work.run.reason_code = ""


@transaction.atomic
def _read(embedding, call_id, raw, count):
    """Mark the vectors of a settled call as good or bad; why they are bad."""
    problem = ""
    try:
        found = read_vectors(raw, count).shape[1]
    except BodyError as error:
        problem, found = str(error), None
    known = dimensions_of(embedding.run.project, embedding.source)
    if found is not None and known not in (None, found):
        problem = _(
            "The endpoint sent vectors of %(found)d numbers where earlier ones have %(known)d: "
            "the model behind it has changed. Cancel, and choose a connection to one model."
        ) % {"found": found, "known": known}
    vectors = TextVector.objects.filter(call=call_id)
    vectors.update(valid=not problem)
    if found is not None and known is None:
        Embedding.objects.filter(pk=embedding.pk).update(dimensions=found)
    return problem


def _mend(work, batch, error):
    """After an error: pause the run, or ask again later, in smaller pieces if it was too much."""
    limits = work.wire.limits
    hopeless = needs_a_person(error) or error.permanent or error.kind in ASKED_ONCE
    if error.kind == "rate_limited":
        if until := slow_down(work):
            pause(work, error, "rate_limited", until)
        work.waiting.append(batch)
    elif error.kind == "too_large" and len(batch.texts) > 1:
        work.size = max(1, len(batch.texts) // 2)
        fitting = [
            [w] if len(w.texts) <= work.size else cut(w.texts, work.size)
            for w in [batch, *work.waiting]
        ]
        work.waiting = [piece for pieces in fitting for piece in pieces]
    elif hopeless or _is_last_try(work, batch, error):
        pause(work, error, error.kind)
    else:
        batch.not_before = time.monotonic() + limits.backoff(batch.failures)
        work.waiting.append(batch)
    if limits.broken and not work.closing:
        resume_at = ledger.clock() + timedelta(seconds=BREAK_SECONDS)
        pause(work, f"Nothing comes back from the endpoint. {error}", "breaker", resume_at)


def _is_last_try(work, batch, error):
    if error.unknown:
        batch.unknowns += 1
        return batch.unknowns > slots.UNKNOWN_RESEND
    batch.failures += 1
    return batch.failures >= work.run.max_tries
