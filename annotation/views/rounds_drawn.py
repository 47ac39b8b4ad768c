"""A round that a manager looks at before people are asked: its page, opening it, taking it back."""

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from annotation.access import MANAGER, admits, round_for
from annotation.actions import rounds
from annotation.forms_monitor import MonitorForm, usual
from annotation.models import Round
from annotation.reports.draws import look
from annotation.reports.monitor_words import OBSTACLES
from annotation.reports.monitors import obstacle
from synthlab.science.selection import STRATEGIES


def drawn_page(request, round_, form=None, status=200):
    """The page of a round in the state `drawn`."""
    context = {
        "project": round_.project,
        "section": "rounds",
        "round": round_,
        "strategy": STRATEGIES[round_.strategy].label,
        "look": look(round_),
        "people": list(round_.seats.select_related("user").order_by("user__username")),
        "form": form or MonitorForm(initial=usual(round_.monitor)),
    }
    return render(request, "annotation/round_drawn.html", context, status=status)


@admits(MANAGER)
@require_POST
def open_drawn(request, round_id):
    """Ask people into a round that a manager has looked at; when it may be judged is settled by
    this."""
    round_ = round_for(request, round_id)
    form = MonitorForm(request.POST)
    monitor = form.monitor() if form.is_valid() else None
    why = obstacle(round_) if monitor else ""
    if why:
        form.add_error("judged", OBSTACLES[why])
    if form.errors and round_.state == Round.State.DRAWN:
        return drawn_page(request, round_, form, status=422)
    rounds.open_drawn(round_, monitor if form["judged"].data else round_.monitor)
    return redirect("annotation:round", round_.pk)


@admits(MANAGER)
@require_POST
def discard(request, round_id):
    """Take a draw back before anybody was asked."""
    round_ = round_for(request, round_id)
    if rounds.discard_drawn(round_):
        messages.info(request, _("The draw was discarded. Nobody has seen it."))
        return redirect("annotation:round_new", round_.project_id)
    messages.error(request, _("People have been asked into this round: close it instead."))
    return redirect("annotation:round", round_.pk)
