"""One study, and who takes part in it."""

import secrets

from django.conf import settings
from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext

from annotation import task_types
from annotation.task_types.base import UNSURE


def new_pseudonym():
    """A name for exports that cannot be traced to an account."""
    return "annotator-" + secrets.token_hex(4)


class Project(models.Model):
    """One study: samples, a codebook, and everything people and machines said about them."""

    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    task_type = models.CharField(max_length=40, choices=task_types.choices)
    language = models.CharField(max_length=20, default="en")  # BCP 47 tag of the samples
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True)
    created_at = models.DateTimeField(default=now)
    archived_at = models.DateTimeField(null=True)
    # The routing policy: when a label run ends, what is less sure goes to the open round.
    route_below = models.FloatField(null=True)
    route_overlap = models.PositiveSmallIntegerField(default=1)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(route_below=None)
                | models.Q(route_below__gt=0, route_below__lte=1),
                name="project_route_below_is_a_probability",
            )
        ]

    @property
    def task(self):
        return task_types.TASK_TYPES[self.task_type]

    def edition(self):
        """The newest published edition of the codebook, or None."""
        return self.codebooks.published().order_by("-number").first()

    def label_names(self):
        """The name of every slug that any published edition has, as the newest one says it."""
        editions = self.codebooks.published().exclude(labels=None).order_by("number")
        return dict(editions.values_list("labels__slug", "labels__name"))

    def in_words(self, value, names):
        """A stored value as people read it, with the names that `label_names` gave; "" for None."""
        if value is None:
            return ""
        names = {UNSURE: gettext("unsure"), **names}
        slugs = self.task.slugs(value)
        return ", ".join(names.get(slug, slug) for slug in slugs) or gettext("none of the labels")


class Membership(models.Model):
    """A user's role in one project, and the name that exports show instead of theirs."""

    class Role(models.TextChoices):
        MANAGER = "manager"
        ADJUDICATOR = "adjudicator"
        ANNOTATOR = "annotator"

    project = models.ForeignKey(Project, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role)
    pseudonym = models.CharField(max_length=40, default=new_pseudonym)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint("project", "user", name="membership_once"),
            models.UniqueConstraint("project", "pseudonym", name="pseudonym_once_a_project"),
        ]
