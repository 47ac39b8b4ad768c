"""What the review page shows: rows turned into what its templates print."""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import islice
from uuid import UUID

from django.db.models import Max
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.actions.review import client_key, suggestion_for
from annotation.models import (
    Annotation,
    Assignment,
    Codebook,
    Round,
    RoundAnnotator,
    RoundItem,
    Sample,
    Suggestion,
)
from annotation.task_types.base import UNSURE, LabelRule, Rules
from annotation.task_types.changes import Changes, compare

LAST = 10
SNIPPET = 90
CONTEXT = re.compile(r"(^|[\W_])(context|before|after|pre|post|previous|following|next)([\W_]|$)")
# Never a label's name.
WHY = {
    "audit": gettext_lazy("random check"),
    "uniform": gettext_lazy("drawn at random"),
    "least_confidence": gettext_lazy("the model was unsure"),
    "max_entropy": gettext_lazy("the model was unsure"),
    "margin": gettext_lazy("the model wavered"),
    "co_annotating": gettext_lazy("the model contradicted itself"),
    "stratified": gettext_lazy("drawn at random"),
    "confidence_threshold": gettext_lazy("the model was unsure"),
    "relabel": gettext_lazy("a rule has changed its meaning"),
}


@dataclass(frozen=True)
class Choice:
    """One label as a row: with the key that chooses it."""

    rule: LabelRule
    key: str
    chosen: bool


@dataclass(frozen=True)
class Field:
    name: str
    text: str
    is_context: bool


@dataclass(frozen=True)
class Opinion:
    """What the model said, as it is shown: beside the labels, or after the blind answer."""

    annotation: Annotation | None
    names: str
    slugs: list[str]
    mine: list[str]
    my_names: str
    confidence: float | None
    bars: list[tuple[str, float]]
    rationale: str
    same: bool
    key: UUID | None  # of keeping or changing; None once that is decided

    @property
    def decided(self) -> bool:
        return self.annotation is not None and not self.annotation.blind


@dataclass(frozen=True)
class Screen:
    """One sample, ready to be answered, or to be answered differently."""

    round: Round
    item: RoundItem
    sample: Sample
    url: str
    key: UUID
    version: int
    assignment: Assignment | None
    annotation: Annotation | None
    slugs: list[str]
    opinion: Opinion | None

    @property
    def lease_until(self) -> datetime | None:
        return None if self.annotation else self.assignment.lease_until

    @property
    def can_skip(self) -> bool:
        return self.annotation is None and self.assignment.state == Assignment.State.LEASED

    @property
    def why(self) -> str:
        """Why this sample was drawn; "" before a blind answer, for "the model was unsure" is
        something that the machine said, and it would sway the answer."""
        if self.round.blind and self.annotation is None:
            return ""
        known = WHY.get(self.item.stratum) or WHY.get(self.round.strategy)
        return known or _("drawn by %(name)s") % {"name": self.round.strategy}

    @property
    def fields(self) -> list[Field]:
        return [
            Field(name.replace("_", " "), str(text), bool(CONTEXT.search(name.lower())))
            for name, text in self.sample.fields.items()
            if str(text).strip()
        ]


@dataclass(frozen=True)
class Decision:
    """One of my last ten decisions; its address opens it again."""

    id: int
    names: str
    text: str
    url: str
    skipped: bool = False
    differs: bool = False
    extra: bool = False


@lru_cache(maxsize=64)
def _rules(codebook_id, published_at):
    return Codebook.objects.select_related("project").get(pk=codebook_id).rules()


def rules_of(codebook: Codebook) -> Rules:
    """The rules of a published edition. It never changes, so a process reads it only once."""
    return _rules(codebook.pk, codebook.published_at)


def names(slugs: list[str], rules: Rules) -> str:
    """Labels as people read them."""
    if not slugs:
        return _("none of the labels")
    return ", ".join(_("unsure") if slug == UNSURE else rules.label(slug).name for slug in slugs)


def choices(rules: Rules, chosen: list[str]) -> list[Choice]:
    return [Choice(label, label.key, label.slug in chosen) for label in rules.labels]


def unsure_key(rules: Rules) -> str:
    """The key of "unsure": 0, or - where a label has 0; none where labels have both."""
    taken = {label.key for label in rules.labels}
    return next((key for key in "0-" if key not in taken), "")


def screens(round_: Round, held: list[Assignment]) -> list[Screen]:
    """The sample to answer now, and the one fetched ahead."""
    said = {}
    if not round_.blind and round_.machine_id:
        samples = [assignment.round_item.sample_id for assignment in held]
        found = Suggestion.objects.filter(machine=round_.machine_id, sample__in=samples)
        said = {suggestion.sample_id: suggestion for suggestion in found}
    return [
        seat_screen(round_, assignment, said.get(assignment.round_item.sample_id))
        for assignment in held
    ]


def seat_screen(round_, assignment, suggestion=None) -> Screen:
    """A seat that is to be answered: leased, or skipped and opened again."""
    user, pk, version = assignment.annotator_id, assignment.pk, assignment.version
    return Screen(
        round=round_,
        item=assignment.round_item,
        sample=assignment.round_item.sample,
        url=reverse("annotation:answer", args=[pk]),
        key=client_key(user, "assignment", pk, version),
        version=version,
        assignment=assignment,
        annotation=None,
        slugs=[],
        opinion=suggestion and opinion(round_, suggestion),
    )


def again_screen(round_: Round, annotation: Annotation) -> Screen:
    """An answer opened again; what the model said shows, for it was shown before."""
    slugs = round_.project.task.slugs(annotation.value)
    return Screen(
        round=round_,
        item=annotation.round_item,
        sample=annotation.sample,
        url=reverse("annotation:revise", args=[annotation.pk]),
        key=client_key(annotation.annotator_id, "annotation", annotation.pk),
        version=0,
        assignment=annotation.assignment,
        annotation=annotation,
        slugs=slugs,
        opinion=reveal(round_, annotation),
    )


def reveal(round_: Round, annotation: Annotation) -> Opinion | None:
    """What the model said about an answered sample, and whether it is the same."""
    suggestion = suggestion_for(round_, annotation.sample_id)
    return suggestion and opinion(round_, suggestion, annotation)


def opinion(round_, suggestion, annotation=None) -> Opinion:
    rules, task = rules_of(round_.codebook), round_.project.task
    known = set(rules.slugs)
    slugs = [slug for slug in task.slugs(suggestion.value) if slug in known or slug == UNSURE]
    mine = task.slugs(annotation.value) if annotation else []
    bars = sorted(suggestion.probabilities.items(), key=lambda pair: -pair[1])
    decided = annotation is None or not annotation.blind
    return Opinion(
        annotation=annotation,
        names=names(slugs, rules),
        slugs=slugs,
        mine=mine,
        my_names=names(mine, rules),
        confidence=suggestion.confidence,
        bars=[(rules.label(slug).name, p) for slug, p in bars if slug in known],
        rationale=suggestion.rationale,
        same=annotation is not None and annotation.code == suggestion.code,
        key=None if decided else client_key(annotation.annotator_id, "annotation", annotation.pk),
    )


def decision(round_: Round, annotation: Annotation, differs: bool = False) -> Decision:
    slugs = round_.project.task.slugs(annotation.value)
    page = reverse("annotation:review", args=[round_.pk])
    return Decision(
        id=annotation.round_item_id,
        names=names(slugs, rules_of(round_.codebook)),
        text=annotation.sample.text[:SNIPPET],
        url=f"{page}?annotation={annotation.pk}",
        differs=differs,
        extra=annotation.extra,
    )


def skipped(round_: Round, assignment: Assignment) -> Decision:
    page = reverse("annotation:review", args=[round_.pk])
    return Decision(
        id=assignment.round_item_id,
        names=_("skipped"),
        text=assignment.round_item.sample.text[:SNIPPET],
        url=f"{page}?assignment={assignment.pk}",
        skipped=True,
    )


def last_decisions(round_: Round, user) -> list[Decision]:
    """What I did last, the newest first."""
    answers = list(Annotation.objects.of_round(round_, user).select_related("sample")[:LAST])
    skips = Assignment.objects.skipped_by(round_, user).select_related("round_item__sample")
    codes = {}
    if round_.machine_id:
        samples = [answer.sample_id for answer in answers]
        said = Suggestion.objects.filter(machine=round_.machine_id, sample__in=samples)
        codes = dict(said.values_list("sample", "code"))
    done = [
        (answer.created_at, decision(round_, answer, _differs(answer, codes))) for answer in answers
    ]
    done += [(seat.closed_at, skipped(round_, seat)) for seat in skips[:LAST]]
    newest = sorted(done, key=lambda pair: pair[0], reverse=True)
    return [one for at, one in islice(newest, LAST)]


def _differs(answer, codes):
    return codes.get(answer.sample_id, answer.code) != answer.code


def rule_changes(place: RoundAnnotator) -> tuple[Codebook, Changes] | None:
    """The edition this person worked by last, and what changed since; None if nothing did."""
    if place.seen_codebook_id:
        return None
    seen = RoundAnnotator.objects.filter(
        user=place.user_id, round__project=place.round.project_id, seen_codebook__isnull=False
    ).select_related("seen_codebook")
    last = seen.order_by("-seen_codebook__number").first()
    if last is None or last.seen_codebook_id == place.round.codebook_id:
        return None
    old = last.seen_codebook
    changes = compare(rules_of(old), rules_of(place.round.codebook))
    return (old, changes) if changes else None


def size(round_: Round) -> int:
    """How many samples the round holds, without counting them: ranks are dense."""
    last = round_.items.aggregate(last=Max("rank"))["last"]
    return 0 if last is None else last + 1
