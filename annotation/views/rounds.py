"""Rounds: /projects/<id>/rounds/, .../rounds/new/, /rounds/<id>/ and what is done on it."""

from django.contrib import messages
from django.db.models import Max
from django.db.models.functions import Coalesce
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation.access import (
    ADJUDICATOR,
    ANNOTATOR,
    MANAGER,
    MEMBER,
    admits,
    project_for,
    round_for,
    seat_for,
)
from annotation.actions import draws, rounds
from annotation.arrays_stale import RELABEL
from annotation.filters import SampleFilter
from annotation.forms_rounds import AnnotatorsForm, PolicyForm, RoundForm
from annotation.forms_samples import in_words
from annotation.keyset import Order, page
from annotation.models import Assignment, Round
from annotation.reports import monitor_charts, monitor_words
from annotation.reports.monitors import Monitoring, monitoring
from annotation.reports.plans import plans
from annotation.views.rounds_drawn import drawn_page
from synthlab.science.cards import card
from synthlab.science.selection import STRATEGIES

NEWEST = Order((("pk", int),), descending=True)
OLDEST = Order((("pk", int),))
ROUNDS_A_PAGE = 25
RANKINGS = 20
DROPPED = 20


@admits(*MEMBER)
@require_safe
def project_rounds(request, project_id):
    """Every round with its progress; annotators see those that they were asked into."""
    project = project_for(request, project_id)
    return _rounds_page(request, project, PolicyForm(project))


def _rounds_page(request, project, policy, status=200):
    found = project.rounds.written().select_related("codebook", "machine")
    if request.role != MANAGER:
        found = found.begun()
    if request.role == ANNOTATOR:
        found = found.of_annotator(request.user)
    shown = page(found, NEWEST, request.GET.get("after"), request.GET.get("before"), ROUNDS_A_PAGE)
    _count_seats(shown.rows)
    context = {
        "project": project,
        "section": "rounds",
        "page": shown,
        "policy": policy if request.role == MANAGER else None,
        "may_see": request.role != ANNOTATOR,
        "mine": set(Round.objects.waiting_for(request.user).values_list("pk", flat=True)),
        "drawing": _drawing(project) if request.role == MANAGER else [],
        "dropped": _dropped(project) if request.role == MANAGER else [],
        "edition": project.edition(),
    }
    return render(request, "annotation/rounds.html", context, status=status)


def _dropped(project):
    """Draws that someone looked at and gave up, the newest first: a reader of the others asks."""
    dropped = project.rounds.filter(state=Round.State.DROPPED).select_related("created_by")
    return list(dropped.order_by("-pk")[:DROPPED])


def _drawing(project):
    """Rounds that the worker has yet to write, with how far it is."""
    waiting = project.rounds.filter(state=Round.State.DRAWING).order_by("pk")
    return list(waiting.annotate(written=Coalesce(Max("items__rank") + 1, 0)))


def _count_seats(found):
    """Put the numbers of seats on each round, by one query for all."""
    counts = Assignment.objects.filter(round__in=found).counts()
    for round_ in found:
        for state in Assignment.State.values:
            setattr(round_, state, counts.get((round_.pk, state), 0))
        round_.total = round_.open + round_.leased + round_.done


@admits(MANAGER)
@require_POST
def policy(request, project_id):
    """Set what label runs route by; at once for one machine, if asked."""
    project = project_for(request, project_id)
    form = PolicyForm(project, request.POST)
    if not form.is_valid():
        return _rounds_page(request, project, form, status=422)
    rounds.set_policy(project, form.cleaned_data["route_below"], form.cleaned_data["route_overlap"])
    messages.success(request, _("The routing policy is saved."))
    if machine := form.cleaned_data["machine"]:
        seats = rounds.route_low_confidence(machine)
        said = ngettext("%(n)d seat was added.", "%(n)d seats were added.", seats)
        messages.info(request, said % {"n": seats})
    return redirect("annotation:rounds", project.pk)


@admits(MANAGER)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request, project_id):
    """Design a round and draw it. A link may fill in part of the design."""
    project = project_for(request, project_id)
    form = RoundForm(project, request.POST or None, request.GET)
    if request.method == "POST" and form.is_valid():
        try:
            round_ = draws.draw_round(project, form.design(), request.user, wait=False)
        except draws.BeingDrawn as error:
            messages.info(request, str(error))
            return redirect("annotation:rounds", project.pk)
        except draws.CannotDraw as error:
            form.add_error(None, str(error))
        else:
            if round_.state == Round.State.DRAWING:
                return redirect("annotation:rounds", project.pk)
            return redirect("annotation:round", round_.pk)
    refused = request.method == "POST" and not form.is_valid()
    return _design_page(request, project, form, status=422 if refused else 200)


@admits(MANAGER)
@require_http_methods(["GET", "HEAD", "POST"])
def preview(request, project_id):
    """What the designed round would cost and bring; nothing is written."""
    project = project_for(request, project_id)
    if request.method != "POST":  # the address of a page that was reckoned without JavaScript
        return redirect("annotation:round_new", project.pk)
    form = RoundForm(project, request.POST)
    if request.htmx.target == "round_options":  # another strategy was chosen
        return render(request, "annotation/_round_options.html", {"form": form})
    try:
        planned = draws.plan(project, form.design(), quick=True) if form.is_valid() else None
    except draws.CannotDraw as error:
        return _design_page(request, project, form, problem=str(error))
    return _design_page(request, project, form, planned=planned)


def _design_page(request, project, form, status=200, **more):
    template = "annotation/_trade.html" if request.htmx else "annotation/round_new.html"
    context = {
        "project": project,
        "section": "rounds",
        "form": form,
        "may_draw": form.fields["codebook"].queryset.exists(),
        "cards": [(strategy.label, card(strategy)) for strategy in STRATEGIES.values()],
        **more,
    }
    return render(request, template, context, status=status)


@admits(MANAGER, ADJUDICATOR)
@require_safe
def show(request, round_id):
    """One round: its design, how far each person is, its seats."""
    round_ = round_for(request, round_id)
    if round_.state == Round.State.DRAWN:
        return drawn_page(request, round_)
    return _round_page(request, round_, AnnotatorsForm(round_))


def _round_page(request, round_, form, status=200):
    _count_seats([round_])
    context = {
        "project": round_.project,
        "section": "rounds",
        "round": round_,
        "strategy": _strategy_label(round_),
        "frame": in_words(SampleFilter.of(round_.frame.get("filter", {}))),
        "people": _people(round_),
        "leases": _seats(round_, "leased").order_by("lease_until")[:100],
        "skips": _skips(request, round_),
        "plans": plans([round_]),
        **_monitored(monitoring(round_)),
        "rankings": list(round_.rankings.order_by("-pk")[:RANKINGS]),
        "form": form if form.fields["annotators"].queryset.exists() else None,
        "may_manage": request.role == MANAGER,
        "mine": Round.objects.waiting_for(request.user).filter(pk=round_.pk).exists(),
    }
    return render(request, "annotation/round.html", context, status=status)


def _monitored(found: Monitoring | None):
    if found is None or found.obstacle:
        return {"monitoring": found, "step": found and monitor_words.next_round(found.round)}
    drawn = {"share": monitor_charts.share, "evidence": monitor_charts.evidence}
    return {
        "monitoring": found,
        "said": monitor_words.verdict(found),
        "waits": monitor_words.waits(found),
        **{f"{name}_chart": chart(found) for name, chart in drawn.items() if found.found},
    }


def _strategy_label(round_):
    if round_.strategy == rounds.ROUTING:
        return _("Routed by the project's policy: the machine was too unsure")
    if round_.strategy == RELABEL:
        return _("Asks anew where answers followed a rule whose meaning has changed")
    return STRATEGIES[round_.strategy].label


def _people(round_):
    """Who was asked, with what they hold now."""
    held = _seats(round_, "leased").values_list("annotator", flat=True)
    holding = dict.fromkeys(held, True)
    people = list(round_.seats.select_related("user").order_by("user__username"))
    for person in people:
        person.working = person.user_id in holding
    return people


def _seats(round_, state):
    seats = Assignment.objects.filter(round=round_, state=state)
    return seats.select_related("annotator", "round_item__sample")


def _skips(request, round_):
    """A page of skipped seats; `owed` where nobody else was offered the sample yet."""
    seats = _seats(round_, "skipped")
    shown = page(seats, OLDEST, request.GET.get("after"), request.GET.get("before"))
    states = {}
    items = [seat.round_item_id for seat in shown.rows]
    found = Assignment.objects.filter(round_item__in=items).values_list("round_item", "state")
    for item, state in found:
        states.setdefault(item, []).append(state)
    for seat in shown.rows:
        seat.owed = rounds.is_owed(round_, states[seat.round_item_id])
    return shown


@admits(MANAGER)
@require_POST
def ask(request, round_id):
    """Ask more people to work in the round."""
    round_ = round_for(request, round_id)
    form = AnnotatorsForm(round_, request.POST)
    if not form.is_valid():
        return _round_page(request, round_, form, status=422)
    rounds.add_annotators(round_, form.cleaned_data["annotators"])
    return redirect("annotation:round", round_.pk)


@admits(MANAGER)
@require_POST
def close(request, round_id):
    round_ = round_for(request, round_id)
    rounds.close_round(round_)
    return redirect("annotation:round", round_.pk)


@admits(MANAGER)
@require_POST
def reopen(request, round_id):
    round_ = round_for(request, round_id)
    try:
        rounds.reopen_round(round_)
    except rounds.Refused as error:
        messages.error(request, str(error))
    return redirect("annotation:round", round_.pk)


@admits(MANAGER)
@require_POST
def free(request, assignment_id):
    """Take a seat from someone who does not come back, and give it to the queue."""
    seat = seat_for(request, assignment_id)
    if not rounds.release_seat(seat):
        messages.info(request, _("That seat is no longer held."))
    return redirect("annotation:round", seat.round_id)


@admits(MANAGER)
@require_POST
def offer(request, assignment_id):
    """Ask someone else about a sample that was skipped."""
    seat = seat_for(request, assignment_id)
    try:
        rounds.offer_to_someone_else(seat)
    except rounds.Refused as error:
        messages.error(request, str(error))
    return redirect("annotation:round", seat.round_id)
