"""Figures that were kept, the maps that correct confidences, and how often people looked."""

from django.conf import settings
from django.db import models
from django.utils.timezone import now

from annotation.models.codebook import Codebook
from annotation.models.machine import MachineAnnotator
from annotation.models.project import Project


class Estimate(models.Model):
    """A figure as it was at one moment, with all that is needed to compute it again.

    The database refuses a change. Figures kept by one request share their `batch`.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="estimates")
    codebook = models.ForeignKey(Codebook, models.PROTECT, related_name="+")
    machine = models.ForeignKey(MachineAnnotator, models.PROTECT, null=True, related_name="+")
    batch = models.UUIDField()
    figure = models.CharField(max_length=100)  # "machine:percent", "machine:f1:spam" ...
    method = models.CharField(max_length=60)
    options = models.JSONField(default=dict)  # level, replicates, seed
    inputs = models.JSONField()  # rounds, the newest row of each table, sha256 of what was read
    result = models.JSONField()  # value, low, high, answers, or the reason why there is none
    result_hash = models.CharField(max_length=64)  # sha256 of the result as canonical JSON
    code_version = models.CharField(max_length=64)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        indexes = [models.Index(fields=["project", "-id"], name="estimate_of_project")]
        constraints = [models.UniqueConstraint("batch", "figure", name="estimate_once_a_batch")]


class CalibrationMap(models.Model):
    """How a machine's stated confidence is turned into the chance that it is right.

    Fitted on people's answers under one edition; the newest stands for machine and edition.
    """

    machine = models.ForeignKey(MachineAnnotator, models.CASCADE, related_name="maps")
    codebook = models.ForeignKey(Codebook, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20)  # identity, platt, temperature, isotonic
    parameters = models.JSONField(default=dict)
    inputs = models.JSONField()  # rounds, number of answers, the newest, sha256 of what was read
    held_out = models.JSONField()  # Brier score of every kind that was tried, cross-fitted
    created_at = models.DateTimeField(default=now)

    class Meta:
        indexes = [models.Index(fields=["machine", "codebook", "-id"], name="newest_map")]


class Look(models.Model):
    """Somebody saw figures of this subject when it had so many answers.

    Looking again before anything changed is the same look.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="looks")
    subject = models.CharField(max_length=100)  # "round 4", "test 3 5"
    answers = models.PositiveIntegerField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint("project", "subject", "answers", name="looked_once")]
