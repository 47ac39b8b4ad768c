"""What may be released without a person's look: /projects/<id>/certificate/."""

from django.shortcuts import render
from django.views.decorators.http import require_safe

from annotation.access import ADJUDICATOR, MANAGER, admits, project_for
from annotation.actions.looks import look_at
from annotation.forms_certificate import CertificateForm
from annotation.reports import certificate_words as words
from annotation.reports.certificate import report


@admits(MANAGER, ADJUDICATOR)
@require_safe
def certificate(request, project_id):
    """The promise that is asked for, by the audits so far; htmx gets the answer alone."""
    project = project_for(request, project_id)
    form = CertificateForm(project, request.GET)
    asked = form.asked()
    context = {"project": project, "section": "certificate", "form": form, "asked": asked}
    if asked:
        context |= _said(report(asked), request.user)
    bare = request.htmx and not request.htmx.history_restore_request
    template = "annotation/_certificate.html" if bare else "annotation/certificate.html"
    return render(request, template, context, status=422 if form.errors and form.usual else 200)


def _said(found, user):
    audits = [found.audit.round] if found.audit else []
    return {
        "plans": look_at(audits, user),
        "report": found,
        "reason": words.REASONS.get(found.reason, ""),
        "refused": [(refused.round, words.REFUSED[refused.reason]) for refused in found.refused],
        "step": words.next_step(found),
        "learner": words.learner(found),
        "pilot": words.pilot(found),
        "together": words.over_all_looks(found),
        "newer": words.newer_meaning(found.asked.scope),
    }
