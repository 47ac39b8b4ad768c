"""What is to be labelled, and the imports that brought it."""

import json

from django.conf import settings
from django.db import models
from django.utils.timezone import now

from annotation.models.project import Project


class OrderedJSONField(models.JSONField):
    """JSON whose keys stay in their order; PostgreSQL's `jsonb`, the usual type, sorts them."""

    def db_type(self, connection):
        return "json" if connection.vendor == "postgresql" else super().db_type(connection)

    def get_db_prep_value(self, value, connection, prepared=False):
        return json.dumps(value, cls=self.encoder)

    def from_db_value(self, value, expression, connection):
        return json.loads(value) if isinstance(value, str) else value


class SampleImport(models.Model):
    """One file on its way in. Its samples are visible only once it is done."""

    class State(models.TextChoices):
        UPLOADED = "uploaded"  # a preview and a mapping are shown
        STAGING = "staging"  # a child process reads the file
        STAGED = "staged"  # the report is shown; nothing is imported yet
        WRITING = "writing"  # rows are written, still invisible
        DONE = "done"
        FAILED = "failed"  # nothing was imported
        DISCARDED = "discarded"

    project = models.ForeignKey(Project, models.CASCADE, related_name="imports")
    state = models.CharField(max_length=9, choices=State, default=State.UPLOADED)
    file_name = models.CharField(max_length=300)
    path = models.CharField(max_length=500, blank=True)  # inside UPLOAD_DIR
    file_hash = models.CharField(max_length=64, blank=True)
    options = models.JSONField(default=dict)  # how it is read: format, encoding, delimiter ...
    mapping = models.JSONField(default=dict)
    preview = models.JSONField(default=dict)
    report = models.JSONField(default=dict)  # what a person decides by, once it is staged
    keep_duplicates = models.BooleanField(default=False)
    # Rows whose reference label is in no codebook come without it; otherwise they are refused.
    without_unknown = models.BooleanField(default=False)
    rows_read = models.PositiveIntegerField(default=0)
    rows_good = models.PositiveIntegerField(default=0)
    rows_refused = models.PositiveIntegerField(default=0)
    duplicates_in_file = models.PositiveIntegerField(default=0)
    duplicates_in_project = models.PositiveIntegerField(default=0)
    rows_written = models.PositiveIntegerField(default=0)
    position = models.PositiveBigIntegerField(default=0)  # bytes of the staged rows that are done
    error = models.TextField(blank=True)
    # Whoever works on it holds a lease; a dead worker's import is taken up again.
    lease_until = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0)  # claims since it last came forward
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True)
    created_at = models.DateTimeField(default=now)
    finished_at = models.DateTimeField(null=True)

    @property
    def rows_skipped(self):
        """Duplicates that were left out, once it is done."""
        return self.rows_read - self.rows_refused - self.rows_written


class RefusedRow(models.Model):
    """A row that could not be imported, and why."""

    sample_import = models.ForeignKey(SampleImport, models.CASCADE, related_name="refused")
    row_number = models.PositiveIntegerField()
    reason = models.CharField(max_length=500)
    excerpt = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["row_number", "pk"]


class SampleQuerySet(models.QuerySet):
    def visible(self):
        """Without the rows of imports that are still being written or were given up."""
        done = SampleImport.objects.filter(state=SampleImport.State.DONE)
        return self.filter(models.Q(sample_import=None) | models.Q(sample_import__in=done))


class Sample(models.Model):
    """One thing to be labelled: named fields, the text they make, and what is known of it."""

    class Origin(models.TextChoices):
        IMPORTED = "imported"
        GENERATED = "generated"

    class Split(models.TextChoices):
        POOL = "pool"
        DEV = "dev"
        TEST = "test"

    project = models.ForeignKey(Project, models.CASCADE, related_name="samples")
    sample_import = models.ForeignKey(
        SampleImport, models.CASCADE, null=True, related_name="samples"
    )
    external_id = models.CharField(max_length=300, blank=True)
    fields = OrderedJSONField()  # {"text": ...} or several, in the order they are shown
    text = models.TextField()  # the fields joined, for lists and search
    meta = models.JSONField(default=dict)
    content_hash = models.CharField(max_length=64)
    origin = models.CharField(max_length=9, choices=Origin, default=Origin.IMPORTED)
    split = models.CharField(max_length=4, choices=Split, default=Split.POOL)
    reference = models.JSONField(null=True)  # a value of the task type
    reference_code = models.CharField(max_length=500, null=True)  # noqa: DJ001 - "" is an answer
    created_at = models.DateTimeField(default=now)

    objects = SampleQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["project", "id"], name="sample_of_project"),
            models.Index(fields=["project", "content_hash"], name="sample_by_content"),
            models.Index(fields=["project", "external_id"], name="sample_by_external_id"),
        ]
