"""Reliability: is the machine as often right as it says? /projects/<id>/reliability/."""

from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotation.access import ADJUDICATOR, MANAGER, admits, project_for
from annotation.actions.looks import look_at
from annotation.forms_agreement import ScopeForm
from annotation.reports import reliability as reports
from annotation.reports import reliability_charts as charts
from annotation.reports import reliability_words as sentences
from annotation.reports import words
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
        "mapped_error": sentences.mapped_error(best),
        "diagram": charts.diagram(report.bins),
        "counts": charts.counts(report.bins),
        "curve": charts.curve(report.corrected, report.naive),
    }
