"""Reliability: is the machine as often right as it says? /projects/<id>/reliability/."""

from django.contrib import messages
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from annotation.access import ADJUDICATOR, MANAGER, admits, project_for
from annotation.actions.looks import look_at
from annotation.actions.maps import NoMap, use_map
from annotation.forms_agreement import ScopeForm
from annotation.reports import reliability as reports
from annotation.reports import reliability_charts as charts
from annotation.reports import reliability_words as sentences
from annotation.reports import words
from annotation.reports.maps_in_force import AS_IT_IS, in_force
from annotation.reports.scope import alike


@admits(MANAGER, ADJUDICATOR)
@require_GET
def reliability(request, project_id):
    """One machine's confidence against people's answers, corrected for the draw and naive."""
    project = project_for(request, project_id)
    form = ScopeForm(project, request.GET)
    scope = form.scope()
    context = {"project": project, "section": "reliability", "form": form, "scope": scope}
    if scope and scope.rounds:
        report = reports.report(scope)
        context |= {"report": report, "alike": alike(scope.edition), "query": form.query(scope)}
        context["plans"] = look_at(scope.rounds, request.user)
        context |= {"step": sentences.problem(report)} if report.problem else _measured(report)
    return render(request, "annotation/reliability.html", context)


@admits(MANAGER)
@require_POST
def use(request, project_id):
    """Put the best map of a scope in force for its machine and edition."""
    project = project_for(request, project_id)
    form = ScopeForm(project, request.POST)
    scope = form.scope()
    if scope is None or scope.machine is None or scope.multiple or not scope.rounds:
        messages.error(request, _("There is no confidence and no answer to fit a map on."))
        return redirect("annotation:reliability", project.pk)
    try:
        stored = use_map(scope)
    except NoMap as error:
        why = _("No map is used: %(reason)s.") % {"reason": error}
        messages.error(request, why)
    else:
        said = _("The map is in force.")
        said = _("The confidence is used as it is.") if stored.kind == AS_IT_IS else said
        messages.success(request, said)
    address = reverse("annotation:reliability", args=[project.pk])
    return redirect(f"{address}?{form.query(scope)}#maps")


def _measured(report):
    rounds, maps = list(report.scope.rounds), report.maps
    best = maps.naive if report.corrected.reason else maps.corrected
    return {
        "origins": {
            "lot": words.from_lot(report.by_lot, rounds),
            "all": words.from_all(report.samples, rounds),
        },
        "missing": sentences.missing(report),
        "claim": sentences.claim(report.corrected),
        "gap": sentences.gap(report),
        "verdict": sentences.verdict(best),
        "in_force": in_force(report.scope.machine, report.scope.edition),
        "mapped_error": sentences.mapped_error(best),
        "diagram": charts.diagram(report.bins),
        "counts": charts.counts(report.bins),
        "curve": charts.curve(report.corrected, report.naive),
    }
