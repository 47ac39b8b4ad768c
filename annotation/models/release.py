"""Frozen exports."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.timezone import now

from annotation.models.codebook import Codebook
from annotation.models.project import Project


class ReleaseQuerySet(models.QuerySet):
    def due(self):
        """Waiting, or left by a worker that died while writing."""
        left = models.Q(state=Release.State.WRITING, lease_until__lt=Now())
        return self.filter(models.Q(state=Release.State.WAITING) | left)


class Release(models.Model):
    """One moment of the project in a file, with a manifest that says what it is."""

    class State(models.TextChoices):
        WAITING = "waiting"
        WRITING = "writing"
        DONE = "done"
        FAILED = "failed"

    class Format(models.TextChoices):
        JSONL = "jsonl", "JSON Lines"
        CSV = "csv", "CSV"
        PARQUET = "parquet", "Parquet"
        XLSX = "xlsx", "Excel workbook"
        DATASET = "dataset", "Folder for datasets.load_dataset"

    project = models.ForeignKey(Project, models.CASCADE, related_name="releases")
    codebook = models.ForeignKey(Codebook, models.PROTECT, null=True, related_name="+")
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    format = models.CharField(max_length=7, choices=Format)
    options = models.JSONField(default=dict)  # filters, raw cells, names instead of pseudonyms
    manifest = models.JSONField(default=dict)
    path = models.CharField(max_length=500, blank=True)  # inside RELEASE_DIR
    rows_written = models.PositiveIntegerField(default=0)
    bytes = models.PositiveBigIntegerField(default=0)
    error = models.TextField(blank=True)
    lease_until = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True)
    created_at = models.DateTimeField(default=now)
    finished_at = models.DateTimeField(null=True)

    objects = ReleaseQuerySet.as_manager()

    @property
    def is_over(self):
        return self.state in (self.State.DONE, self.State.FAILED)
