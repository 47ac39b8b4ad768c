"""What the test says about a machine in people's place, and the round that would make it say so."""

from django.urls import reverse
from django.utils.formats import number_format
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.arrays_codes import Scope
from annotation.models import Membership, Round
from annotation.reports.overview import Step
from annotation.reports.replacing import PEOPLE, Replacing
from annotation.reports.words import REASONS, per_cent

EFFORTS = {
    "crowd": gettext_lazy("crowd workers"),
    "skilled": gettext_lazy("skilled annotators"),
    "expert": gettext_lazy("experts"),
}
LEAST_ROUND = 60  # samples; what each person should have is half as many
SHARE_OF_ROUND = 15  # more for each person, among whom the seats are shared


def said(found: Replacing | None, scope: Scope) -> dict:
    """What the section of the page needs beside the figures."""
    if found is None:
        return {}
    return {
        "efforts": EFFORTS,
        "replace_verdict": "" if found.reason else verdict(found),
        "replace_step": next_round(found, scope) if found.reason else None,
    }


def verdict(found: Replacing) -> str:
    """Does it pass, and by how much?"""
    low, high = found.advantage.interval or (0.0, 1.0)
    numbers = {
        "lost": number_format(found.lost),
        "held": number_format(len(found.held)),
        "rate": number_format(round(found.winning_rate or 0.0, 2), 2),
        "advantage": per_cent(found.advantage.value or 0.0, 1),
        "low": per_cent(low, 1),
        "high": per_cent(high, 1),
    }
    if found.passes:
        text = _(
            "It passes: the machine wins against %(lost)s of %(held)s people (winning rate"
            " %(rate)s, 0.5 is needed). It agrees with the others at least as well as a person in"
            " %(advantage)s (%(low)s to %(high)s) of the samples."
        )
    else:
        text = _(
            "It does not pass: the machine wins against %(lost)s of %(held)s people (winning rate"
            " %(rate)s, 0.5 is needed). It agrees with the others at least as well as a person in"
            " %(advantage)s (%(low)s to %(high)s) of the samples."
        )
    return text % numbers


def next_round(found: Replacing, scope: Scope) -> Step:
    """A uniform round in which each sample goes to three people."""
    roles = (Membership.Role.ANNOTATOR, Membership.Role.ADJUDICATOR)
    people = scope.project.memberships.filter(role__in=roles).count()
    wish = {
        "strategy": "uniform",
        "budget": max(LEAST_ROUND, SHARE_OF_ROUND * people),
        "overlap": PEOPLE,
        "purpose": Round.Purpose.AUDIT,
        "machine": scope.machine.pk if scope.machine else "",
    }
    address = reverse("annotation:round_new", args=[scope.project.pk])
    why = str(REASONS.get(found.reason, found.reason))
    words = _(
        "Not measurable yet: %(why)s. It takes samples drawn by lot that three people answer"
        " blind, at least 30 for each of them."
    )
    button = _("Draw a round by lot for three people a sample")
    return Step(words % {"why": why}, button, f"{address}?{urlencode(wish)}")
