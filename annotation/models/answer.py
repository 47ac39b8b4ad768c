"""What people said. Rows are only ever added; a correction supersedes."""

from django.conf import settings
from django.db import models
from django.utils.timezone import now

from annotation.models.codebook import Codebook
from annotation.models.machine import Suggestion
from annotation.models.project import Project
from annotation.models.round import Assignment, RoundItem
from annotation.models.sample import Sample


class AnnotationQuerySet(models.QuerySet):
    def current(self, until=None):
        """What each person says now, or said when the answer of this id was the newest."""
        if until is None:
            return self.filter(superseded_by=None)
        later = Annotation.objects.filter(supersedes=models.OuterRef("pk"), pk__lte=until)
        return self.filter(pk__lte=until).exclude(models.Exists(later))

    def of_round(self, round_, user):
        """What this person says now in a round, the newest first."""
        mine = self.current().filter(annotator=user, round_item__round=round_)
        return mine.order_by("-pk")

    def measuring(self, until=None):
        """Each person's last answer given before they saw a suggestion: only these measure.

        Until the answer of this id, so that figures of a moment can be computed again.
        """
        known = Annotation.objects.filter(**({} if until is None else {"pk__lte": until}))
        later = known.filter(supersedes=models.OuterRef("pk"), blind=True)
        mine = self if until is None else self.filter(pk__lte=until)
        return mine.filter(blind=True).exclude(models.Exists(later))


class Annotation(models.Model):
    """A person's answer to a sample. The database refuses a change."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="annotations")
    sample = models.ForeignKey(Sample, models.PROTECT, related_name="annotations")
    round_item = models.ForeignKey(RoundItem, models.PROTECT, related_name="annotations")
    assignment = models.ForeignKey(
        Assignment, models.PROTECT, null=True, related_name="annotations"
    )  # null: an extra answer, which came when no seat was free
    annotator = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="annotations"
    )
    codebook = models.ForeignKey(Codebook, models.PROTECT, related_name="annotations")
    value = models.JSONField()
    code = models.CharField(max_length=500, blank=True)
    seconds = models.FloatField(null=True)  # active time as the page measured it
    blind = models.BooleanField()  # answered before any suggestion was shown
    suggestion = models.ForeignKey(Suggestion, models.PROTECT, null=True, related_name="+")
    flag = models.BooleanField(default=False)
    comment = models.TextField(blank=True)
    extra = models.BooleanField(default=False)
    late = models.BooleanField(default=False)
    client_key = models.UUIDField()
    supersedes = models.OneToOneField(
        "self", models.PROTECT, null=True, related_name="superseded_by"
    )
    created_at = models.DateTimeField(default=now)

    objects = AnnotationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("annotator", "client_key", name="client_key_once"),
            models.UniqueConstraint(
                fields=["round_item", "annotator"],
                condition=models.Q(supersedes=None),
                name="first_answer_once",
            ),
            models.CheckConstraint(
                condition=models.Q(blind=True, suggestion=None) | models.Q(blind=False),
                name="blind_saw_no_suggestion",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "id"], name="annotation_of_project"),
            models.Index(fields=["annotator", "-id"], name="annotation_history"),
        ]


class AdjudicationQuerySet(models.QuerySet):
    def standing(self, until=None):
        """What is settled now, or was when the row of this id was the newest."""
        if until is None:
            return self.filter(superseded_by=None)
        later = Adjudication.objects.filter(supersedes=models.OuterRef("pk"), pk__lte=until)
        return self.filter(pk__lte=until).exclude(models.Exists(later))


class Adjudication(models.Model):
    """The settled answer to a sample of a round. Settling it again supersedes."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="adjudications")
    sample = models.ForeignKey(Sample, models.PROTECT, related_name="adjudications")
    round_item = models.ForeignKey(RoundItem, models.PROTECT, related_name="adjudications")
    adjudicator = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    codebook = models.ForeignKey(Codebook, models.PROTECT, related_name="adjudications")
    value = models.JSONField()
    code = models.CharField(max_length=500, blank=True)
    reason = models.TextField()
    supersedes = models.OneToOneField(
        "self", models.PROTECT, null=True, related_name="superseded_by"
    )
    created_at = models.DateTimeField(default=now)

    objects = AdjudicationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["round_item"],
                condition=models.Q(supersedes=None),
                name="first_adjudication_once",
            )
        ]
        indexes = [models.Index(fields=["project", "id"], name="adjudication_of_project")]


class CodebookNote(models.Model):
    """What someone noticed about a rule while reading samples; the next draft answers it."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="codebook_notes")
    codebook = models.ForeignKey(Codebook, models.PROTECT, related_name="notes")
    label_slug = models.CharField(max_length=60, blank=True)
    sample = models.ForeignKey(Sample, models.SET_NULL, null=True, related_name="+")
    text = models.TextField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=now)
    closed_at = models.DateTimeField(null=True)
