"""Planned results, tries at them, and every paid request."""

from dataclasses import dataclass, replace

from django.db import models
from django.db.models import Case, F, Sum, Value, When
from django.utils.timezone import now

from annotation.models import Sample, Suggestion
from generation.models.connection import Connection
from generation.models.run import Run


class Slot(models.Model):
    """One planned result of a run. Claimed by compare-and-swap; every write carries `version`."""

    class State(models.TextChoices):
        PLANNED = "planned"
        ACTIVE = "active"  # a worker holds the lease
        DONE = "done"
        REJECTED = "rejected"  # no valid answer within the allowed tries
        CANCELLED = "cancelled"

    run = models.ForeignKey(Run, models.CASCADE, related_name="slots")
    index = models.PositiveIntegerField()
    sample = models.ForeignKey(Sample, models.PROTECT, null=True, related_name="slots")
    state = models.CharField(max_length=9, choices=State, default=State.PLANNED)
    reason = models.CharField(max_length=40, blank=True)  # code of the last rejection
    detail = models.CharField(max_length=500, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=now)
    lease_until = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=0)
    suggestion = models.ForeignKey(Suggestion, models.SET_NULL, null=True, related_name="slots")

    class Meta:
        constraints = [models.UniqueConstraint("run", "index", name="slot_once")]
        indexes = [
            models.Index(fields=["run", "state", "due_at", "index"], name="slot_due"),
            models.Index(
                fields=["lease_until"], condition=models.Q(state="active"), name="slot_leases"
            ),
        ]


class Attempt(models.Model):
    """One try at one step of a slot: what was asked, and what became of the answer."""

    class State(models.TextChoices):
        OPEN = "open"  # its reply is not read yet
        VALID = "valid"
        REJECTED = "rejected"

    slot = models.ForeignKey(Slot, models.CASCADE, related_name="attempts")
    number = models.PositiveSmallIntegerField()  # the try, from 1
    step = models.PositiveSmallIntegerField()  # which request of the technique, from 0
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    reason = models.CharField(max_length=40, blank=True)
    detail = models.CharField(max_length=500, blank=True)
    reading = models.JSONField(null=True)  # what the technique read in the reply
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint("slot", "number", "step", name="attempt_once")]


class Call(models.Model):
    """One paid HTTP request. Until it is settled, its reservation counts as spent."""

    class Outcome(models.TextChoices):
        RESERVED = "reserved"  # committed before anything is sent
        SETTLED = "settled"  # a reply was received and is kept
        FAILED = "failed"  # it is known that nothing was delivered
        UNKNOWN = "unknown"  # nobody knows; counted at its largest possible cost

    run = models.ForeignKey(Run, models.CASCADE, null=True, related_name="calls")
    connection = models.ForeignKey(Connection, models.PROTECT, related_name="calls")
    attempt = models.ForeignKey(Attempt, models.CASCADE, null=True, related_name="calls")
    purpose = models.CharField(max_length=10, default="label")  # or "probe"
    outcome = models.CharField(max_length=8, choices=Outcome, default=Outcome.RESERVED)
    request_hash = models.CharField(max_length=64)
    request = models.JSONField()  # messages and parameters as sent, without the key
    model_asked = models.CharField(max_length=200)
    model_returned = models.CharField(max_length=200, blank=True)
    request_id = models.CharField(max_length=200, blank=True)
    status = models.PositiveSmallIntegerField(null=True)
    finish_reason = models.CharField(max_length=40, blank=True)
    prompt_tokens = models.PositiveIntegerField(null=True)
    completion_tokens = models.PositiveIntegerField(null=True)
    reasoning_tokens = models.PositiveIntegerField(null=True)
    cached_tokens = models.PositiveIntegerField(null=True)
    usage_source = models.CharField(max_length=9, blank=True)  # "provider" or "estimated"
    reserved_cost = models.PositiveBigIntegerField(default=0)
    reserved_tokens = models.PositiveIntegerField(default=0)
    cost = models.PositiveBigIntegerField(default=0)
    latency_ms = models.PositiveIntegerField(null=True)
    reply = models.TextField(blank=True)  # the raw body as received
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=now)
    sent_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            # Holds all that spending is summed from, so that the sum reads no request or reply.
            models.Index(
                fields=[
                    "run",
                    "outcome",
                    "cost",
                    "reserved_cost",
                    "prompt_tokens",
                    "completion_tokens",
                    "reserved_tokens",
                ],
                name="call_spend",
            ),
            models.Index(
                fields=["connection", "id"],
                condition=models.Q(outcome="reserved"),
                name="call_in_flight",
            ),
            models.Index(fields=["connection", "-id"], name="call_of_connection"),
            models.Index(fields=["request_hash"], name="call_by_request"),
        ]

    @property
    def seconds(self):
        return None if self.latency_ms is None else self.latency_ms / 1000

    def was_a_failed_try(self):
        """It was sent and the endpoint or the way to it failed; being asked to wait is no try."""
        failed = self.outcome == self.Outcome.FAILED and self.sent_at is not None
        return failed and (self.status is None or self.status >= 500)


OPEN = (Call.Outcome.RESERVED, Call.Outcome.UNKNOWN)


@dataclass(frozen=True)
class Spend:
    """What a run has cost so far, in micro-units: settled, and what may still come of open and
    unknown calls. Tokens are those of all three."""

    settled: int = 0
    reserved: int = 0
    unknown: int = 0
    tokens: int = 0

    @classmethod
    def of(cls, run):
        """Summed from the ledger, so that nothing resets it."""
        used = Case(
            When(outcome=Call.Outcome.SETTLED, then=F("prompt_tokens") + F("completion_tokens")),
            When(outcome__in=OPEN, then=F("reserved_tokens")),
            default=Value(0),
        )
        return cls(
            **Call.objects.filter(run=run).aggregate(
                settled=_sum_of(Call.Outcome.SETTLED, "cost"),
                reserved=_sum_of(Call.Outcome.RESERVED, "reserved_cost"),
                unknown=_sum_of(Call.Outcome.UNKNOWN, "reserved_cost"),
                tokens=Sum(used, default=0),
            )
        )

    @property
    def cost(self):
        return self.settled + self.reserved + self.unknown

    def with_reserved(self, call):
        return replace(
            self,
            reserved=self.reserved + call.reserved_cost,
            tokens=self.tokens + call.reserved_tokens,
        )

    def within(self, run):
        """Do the run's caps hold?"""
        money = run.cap_cost is None or self.cost <= run.cap_cost
        return money and (run.cap_tokens is None or self.tokens <= run.cap_tokens)


def _sum_of(outcome, field):
    return Sum(Case(When(outcome=outcome, then=F(field)), default=Value(0)), default=0)
