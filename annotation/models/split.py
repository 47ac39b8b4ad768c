"""Parts of a project that are kept from changing, so that they can be measured on."""

from django.conf import settings
from django.db import models
from django.utils.timezone import now

from annotation.models.project import Project
from annotation.models.sample import Sample


class LockedSplit(models.Model):
    """A dev or test split that no sample joins or leaves any more."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="locked_splits")
    split = models.CharField(max_length=4, choices=Sample.Split)
    size = models.PositiveIntegerField()
    hash = models.CharField(max_length=64)  # of the samples' ids, as a round's frame has it
    drawn = models.JSONField(default=dict)  # how its samples were chosen: frame, size, seed
    locked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True)
    locked_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint("project", "split", name="split_locked_once")]

    @property
    def by_lot(self):
        """Was it drawn from the pool, so that it speaks for what it was drawn from?"""
        return "frame" in self.drawn
