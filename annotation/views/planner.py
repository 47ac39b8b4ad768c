"""What labelling would bring, before anybody works: /projects/<id>/planner/."""

from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from annotation.access import ADJUDICATOR, MANAGER, admits, id_in, project_for
from annotation.actions import forecasts
from annotation.forms_planner import PlannerForm
from annotation.reports import planner, planner_charts, planner_outcome
from annotation.reports import planner_words as words
from annotation.reports.scope import rounds_under, scope_of


@admits(MANAGER, ADJUDICATOR)
@require_safe
def plan(request, project_id):
    """The newest forecast for the machine and edition that were chosen. While one is worked out
    the page asks whether it is done."""
    project = project_for(request, project_id)
    form = PlannerForm(project, request.GET)
    machine, edition = form.chosen()
    if request.htmx and not request.htmx.history_restore_request:
        return _still_waiting(request, machine, edition)
    context = {"project": project, "section": "planner", "form": form, "ready": False}
    if machine and edition:
        context |= {"ready": True, **_forecast(request, form, machine, edition)}
    refused = form.errors and context["ready"]
    return render(request, "annotation/planner.html", context, status=422 if refused else 200)


def _still_waiting(request, machine, edition):
    open_ = planner.unfinished(machine, edition) if machine and edition else None
    if open_ is None or not words.waits(open_):
        return HttpResponseClientRefresh()
    return render(request, "annotation/_planner_waits.html")


def _forecast(request, form, machine, edition):
    found, open_ = planner.newest(machine, edition), planner.unfinished(machine, edition)
    shown = {"machine": machine, "edition": edition, "forecast": found, "unfinished": open_}
    shown["waits"] = open_ is not None and words.waits(open_)
    if form.errors:
        return shown
    if found is None:
        return shown | {"pilot": words.pilot(form.project, form.wish(0))}
    wish = form.wish(found.result["counts"]["free"])
    shown |= {"stale": words.stale(planner.since(found)), "pilot": words.pilot(form.project, wish)}
    if planner.has_curves(found):
        shown |= _planned(planner.plan(found, wish), form.project)
    else:
        shown["step"] = words.problem(found.result["reason"], form.project, wish)
    return shown | _outcome(request, form.project, machine, edition)


def _planned(found, project):
    result = found.result
    rows = [
        (row, words.named(row.strategies, row.kind), words.reach(row.reach),
         words.design(project, found.wish, row.strategy))
        for row in found.rows
    ]  # fmt: skip
    names = words.lines_named(result)
    return {
        "plan": found,
        "rows": rows,
        "headline": words.headline(found),
        "target": words.wanted(found.wish),
        "basis": words.basis(result),
        "warnings": words.warnings(result),
        "remarks": words.remarks(result),
        "by_luck": words.by_luck(result),
        "names": names,
        "points": _points(result),
        "chart": planner_charts.forecast(found),
    }


def _points(result):
    """The chart's table: labels, and each line's share with its band."""
    lines = result["lines"]
    for place, labels in enumerate(result["labels"]):
        ends = [(x["low"][place], x["high"][place]) if x["low"] else None for x in lines]
        yield labels, list(zip((x["accuracy"][place] for x in lines), ends, strict=True))


def _outcome(request, project, machine, edition):
    scope = scope_of(project, edition, rounds_under(edition), machine)
    kept = planner_outcome.forecasts_of(scope)
    wanted = id_in(request.GET.get("forecast", ""))
    chosen = next((found for found in kept if found.pk == wanted), None)
    came = planner_outcome.outcome(scope, chosen)
    if came is None:
        return {"kept": kept}
    chart = planner_charts.outcome(came) if came.points else None
    names = " = ".join(map(words.short, came.strategies))
    return {"kept": kept, "came": came, "came_chart": chart, "came_by": names}


@admits(MANAGER)
@require_POST
def reckon(request, project_id):
    """Ask for a new forecast; older ones stay."""
    project = project_for(request, project_id)
    form = PlannerForm(project, request.POST)
    machine, edition = form.chosen()
    if machine and edition:
        forecasts.ask(machine, edition, request.user)
    kept = {name: request.POST[name] for name in form.fields if request.POST.get(name)}
    query = f"?{urlencode(kept)}" if kept else ""
    return redirect(reverse("annotation:planner", args=[project.pk]) + query)
