"""What a round's monitor says, in whole sentences, and the next step where it cannot say any."""

from django.urls import reverse
from django.utils.formats import number_format
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from annotation.models import Round
from annotation.reports import monitors
from annotation.reports.monitors import Monitoring
from annotation.reports.overview import Step
from annotation.reports.words import per_cent

OBSTACLES = {
    monitors.NO_MACHINE: gettext_lazy(
        "A monitor asks how many of a machine's labels people agree with, and this round has no"
        " machine."
    ),
    monitors.NOT_BLIND: gettext_lazy(
        "People see the machine's label before they answer. Such answers measure nothing."
    ),
    monitors.NOT_BY_LOT: gettext_lazy(
        "No sample of this round was drawn by lot. What was chosen cannot say how the rest would"
        " fare."
    ),
    monitors.UNEVEN: gettext_lazy(
        "The samples had different chances of being drawn. The monitor needs equal ones: a uniform"
        " round, or an audit part."
    ),
}


def next_round(round_: Round) -> Step:
    """The design that a monitor can go by, for what this one lacks."""
    wish = {"strategy": "uniform", "purpose": Round.Purpose.AUDIT, "judged": "anytime"}
    wish |= {"machine": round_.machine_id} if round_.machine_id else {}
    address = reverse("annotation:round_new", args=[round_.project_id])
    words = str(OBSTACLES[monitors.obstacle(round_)])
    return Step(words, _("Draw a round by lot"), f"{address}?{urlencode(wish)}")


def verdict(found: Monitoring) -> str:
    """Is it decided, and on what?"""
    if found.found is None:
        return _("The first sample that was drawn by lot has no answer yet.")
    last = found.last
    numbers = {
        "target": per_cent(found.target, 1),
        "n": number_format(found.found.declared_at or last.n, force_grouping=True),
        "risk": per_cent(found.alpha, 1),
        "high": per_cent(last.high, 1),
    }
    if found.decision == monitors.ABOVE:
        text = _(
            "Reached: more than %(target)s of the machine's labels are what people say. That was"
            " decided after %(n)s samples and stands, whatever comes; the risk that it is wrong is"
            " at most %(risk)s."
        )
    elif found.decision == monitors.BELOW:
        text = _(
            "Missed: at most %(high)s of the machine's labels are what people say, and the target"
            " is %(target)s. The risk that this is wrong is at most %(risk)s."
        )
    else:
        text = _(
            "Not decided after %(n)s samples: neither above nor below the target of %(target)s."
            " More answers may decide it, and looking costs nothing."
        )
    return text % numbers


def waits(found: Monitoring) -> str:
    """What was answered out of turn."""
    if not found.beyond:
        return ""
    text = ngettext(
        "%(n)s sample further on is answered. It counts when everything before it is: the order in"
        " which answers come depends on how hard samples are, and only the order of the lot does"
        " not.",
        "%(n)s samples further on are answered. They count when everything before them is: the"
        " order in which answers come depends on how hard samples are, and only the order of the"
        " lot does not.",
        found.beyond,
    )
    return text % {"n": number_format(found.beyond, force_grouping=True)}
