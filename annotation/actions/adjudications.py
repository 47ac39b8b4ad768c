"""Settling disagreements. Every settlement is a new row; none is written over another unseen."""

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet

from annotation.models import Adjudication, Annotation, Round, RoundItem, User
from synthlab.failpoints import mutated


class SettledMeanwhile(Exception):
    """Someone settled it since the page was shown; `by_now` is what stands."""

    def __init__(self, by_now: Adjudication | None):
        super().__init__()
        self.by_now = by_now


def disagreements(round_: Round) -> QuerySet:
    """The items of the round whose current answers differ, in the order of the draw."""
    answers = Annotation.objects.current()
    # "Some answer has a smaller one beside it" stops at the first item that it finds; grouping
    # would read the whole round before it could say anything.
    other = answers.filter(round_item=OuterRef("round_item"), code__lt=OuterRef("code"))
    differing = answers.filter(Exists(other), round_item=OuterRef("pk"))
    return round_.items.filter(Exists(differing)).order_by("rank", "pk")


def unsettled(round_: Round) -> QuerySet:
    """The disagreements that nobody has settled."""
    settled = Adjudication.objects.filter(round_item=OuterRef("pk"))
    return disagreements(round_).filter(~Exists(settled))


def settle(
    item: RoundItem, adjudicator: User, value: dict, reason: str, over: int | None = None
) -> Adjudication:
    """Settle an item over the adjudication that the page showed; raises SettledMeanwhile.

    The same settlement sent twice by one person is one settlement.
    """
    now_standing = standing(item)
    code = item.round.project.task.code(value)
    if now_standing and _is_repeated(now_standing, adjudicator, code, reason, over):
        return now_standing
    if mutated("settled_unseen") and now_standing:
        over = now_standing.pk
    if (now_standing.pk if now_standing else None) != over:
        raise SettledMeanwhile(now_standing)
    try:
        with transaction.atomic():
            return Adjudication.objects.create(
                project=item.round.project,
                sample=item.sample,
                round_item=item,
                adjudicator=adjudicator,
                codebook=item.round.codebook,
                value=value,
                code=code,
                reason=reason,
                supersedes_id=over,
            )
    except IntegrityError as error:
        raise SettledMeanwhile(standing(item)) from error


def _is_repeated(standing, adjudicator, code, reason, over):
    sent = (adjudicator.pk, code, reason, over)
    stored = (standing.adjudicator_id, standing.code, standing.reason, standing.supersedes_id)
    return stored == sent


def standing(item: RoundItem) -> Adjudication | None:
    """The adjudication that holds now."""
    return item.adjudications.filter(superseded_by=None).select_related("adjudicator").first()
