"""Review rounds: what was drawn, with which probability, and who holds which seat."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.timezone import now

from annotation.models.codebook import Codebook
from annotation.models.machine import MachineAnnotator, Suggestion
from annotation.models.project import Project
from annotation.models.sample import Sample


class RoundQuerySet(models.QuerySet):
    def open(self):
        return self.filter(state=Round.State.OPEN)

    def written(self):
        """Those whose items are all there: not being drawn, and not given up after a look."""
        return self.exclude(state__in=[Round.State.DRAWING, Round.State.DROPPED])

    def begun(self):
        """Rounds that people were asked into: written, and opened at some time."""
        return self.filter(state__in=Round.BEGUN)

    def of_annotator(self, user):
        return self.filter(seats__user=user)

    def waiting_for(self, user):
        """Open rounds with a seat that the user holds or may take; `mine_done` counts answers."""
        seats = Assignment.objects.filter(round=models.OuterRef("pk"))
        mine = Assignment.objects.filter(round_item=models.OuterRef("round_item"), annotator=user)
        lapsed = models.Q(state=Assignment.State.LEASED, lease_until__lt=Now())
        free = seats.filter(models.Q(state=Assignment.State.OPEN) | lapsed)
        free = free.filter(~models.Exists(mine))
        return (
            self.open()
            .of_annotator(user)
            .filter(project__memberships__user=user, project__archived_at=None)
            .filter(models.Exists(seats.held_by(user)) | models.Exists(free))
            .annotate(mine_done=models.F("seats__done"))
        )


class Round(models.Model):
    """Samples drawn at one time by one strategy, with everything needed to draw them again."""

    class Purpose(models.TextChoices):
        PILOT = "pilot"
        REVIEW = "review"
        AUDIT = "audit"

    class State(models.TextChoices):
        DRAWING = "drawing"  # rows are being written; nobody sees it
        DRAWN = "drawn"  # written; a manager looks at it before people are asked
        OPEN = "open"
        CLOSED = "closed"
        DROPPED = "dropped"  # drawn, looked at and given up: only this row is left

    BEGUN = (State.OPEN, State.CLOSED)

    project = models.ForeignKey(Project, models.CASCADE, related_name="rounds")
    name = models.CharField(max_length=200)
    purpose = models.CharField(max_length=6, choices=Purpose, default=Purpose.REVIEW)
    state = models.CharField(max_length=7, choices=State, default=State.DRAWING)
    codebook = models.ForeignKey(Codebook, models.PROTECT, related_name="rounds")
    machine = models.ForeignKey(MachineAnnotator, models.PROTECT, null=True, related_name="rounds")
    strategy = models.CharField(max_length=40)  # a name in synthlab.science.selection
    parameters = models.JSONField(default=dict)  # budget, audit share, filter, options
    seed = models.BigIntegerField()
    frame = models.JSONField(default=dict)  # {"filter", "size", "hash"}
    overlap = models.PositiveSmallIntegerField(default=1)
    blind = models.BooleanField(default=True)
    routed = models.BooleanField(default=False)  # opened by the project's routing policy
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True)
    created_at = models.DateTimeField(default=now)
    closed_at = models.DateTimeField(null=True)
    # A draw asked for twice is one draw; one whose writer died is begun again after the lease.
    draw_key = models.UUIDField(null=True)
    drawing_until = models.DateTimeField(null=True)
    # When it may be judged: null is at its end, with all that was drawn; else at any time against
    # one question asked beforehand: {"target", "alpha"}.
    monitor = models.JSONField(null=True)

    objects = RoundQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(overlap__gte=1), name="overlap_at_least_one"),
            # With a condition: SQLite then adds an index, where it else would rebuild the table.
            models.UniqueConstraint(
                fields=["project", "draw_key"],
                condition=models.Q(draw_key__isnull=False),
                name="draw_once",
            ),
            models.UniqueConstraint(
                fields=["machine"],
                condition=models.Q(routed=True, state="open"),
                name="one_open_routed_round_a_machine",
            ),
        ]


class RoundRanking(models.Model):
    """Once the order of a round's open seats was changed by what its answers taught."""

    round = models.ForeignKey(Round, models.CASCADE, related_name="rankings")
    answers = models.PositiveIntegerField()  # given in the round when it was computed
    learned = models.JSONField()  # from how many answers in all, the newest, which score won
    moved = models.PositiveIntegerField()  # seats that changed their place
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint("round", "answers", name="ranked_once")]


class RoundAnnotator(models.Model):
    """Someone asked to work in a round. The counters change with the answers they count."""

    round = models.ForeignKey(Round, models.CASCADE, related_name="seats")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    done = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    # The newest edition this person was shown the changes of.
    seen_codebook = models.ForeignKey(Codebook, models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint("round", "user", name="round_annotator_once")]


class RoundItem(models.Model):
    """A sample in a round. `inclusion` null: not drawn with a known probability."""

    round = models.ForeignKey(Round, models.CASCADE, related_name="items")
    sample = models.ForeignKey(Sample, models.PROTECT, related_name="round_items")
    rank = models.PositiveIntegerField()
    score = models.FloatField(null=True)
    stratum = models.CharField(max_length=40)  # the audit, a stratum, or the strategy's name
    inclusion = models.FloatField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("round", "sample", name="round_item_once"),
            models.CheckConstraint(
                condition=models.Q(inclusion=None) | models.Q(inclusion__gt=0, inclusion__lte=1),
                name="inclusion_is_a_probability",
            ),
        ]
        indexes = [models.Index(fields=["round", "rank"], name="round_item_by_rank")]


class AssignmentQuerySet(models.QuerySet):
    def open(self):
        return self.filter(state=Assignment.State.OPEN)

    def held_by(self, user):
        return self.filter(annotator=user, state=Assignment.State.LEASED)

    def with_suggestion(self):
        """Each with `suggestion_id`: what the round's machine annotator said about the sample."""
        said = Suggestion.objects.filter(
            machine=models.OuterRef("round__machine"), sample=models.OuterRef("round_item__sample")
        )
        return self.annotate(suggestion_id=models.Subquery(said.values("pk")[:1]))

    def skipped_by(self, round_, user):
        """What this person skipped in a round and left so, the newest first."""
        skipped = self.filter(round=round_, annotator=user, state=Assignment.State.SKIPPED)
        return skipped.order_by("-closed_at")

    def reopen(self):
        """Give seats back to the queue; the new version keeps their old holders from writing."""
        return self.update(
            state=Assignment.State.OPEN,
            annotator=None,
            lease_until=None,
            leased_at=None,
            version=models.F("version") + 1,
        )

    def counts(self):
        """How many seats of each round are in each state, by one query: {(round, state): n}."""
        grouped = self.order_by().values("round", "state").annotate(n=models.Count("pk"))
        return {(row["round"], row["state"]): row["n"] for row in grouped}


class Assignment(models.Model):
    """One seat at a round item: one row for each answer that was asked for."""

    class State(models.TextChoices):
        OPEN = "open"
        LEASED = "leased"
        DONE = "done"
        SKIPPED = "skipped"

    class SkipReason(models.TextChoices):
        UNCLEAR_RULE = "unclear_rule", "The rule is unclear"
        BAD_TEXT = "bad_text", "The text is broken or empty"
        LANGUAGE = "language", "I do not read this language"
        OTHER = "other", "Something else"

    round = models.ForeignKey(Round, models.CASCADE, related_name="assignments")
    round_item = models.ForeignKey(RoundItem, models.CASCADE, related_name="assignments")
    seat = models.PositiveSmallIntegerField()  # 1 .. overlap
    priority = models.IntegerField()  # lower is sooner; starts as the item's rank
    state = models.CharField(max_length=7, choices=State, default=State.OPEN)
    annotator = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="assignments"
    )
    lease_until = models.DateTimeField(null=True)
    leased_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=0)  # every claim and release adds one
    skip_reason = models.CharField(max_length=12, choices=SkipReason, blank=True)
    skip_note = models.CharField(max_length=500, blank=True)
    closed_at = models.DateTimeField(null=True)

    objects = AssignmentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("round_item", "seat", name="seat_once"),
            models.UniqueConstraint(
                fields=["round_item", "annotator"],
                condition=models.Q(annotator__isnull=False),
                name="annotator_once_an_item",
            ),
            models.CheckConstraint(
                condition=models.Q(state="open", annotator=None)
                | (~models.Q(state="open") & models.Q(annotator__isnull=False)),
                name="open_seats_are_empty",
            ),
        ]
        indexes = [
            models.Index(fields=["round", "state", "priority", "id"], name="assignment_queue"),
            models.Index(
                fields=["lease_until"],
                condition=models.Q(state="leased"),
                name="assignment_leases",
            ),
            models.Index(fields=["annotator", "round", "-closed_at"], name="assignment_history"),
        ]
