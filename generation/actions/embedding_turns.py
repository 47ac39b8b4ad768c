"""What a worker that buys vectors asks for next: read, reserved, sent, or taken back."""

import time
from dataclasses import dataclass, field

from django.db import transaction

from generation.actions import journal, ledger, runs
from generation.actions.busy import patiently
from generation.llm.base import EmbeddingRequest
from generation.llm.wire import Ask, Wire
from generation.models import Embedding, Run, TextVector
from generation.models.ledger import Spend
from generation.reports_vectors import missing
from synthlab.failpoints import failpoint

IDLE_SECONDS = 0.5
FIRST_TEXTS = 8  # in a request, until it is known how long an answer is
READ_AHEAD = 256


@dataclass(eq=False)
class Batch:
    """Texts that are asked about together, by the hashes of their contents."""

    texts: dict[str, str]
    failures: int = 0
    unknowns: int = 0
    not_before: float = 0.0


@dataclass(eq=False)
class Buying:
    """What this worker has in its hands."""

    run: Run
    embedding: Embedding
    wire: Wire
    journal: journal.Journal
    factor: float
    size: int = FIRST_TEXTS  # texts in the next requests
    after: str = ""  # the last content hash that was read
    exhausted: bool = False
    waiting: list[Batch] = field(default_factory=list)
    out: dict[int, Batch] = field(default_factory=dict)
    closing: bool = False
    renewed_at: float = field(default_factory=time.monotonic)
    not_before: float = 0.0  # when there may be room for a request again


def pause(work, reason, code, resume_at=None):
    runs.pause(work.run, reason, code, resume_at)
    work.closing = True


def send(work):
    """Reserve and send as many requests as the connection and the budget have room for."""
    if len(work.out) >= work.wire.limits.width or time.monotonic() < work.not_before:
        return
    if not (batches := _due(work)):
        return
    sent, left, problem = patiently(_reserve, work, batches)
    work.not_before = time.monotonic() + (IDLE_SECONDS if left else 0)
    work.waiting += left
    work.journal.reserved(call.pk for call, _request, _batch in sent)
    if sent:
        failpoint("vectors.intended")
    work.out |= {call.pk: batch for call, _request, batch in sent}
    work.wire.send(Ask(call.pk, request, slot=f"v{call.pk}") for call, request, _batch in sent)
    if problem and not work.out:
        pause(work, problem, "budget")


def _due(work):
    """Batches to ask about now: those that failed, then new ones. While nothing has come back yet,
    one that failed is asked about until something does."""
    moment = time.monotonic()
    room = work.wire.limits.width - len(work.out)
    failed = [batch for batch in work.waiting if batch.failures or batch.unknowns]
    alone = work.wire.limits.careful and bool(failed)
    open_ = failed if alone else work.waiting
    ready = [batch for batch in open_ if batch.not_before <= moment][:room]
    work.waiting = [batch for batch in work.waiting if batch not in ready]
    while len(ready) < room and not work.exhausted and not alone:
        ready += cut(_read_texts(work), work.size)
    work.waiting += ready[room:]
    return ready[:room]


def _read_texts(work):
    """The next texts without a vector, each content once."""
    samples = missing(work.run.project, work.embedding.source)
    rows = samples.filter(content_hash__gt=work.after).order_by("content_hash", "pk")
    read = list(rows.values_list("content_hash", "text")[:READ_AHEAD])
    work.exhausted = len(read) < READ_AHEAD
    if read:
        work.after = read[-1][0]
    return {content: text[: work.embedding.longest] for content, text in reversed(read)}


def cut(texts, size):
    pairs = list(texts.items())
    return [Batch(dict(pairs[i : i + size])) for i in range(0, len(pairs), size)]


@transaction.atomic
def _reserve(work, batches):
    """Intents for these batches, committed before anything is sent: what was reserved, what was
    not, and why the budget holds no more."""
    run = ledger.hold(work.run.pk)
    mine = Embedding.objects.filter(pk=work.embedding.pk, version=work.embedding.version)
    if run.state != Run.State.RUNNING or not mine.exists():
        work.closing = True
        return [], batches, ""
    requests, tokens = ledger.pace(run.connection)
    room = min(run.connection.concurrency - len(ledger.in_flight(run.connection)), requests)
    spent, sent, problem = Spend.of(run), [], ""
    for batch in batches[: max(room, 0)]:
        request = EmbeddingRequest(tuple(batch.texts.values()), run.connection.model)
        call = ledger.intent(run, request, work.factor)
        if call.reserved_tokens > tokens:
            break
        if not (spent := spent.with_reserved(call)).within(run):
            problem = runs.budget_reason(run, Spend.of(run), call)
            break
        tokens -= call.reserved_tokens
        call.purpose = "embed"
        call.save()
        _note(work, call, batch)
        sent.append((call, request, batch))
    return sent, batches[len(sent) :], problem


def _note(work, call, batch):
    TextVector.objects.bulk_create(
        TextVector(
            project=work.run.project,
            source=work.embedding.source,
            content_hash=content,
            call=call,
            place=place,
        )
        for place, content in enumerate(batch.texts)
    )


def take_back(work):
    """What is not sent yet never will be, and costs nothing."""
    if unsent := [ask.call_id for ask in work.wire.recall()]:
        ledger.give_up(unsent)
    for call_id in unsent:
        work.out.pop(call_id)
