"""Vectors of a project's samples, computed once and kept in a file."""

from django.db import models
from django.utils.timezone import now

from annotation.models.project import Project


class FeatureTable(models.Model):
    """Where the vectors of all samples of a project lie, and of which texts they are.

    The rows may be computed again at any time: the newest table of a source stands for it.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="feature_tables")
    source = models.CharField(max_length=40)  # how they were made, with its version
    hash = models.CharField(max_length=64)  # of the samples' ids and contents
    size = models.PositiveIntegerField()
    dimensions = models.PositiveIntegerField()
    path = models.CharField(max_length=100)  # inside FEATURE_DIR
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint("project", "source", "hash", name="features_once"),
        ]
