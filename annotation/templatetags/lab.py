"""What the codebook lab's pages say."""

from django import template
from django.utils.formats import number_format

from annotation.reports.lab import ALPHA
from synthlab.science.comparison import level_at

register = template.Library()


@register.filter
def level(looks: int) -> str:
    """What each of so many looks is held against: 0.05, shared out evenly."""
    share = level_at(max(looks, 1), ALPHA, max(looks, 1))
    return number_format(round(share, 4), 4).rstrip("0")


@register.filter
def at(counts: dict[str, int], name: str) -> int | None:
    """How many there are by this name; None where nothing is counted by it."""
    return counts.get(name)
