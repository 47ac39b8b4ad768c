"""What labelling would bring, worked out by the worker and kept."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.timezone import now

from annotation.models.codebook import Codebook
from annotation.models.machine import MachineAnnotator
from annotation.models.project import Project


class ForecastQuerySet(models.QuerySet):
    def due(self):
        """Waiting, or left by a worker that died over it."""
        left = models.Q(state=Forecast.State.WORKING, lease_until__lt=Now())
        return self.filter(models.Q(state=Forecast.State.WAITING) | left)


class Forecast(models.Model):
    """For each strategy the expected accuracy of the final set against people's labels."""

    class State(models.TextChoices):
        WAITING = "waiting"
        WORKING = "working"
        DONE = "done"
        FAILED = "failed"

    project = models.ForeignKey(Project, models.CASCADE, related_name="forecasts")
    machine = models.ForeignKey(MachineAnnotator, models.CASCADE, related_name="forecasts")
    codebook = models.ForeignKey(Codebook, models.CASCADE, related_name="+")
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    inputs = models.JSONField(default=dict)  # frame, seed, from how many answers, the newest
    result = models.JSONField(default=dict)  # a curve for each strategy, or why it has none
    error = models.TextField(blank=True)
    lease_until = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True)
    created_at = models.DateTimeField(default=now)
    finished_at = models.DateTimeField(null=True)

    objects = ForecastQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["machine", "codebook"],
                condition=models.Q(state__in=["waiting", "working"]),
                name="one_open_forecast_a_machine",
            )
        ]
