"""What the pages of rounds say about their design."""

from django import template

from annotation.models import Round
from synthlab.science.selection import STRATEGIES
from synthlab.science.selection.options import in_words

register = template.Library()


@register.filter
def strategy_options(round_: Round) -> list[tuple[str, str]]:
    """The options of its strategy as pairs of label and value; none where it has none."""
    if round_.strategy not in STRATEGIES:  # routed
        return []
    return in_words(STRATEGIES[round_.strategy], round_.parameters.get("options", {}))
