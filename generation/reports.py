"""Readings that pages and commands show: how far a run is, and what one would cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.db.models import Avg, Count, Max, Q
from django.utils.timezone import now

from annotation.models import Sample
from generation.llm import tokens
from generation.llm.base import Capabilities, Request
from generation.models import Call, Connection, Run, Slot
from generation.models.ledger import Spend
from generation.techniques.base import Technique, all_steps

PRICED_SAMPLES = 50
SHORTEST_ANSWER = 1
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
    latency_mean: float | None
    latency_worst: int | None
    slowest: Sequence[Call] = ()
    other_models: Sequence[str] = ()
    truncated_often: bool = False


def run_progress(run: Run) -> Progress:
    states = dict(run.slots.order_by().values_list("state").annotate(Count("pk")))
    done, rejected = states.get("done", 0), states.get("rejected", 0)
    reasons = run.slots.filter(state=Slot.State.REJECTED).order_by().values("reason")
    reasons = list(reasons.annotate(n=Count("pk")).order_by("-n", "reason"))
    truncated = sum(row["n"] for row in reasons if row["reason"] == "truncated")
    settled = run.calls.filter(outcome=Call.Outcome.SETTLED)
    calls = run.calls.aggregate(
        unknown=Count("pk", filter=Q(outcome=Call.Outcome.UNKNOWN)),
        estimated=Count("pk", filter=Q(usage_source="estimated")),
        mean=Avg("latency_ms", filter=Q(outcome=Call.Outcome.SETTLED)),
        worst=Max("latency_ms"),
    )
    others = settled.exclude(model_returned__in=["", run.machine.model]).order_by()
    still_open = states.get("planned", 0) + states.get("active", 0)
    rate = _per_second(run)
    return Progress(
        done=done,
        rejected=rejected,
        open=still_open,
        cancelled=states.get("cancelled", 0),
        reasons=reasons,
        spend=Spend.of(run),
        unknown_calls=calls["unknown"],
        estimated_calls=calls["estimated"],
        per_second=rate,
        seconds_left=still_open / rate if rate else None,
        latency_mean=calls["mean"],
        latency_worst=calls["worst"],
        slowest=list(
            run.calls.exclude(latency_ms=None)
            .order_by("-latency_ms")
            .only("pk", "latency_ms", "status", "outcome", "finish_reason")[:5]
        ),
        other_models=list(others.values_list("model_returned", flat=True).distinct()[:5]),
        truncated_often=bool(rejected) and truncated > TRUNCATED_HINT * (done + rejected),
    )


def _per_second(run):
    """Slots finished lately for each second; None when that says nothing."""
    if run.state != Run.State.RUNNING or run.started_at is None:
        return None
    since = max(now() - RATE_WINDOW, run.started_at)
    seconds = (now() - since).total_seconds()
    lately = run.calls.filter(outcome=Call.Outcome.SETTLED, settled_at__gt=since)
    attempts = lately.values("attempt__slot").distinct().count()
    return attempts / seconds if attempts and seconds >= 1 else None


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


def price(samples, count: int, connection: Connection, technique: Technique, codebook) -> Price:
    """Priced on up to fifty samples spread over those chosen, and scaled to all of them."""
    rules, task = codebook.rules(), codebook.project.task
    found = Capabilities.from_json(connection.capabilities)
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
    prices = (connection.price_in, connection.price_out)

    def money(answer_tokens):
        if None in prices:
            return None
        return math.ceil(scale * tokens.cost(prompt, answer_tokens, *prices))

    shortest = len(requests) * SHORTEST_ANSWER
    return Price(
        samples=count,
        requests=round(scale * len(requests)),
        low=money(shortest),
        high=money(longest),
        low_tokens=math.ceil(scale * (prompt + shortest)),
        high_tokens=math.ceil(scale * (prompt + longest)),
        first=asked[0] if asked else [],
        first_sample=chosen[0] if chosen else None,
    )


def _spread(samples, count):
    """The first sample, and others at even distances in the order of their ids."""
    ids = list(samples.order_by("pk").values_list("pk", flat=True)[: max(count, 0)])
    step = max(1, len(ids) // PRICED_SAMPLES)
    return list(Sample.objects.filter(pk__in=ids[::step][:PRICED_SAMPLES]).order_by("pk"))
