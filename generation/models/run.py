"""One execution against a model, and the workers' signs of life."""

from django.conf import settings
from django.db import models
from django.utils.timezone import now

from annotation.models import MachineAnnotator, Project
from generation.models.connection import Connection


class RunQuerySet(models.QuerySet):
    def active(self):
        return self.filter(state=Run.State.RUNNING)

    def open(self):
        """Not over: it may still cost something."""
        return self.filter(state__in=[Run.State.PLANNING, Run.State.RUNNING, Run.State.PAUSED])


class Run(models.Model):
    """One execution, for labels, texts or judgements alike. Money is integer micro-units."""

    class Kind(models.TextChoices):
        LABEL = "label"
        EMBED = "embed"  # vectors of texts; has no machine and no slots

    class State(models.TextChoices):
        PLANNING = "planning"  # slots are being written
        RUNNING = "running"
        PAUSED = "paused"
        DONE = "done"
        DONE_SHORT = "done_short", "done short"  # some slots ended without a valid answer
        CANCELLED = "cancelled"

    project = models.ForeignKey(Project, models.CASCADE, related_name="runs")
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.LABEL)
    state = models.CharField(max_length=10, choices=State, default=State.PLANNING)
    reason = models.CharField(max_length=500, blank=True)  # why it is paused or done short
    reason_code = models.CharField(max_length=30, blank=True)
    connection = models.ForeignKey(Connection, models.PROTECT, related_name="runs")
    machine = models.ForeignKey(MachineAnnotator, models.PROTECT, null=True, related_name="runs")
    sample_filter = models.JSONField(default=dict)
    seed = models.BigIntegerField(default=0)
    max_tries = models.PositiveSmallIntegerField(default=3)
    cap_cost = models.PositiveBigIntegerField(null=True)
    cap_tokens = models.PositiveBigIntegerField(null=True)
    target = models.PositiveIntegerField(default=0)
    resume_at = models.DateTimeField(null=True)  # a pause that ends by itself
    routed = models.BooleanField(default=False)  # the routing policy has seen its end
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=now)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        constraints = [
            # Two at once would buy the same samples twice; a second click finds the first run.
            models.UniqueConstraint(
                fields=["machine"],
                condition=models.Q(state__in=["planning", "running", "paused"]),
                name="one_open_run_a_machine",
            )
        ]

    @property
    def is_over(self):
        return self.state in {self.State.DONE, self.State.DONE_SHORT, self.State.CANCELLED}


class WorkerBeat(models.Model):
    """A worker's sign of life, so that a page can say when none is there."""

    name = models.CharField(max_length=200, unique=True)
    at = models.DateTimeField(default=now)
