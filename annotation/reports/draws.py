"""What was drawn, before people are asked: the mix of labels, how many rare ones, the first ten."""

from collections import Counter
from dataclasses import dataclass

from django.db.models import Count, QuerySet

from annotation.models import Round, RoundItem, Sample, Suggestion

FIRST = 10
RARE = 0.05  # of the frame, by the machine's own labels


@dataclass(frozen=True)
class LabelShare:
    """How often the machine gives a label in the frame, and in what was drawn from it."""

    name: str
    frame: int
    drawn: int
    share_of_frame: float
    share_of_drawn: float

    @property
    def rare(self) -> bool:
        return self.share_of_frame < RARE


@dataclass(frozen=True)
class Look:
    """A draw as a manager sees it. No shares where the round has no machine."""

    shares: list[LabelShare]
    rare_in_frame: float
    rare_in_drawn: float
    unlabelled: int  # drawn, though the machine said nothing about them
    first: list[RoundItem]


def look(round_: Round) -> Look:
    """The mix is of the machine's labels: what people will say is not known yet. A sample with
    several labels counts for each; labels below 5 % of the frame are called rare."""
    first = round_.items.select_related("sample").order_by("rank")[:FIRST]
    if round_.machine is None:
        return Look([], 0.0, 0.0, 0, list(first))
    said = Suggestion.objects.filter(machine=round_.machine)
    frame = said.filter(sample__split=Sample.Split.POOL)
    drawn = said.filter(sample__round_items__round=round_)
    in_frame, in_drawn = _counts(frame, round_), _counts(drawn, round_)
    shares = _shares(round_, in_frame, in_drawn)
    rare = [share for share in shares if share.rare]
    return Look(
        shares,
        sum(share.share_of_frame for share in rare),
        sum(share.share_of_drawn for share in rare),
        round_.items.count() - drawn.count(),
        list(first),
    )


def _counts(said: QuerySet[Suggestion], round_: Round) -> Counter[str]:
    """How many samples got each label; a multi-label code holds several."""
    counts: Counter[str] = Counter()
    for code, n in said.order_by().values_list("code").annotate(n=Count("pk")):
        slugs = code.split("|") if round_.project.task.multiple else [code]
        counts.update({slug: n for slug in slugs if slug})
    return counts


def _shares(round_: Round, in_frame: Counter[str], in_drawn: Counter[str]) -> list[LabelShare]:
    all_in_frame, all_in_drawn = max(in_frame.total(), 1), max(in_drawn.total(), 1)
    return [
        LabelShare(
            label.name,
            in_frame[label.slug],
            in_drawn[label.slug],
            in_frame[label.slug] / all_in_frame,
            in_drawn[label.slug] / all_in_drawn,
        )
        for label in round_.codebook.rules().labels
    ]
