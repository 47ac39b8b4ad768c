"""Figures that were kept: /projects/<id>/estimates/, and one batch: /estimates/<id>/."""

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation.access import ADJUDICATOR, MANAGER, admits, estimate_for, project_for
from annotation.actions import estimates
from annotation.forms_agreement import ScopeForm
from annotation.reports.kept import batches, compared, rounds_of, table

SHOWN = 50


@admits(MANAGER, ADJUDICATOR)
@require_safe
def project_estimates(request, project_id):
    """What was kept, the newest first."""
    project = project_for(request, project_id)
    kept = batches(project, SHOWN)
    context = {"project": project, "section": "agreement", "kept": kept, "shown": SHOWN}
    return render(request, "annotation/estimates.html", context)


@admits(MANAGER)
@require_POST
def keep(request, project_id):
    """Keep the figures of a scope as they are now."""
    project = project_for(request, project_id)
    scope = ScopeForm(project, request.POST).scope()
    try:
        kept = estimates.keep(scope, request.user)
    except estimates.NothingToKeep as error:
        messages.error(request, str(error))
        return redirect("annotation:agreement", project.pk)
    messages.success(request, _("The figures are kept as they are now."))
    return redirect("annotation:estimate", kept[0].pk)


@admits(MANAGER, ADJUDICATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def show(request, estimate_id):
    """All figures of a batch; POST computes them again."""
    estimate = estimate_for(request, estimate_id)
    if request.method == "POST":
        found = estimates.recompute(estimate)
        say = messages.success if found.same else messages.error
        say(request, compared(found))
        return redirect("annotation:estimate", estimate.pk)
    context = {
        "project": estimate.project,
        "section": "agreement",
        "estimate": estimate,
        "rounds": rounds_of(estimate),
        "rows": table(estimate),
    }
    return render(request, "annotation/estimate.html", context)
