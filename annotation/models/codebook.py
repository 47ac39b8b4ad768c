"""The rules: editions of a codebook and their labels. Published editions never change."""

from django.conf import settings
from django.db import models
from django.utils.timezone import now

from annotation.models.project import Project
from annotation.task_types.base import UNSURE, Example, LabelRule, Rules


class CodebookQuerySet(models.QuerySet):
    def published(self):
        return self.filter(state=Codebook.State.PUBLISHED)

    def drafts(self):
        return self.filter(state=Codebook.State.DRAFT)

    def trials(self):
        return self.filter(state=Codebook.State.TRIAL)


class Codebook(models.Model):
    """One edition of the rules. The database refuses a change once it is published."""

    class State(models.TextChoices):
        DRAFT = "draft"
        PUBLISHED = "published"
        TRIAL = "trial"  # a draft as it was when a machine tried it; its labels never change

    class Change(models.TextChoices):
        FIRST = "first", "First edition"
        WORDING = "wording", "Wording: the same answers are right as before"
        MEANING = "meaning", "Meaning: some answers that were right no longer are"

    class Unsure(models.TextChoices):
        NEVER = "never", "Not offered: choose the closest label"
        OFFERED = "offered", "Offered: “unsure” is an answer of its own"

    project = models.ForeignKey(Project, models.CASCADE, related_name="codebooks")
    number = models.PositiveIntegerField()
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="children")
    state = models.CharField(max_length=9, choices=State, default=State.DRAFT)
    question = models.CharField(max_length=500)
    instructions = models.TextField(blank=True)
    unsure = models.CharField(max_length=7, choices=Unsure, default=Unsure.NEVER)
    unsure_policy = models.TextField(blank=True)
    change = models.CharField(max_length=7, choices=Change, default=Change.FIRST)
    change_note = models.TextField(blank=True)
    # What answers that used a removed label mean now: {"old_slug": "new_slug" or null}.
    removed = models.JSONField(default=dict)
    version = models.PositiveIntegerField(default=0)  # of the draft: refuses a stale save
    created_at = models.DateTimeField(default=now)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True)
    published_at = models.DateTimeField(null=True)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )

    objects = CodebookQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("project", "number", name="codebook_edition_once"),
            models.UniqueConstraint(
                fields=["project"],
                condition=models.Q(state="draft"),
                name="one_draft_a_project",
            ),
        ]

    @property
    def is_published(self):
        return self.state == self.State.PUBLISHED

    @property
    def is_draft(self):
        return self.state == self.State.DRAFT

    @property
    def is_trial(self):
        return self.state == self.State.TRIAL

    def as_tried(self):
        """The newest trial that froze exactly these rules after the same edition, or None."""
        trials = self.project.codebooks.trials().filter(parent=self.parent_id)
        mine = self.rules()
        newest_first = trials.prefetch_related("labels").order_by("-number")
        return next((trial for trial in newest_first if trial.rules() == mine), None)

    def rules(self):
        """The edition as people and models read it. One query unless labels are prefetched."""
        return Rules(
            question=self.question,
            instructions=self.instructions,
            labels=tuple(label.rule() for label in self.labels.all()),
            unsure=self.unsure == self.Unsure.OFFERED,
            unsure_policy=self.unsure_policy,
            language=self.project.language,
        )

    def meanings(self):
        """What removed labels of earlier editions count as here: {edition id: {slug: slug}}.

        None stands for no label; a slug that is not named means itself. One query.
        """
        editions = {edition.pk: edition for edition in self.project.codebooks.published()}
        found, later, edition = {}, {}, self
        while edition.parent_id:
            step = {old: later.get(new, new) for old, new in edition.removed.items()}
            later = {**later, **step}
            found[edition.parent_id] = later
            edition = editions[edition.parent_id]
        return found


class Label(models.Model):
    """One category of an edition. The slug is its identity across editions; the name may change."""

    codebook = models.ForeignKey(Codebook, models.CASCADE, related_name="labels")
    slug = models.SlugField(max_length=60, allow_unicode=True)
    name = models.CharField(max_length=200)
    definition = models.TextField(blank=True)
    include = models.TextField(blank=True)
    exclude = models.TextField(blank=True)
    examples = models.JSONField(default=list)  # [{"text", "why", "near_miss"}]
    key = models.CharField(max_length=1, blank=True)
    number = models.FloatField(null=True, blank=True)  # the point on the scale, for ratings
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint("codebook", "slug", name="label_slug_once"),
            models.UniqueConstraint(
                fields=["codebook", "key"],
                condition=~models.Q(key=""),
                name="label_key_once",
            ),
            models.CheckConstraint(condition=~models.Q(slug=UNSURE), name="label_is_not_unsure"),
        ]

    def rule(self):
        return LabelRule(
            slug=self.slug,
            name=self.name,
            definition=self.definition,
            include=self.include,
            exclude=self.exclude,
            examples=tuple(Example(**example) for example in self.examples),
            key=self.key,
            number=self.number,
        )
