"""Readings that pages and commands show: how far a run is, and what one would cost."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.db.models import Avg, Count, Max, Min, Prefetch, Q
from django.utils.timezone import now

from annotation.models import Sample
from generation.llm import tokens
from generation.llm.base import Capabilities, Request
from generation.llm.completion import BodyError, read_completion
from generation.models import Call, Connection, Run, Slot, WorkerBeat
from generation.models.ledger import Spend
from generation.techniques.base import Technique, all_steps

PRICED_SAMPLES = 50
LATEST = 2000  # requests that times are told from
SHORTEST_ANSWER = 1
ALIVE = timedelta(seconds=60)
RATE_WINDOW = timedelta(seconds=30)
TRUNCATED_HINT = 0.1


@dataclass(frozen=True)
class Progress:
    """How far a run is, counted from its rows."""

    done: int
    rejected: int
    open: int
    cancelled: int
    reasons: list[dict]
    spend: Spend
    unknown_calls: int
    estimated_calls: int
    per_second: float | None
    seconds_left: float | None
    latency_mean: float | None  # seconds
    slowest: Sequence[Call] = ()
    other_models: Sequence[str] = ()
    truncated_often: bool = False


def run_progress(run: Run) -> Progress:
    """Counts are of the whole run; times and models are those of its latest requests."""
    states = dict(run.slots.order_by().values_list("state").annotate(Count("pk")))
    done, rejected = states.get("done", 0), states.get("rejected", 0)
    reasons = rejections(run)
    truncated = sum(row["n"] for row in reasons if row["reason"] == "truncated")
    calls = _latest_calls(run)
    settled = calls.filter(outcome=Call.Outcome.SETTLED)
    others = settled.exclude(model_returned__in=["", run.machine.model]).order_by()
    still_open = states.get("planned", 0) + states.get("active", 0)
    rate = _per_second(run, settled)
    slowest = calls.exclude(latency_ms=None).order_by("-latency_ms")
    return Progress(
        done=done,
        rejected=rejected,
        open=still_open,
        cancelled=states.get("cancelled", 0),
        reasons=reasons,
        spend=Spend.of(run),
        unknown_calls=run.calls.filter(outcome=Call.Outcome.UNKNOWN).count(),
        estimated_calls=calls.filter(usage_source="estimated").count(),
        per_second=rate,
        seconds_left=still_open / rate if rate else None,
        latency_mean=(mean := settled.aggregate(ms=Avg("latency_ms"))["ms"]) and mean / 1000,
        slowest=list(slowest.only("pk", "latency_ms", "status", "outcome", "finish_reason")[:5]),
        other_models=list(others.values_list("model_returned", flat=True).distinct()[:5]),
        truncated_often=bool(rejected) and truncated > TRUNCATED_HINT * (done + rejected),
    )


def _latest_calls(run):
    """The page is polled, so that it must not read every request of a long run."""
    newest = run.calls.order_by("-pk").values_list("pk", flat=True)
    first = list(newest[LATEST - 1 : LATEST])
    return run.calls.filter(pk__gte=first[0]) if first else run.calls.all()


def _per_second(run, settled):
    """Slots that were answered about lately for each second; None when that says nothing."""
    if run.state != Run.State.RUNNING or run.started_at is None:
        return None
    since = max(now() - RATE_WINDOW, run.started_at)
    seconds = (now() - since).total_seconds()
    slots = settled.filter(settled_at__gt=since).values("attempt__slot").distinct().count()
    return slots / seconds if slots and seconds >= 1 else None


@dataclass(frozen=True)
class Price:
    """What a run would cost: from the shortest answers to the longest, in micro-units and tokens.

    `low` and `high` are None where the connection's prices are unknown.
    """

    samples: int
    requests: int
    low: int | None
    high: int | None
    low_tokens: int
    high_tokens: int
    first: list[Request] = field(default_factory=list)  # the rendered requests of the first sample
    first_sample: Sample | None = None


def price(samples, most: int | None, connection: Connection, technique: Technique, codebook):
    """Priced on up to fifty samples spread over those chosen, and scaled to all of them."""
    rules, task = codebook.rules(), codebook.project.task
    found = Capabilities.from_json(connection.capabilities)
    count = min(samples.count(), most or sys.maxsize)
    chosen = _spread(samples, count)
    asked = [
        [
            step.request(connection.model, found)
            for step in all_steps(technique, rules, task, sample.fields, 0)
        ]
        for sample in chosen
    ]
    requests = [request for each in asked for request in each]
    scale = count / len(chosen) if chosen else 0
    prompt = sum(tokens.estimate_prompt(request) for request in requests)
    longest = sum(request.max_tokens for request in requests)
    shortest = len(requests) * SHORTEST_ANSWER
    return Price(
        samples=count,
        requests=round(scale * len(requests)),
        low=_money(connection, prompt, shortest, scale),
        high=_money(connection, prompt, longest, scale),
        low_tokens=math.ceil(scale * (prompt + shortest)),
        high_tokens=math.ceil(scale * (prompt + longest)),
        first=asked[0] if asked else [],
        first_sample=chosen[0] if chosen else None,
    )


def _money(connection, prompt, answer, scale):
    if connection.price_in is None or connection.price_out is None:
        return None
    one = tokens.cost(prompt, answer, connection.price_in, connection.price_out)
    return math.ceil(scale * one)


def _spread(samples, count):
    """The first sample, and others at even distances of their ids."""
    if not count:
        return []
    first, last = samples.aggregate(first=Min("pk"), last=Max("pk")).values()
    step = max(1, (last - first) // PRICED_SAMPLES)
    ordered = samples.order_by("pk")
    found = (ordered.filter(pk__gte=pk).first() for pk in range(first, last + 1, step))
    unlike = {sample.pk: sample for sample in found if sample is not None}
    return list(unlike.values())[: min(count, PRICED_SAMPLES)]


def runs_of(project):
    """The runs of a project, newest first, with how far each is."""
    return (
        project.runs.filter(kind=Run.Kind.LABEL)
        .select_related("machine", "connection", "created_by")
        .annotate(
            done=Count("slots", filter=Q(slots__state=Slot.State.DONE)),
            rejected=Count("slots", filter=Q(slots__state=Slot.State.REJECTED)),
        )
        .order_by("-pk")
    )


def rejections(run):
    """How often each reason ended a slot without an answer, the commonest first."""
    rejected = run.slots.filter(state=Slot.State.REJECTED).order_by().values("reason")
    return list(rejected.annotate(n=Count("pk")).order_by("-n", "reason"))


def calls_in_short():
    """For prefetching the calls of slots, without what was sent and received."""
    return Prefetch("attempts__calls", Call.objects.defer("request", "reply").order_by("pk"))


def a_worker_is_alive():
    return WorkerBeat.objects.filter(at__gt=now() - ALIVE).exists()


def reply_of(call):
    """What the stored reply says, read again; None if it is no completion."""
    try:
        return read_completion(call.reply)
    except BodyError:
        return None
