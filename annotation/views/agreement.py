"""Agreement: /projects/<id>/agreement/, and reading what differs: /projects/<id>/disagreements/."""

from django.contrib import messages
from django.http import QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from annotation.access import ADJUDICATOR, MANAGER, admits, id_in, project_for
from annotation.actions.looks import look_at
from annotation.actions.notes import add_note
from annotation.arrays_agreement import judgements
from annotation.forms_agreement import NoteForm, ScopeForm
from annotation.models import Sample
from annotation.reports import agreement as reports
from annotation.reports import replacing_words, words
from annotation.reports.disagreements import MODEL, PEOPLE, Which, disagreement, find
from annotation.reports.matrix import matrix
from annotation.reports.quality import board
from annotation.reports.replacing import USUAL
from annotation.reports.scope import alike
from synthlab.science.alternative_annotator import EPSILON

WIDE = 9  # from so many labels on, the heads of the matrix stand upright


@admits(MANAGER, ADJUDICATOR)
@require_GET
def agreement(request, project_id):
    """People against a machine, against one another and against the reference labels."""
    project = project_for(request, project_id)
    form = ScopeForm(project, request.GET)
    scope = form.scope()
    context = {"project": project, "section": "agreement", "form": form, "scope": scope}
    if scope and scope.rounds:
        effort = request.GET.get("effort")
        report = reports.report(scope, effort if effort in EPSILON else USUAL)
        context |= _compared(report, request.GET.get("matrix") == "counts")
        context |= {"query": form.query(scope), "plans": look_at(scope.rounds, request.user)}
    return render(request, "annotation/agreement.html", context)


@admits(MANAGER)
@require_GET
def quality(request, project_id):
    """The board on the project's overview, loaded after the page: figures of the usual scope."""
    project = project_for(request, project_id)
    scope = ScopeForm(project, QueryDict()).scope()
    context = {"project": project, "board": None}
    if scope and scope.rounds:
        context["board"] = board(reports.report(scope))
        context["plans"] = look_at(scope.rounds, request.user)
    return render(request, "annotation/_quality.html", context)


def _compared(report, counts):
    rounds, basis, people = list(report.scope.rounds), report.basis, report.people
    shown = {
        "report": report,
        "alike": alike(report.scope.edition),
        "wide": WIDE,
        "answered_from": _origins(basis.by_lot, basis.answered, rounds),
        "people_from": _origins(people.by_lot, people.samples, rounds),
        "reference_from": _reference_origins(report.reference, rounds),
    }
    if report.model is None:
        return shown
    compared, by_lot = report.model.samples, report.model.by_lot
    accuracy = report.model.accuracy
    return shown | {
        **replacing_words.said(report.replacing, report.scope),
        "assisted_reason": words.REASONS.get(report.assisted.reason) if report.assisted else "",
        "matrix": matrix(report.model, counts),
        "missing": words.missing(basis.drawn_by_lot, basis.answered, by_lot),
        "gap": words.gap(accuracy.corrected, accuracy.naive, compared - by_lot, compared),
        "model_from": _origins(by_lot, compared, rounds),
    }


def _origins(by_lot, samples, rounds):
    """Which draw the corrected and the naive figures come from, in words."""
    return {"lot": words.from_lot(by_lot, rounds), "all": words.from_all(samples, rounds)}


def _reference_origins(reference, rounds):
    if reference is None:
        return {}
    labelled, people = words.with_reference(reference.samples), reference.people
    return {
        "model": {"lot": labelled, "all": labelled},
        "people": _origins(people.by_lot, people.samples, rounds) if people else {},
    }


@admits(MANAGER, ADJUDICATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def disagreements(request, project_id):
    """One sample that the sides see differently; a POST adds a note for the codebook."""
    project = project_for(request, project_id)
    sent = request.GET
    form = ScopeForm(project, sent)
    scope = form.scope()
    if scope is None or not scope.rounds:
        return redirect("annotation:agreement", project.pk)
    note = NoteForm(scope, request.POST or None)
    if request.method == "POST" and note.is_valid():
        return _note(request, scope, note)
    which = Which(sent.get("people", ""), sent.get("model", ""), _between(sent))
    return _show(request, form, scope, which, note)


def _between(sent):
    return PEOPLE if sent.get("between") == PEOPLE else MODEL


def _show(request, form, scope, which, note):
    read = judgements(scope)
    place = find(read, which, id_in(request.GET.get("at", "")))
    context = {
        "project": scope.project,
        "section": "agreement",
        "scope": scope,
        "which": which,
        "place": place,
        "note": note,
        "query": form.query(scope),
        "filter": _filter(which),
        "shown": disagreement(read, place.sample) if place.sample else None,
        "names": {label.slug: label.name for label in scope.labels},
    }
    status = 422 if note.errors else 200
    return render(request, "annotation/disagreements.html", context, status=status)


def _filter(which):
    said = {"people": which.people, "model": which.model}
    if which.between == PEOPLE:
        said["between"] = PEOPLE
    return urlencode({name: value for name, value in said.items() if value})


def _note(request, scope, form):
    sample = get_object_or_404(
        Sample.objects.visible(),
        project=scope.project,
        pk=id_in(request.POST.get("sample", "")),
    )
    said = form.cleaned_data
    add_note(scope.edition, request.user, said["text"], said["label"], sample)
    messages.success(request, _("The note is kept for the next draft of the codebook."))
    address = reverse("annotation:disagreements", args=[scope.project.pk])
    return redirect(f"{address}?{request.GET.urlencode()}")
