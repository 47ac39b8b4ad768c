"""A figure of the quality board as a card."""

from functools import partial

from django import template

from annotation.reports.quality import Quality
from annotation.reports.words import MENDABLE, REASONS
from annotation.templatetags.agreement import _bar
from annotation.templatetags.synthlab import number, percent

register = template.Library()


@register.inclusion_tag("components/_figure.html")
def board_figure(quality: Quality) -> dict:
    """A value with its interval and draw, or what is missing; a reason of its own is no gap."""
    figure = quality.figure
    say = percent if quality.share else partial(number, digits=2)
    low, high = figure.interval or (None, None)
    reason = REASONS.get(figure.reason, "")
    return {
        "label": quality.title,
        "value": None if figure.value is None else say(figure.value),
        "low": None if low is None else say(low),
        "high": None if high is None else say(high),
        "bar": _bar(figure),
        "undefined": "" if figure.reason in MENDABLE or quality.missing else reason,
        "missing": quality.missing or reason,
        "provenance": quality.source,
    }
