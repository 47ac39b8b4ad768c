"""Vectors of texts, bought from a model: what was ordered, and which call holds which."""

from django.db import models
from django.utils.timezone import now

from annotation.models import Project
from generation.models.ledger import Call
from generation.models.run import Run


class Embedding(models.Model):
    """What a run of kind `embed` buys. Whoever works on it holds the lease."""

    run = models.OneToOneField(Run, models.CASCADE, related_name="embedding")
    source = models.CharField(max_length=40)  # endpoint, model and cut; names the table, too
    longest = models.PositiveIntegerField()  # characters of a text that are sent
    dimensions = models.PositiveIntegerField(null=True)  # of the vectors, once one has come
    lease_until = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=now)


class TextVector(models.Model):
    """The vector of a text is at this place of a call's reply. Written with the intent."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    source = models.CharField(max_length=40)
    content_hash = models.CharField(max_length=64)
    call = models.ForeignKey(Call, models.CASCADE, related_name="vectors")
    place = models.PositiveSmallIntegerField()
    valid = models.BooleanField(null=True)  # null: its reply is not read yet

    class Meta:
        constraints = [models.UniqueConstraint("call", "place", name="vector_once_a_place")]
        indexes = [
            models.Index(
                fields=["project", "source", "content_hash", "valid"], name="vector_of_text"
            )
        ]
