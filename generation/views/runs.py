"""Label runs: /projects/<id>/runs/, /projects/<id>/runs/new/, /runs/<id>/ and /calls/<id>/."""

from django.contrib import messages
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseStopPolling

from annotation.access import MANAGER, admits, project_for
from generation import reports
from generation.access import call_for, connections_for, run_for
from generation.actions import runs as actions
from generation.forms import CapForm, RunForm
from generation.models import Run, Slot
from generation.techniques import TECHNIQUES

PAGE = 50


@admits(MANAGER)
@require_safe
def runs(request, project_id):
    project = project_for(request, project_id)
    page = Paginator(reports.runs_of(project), PAGE).get_page(request.GET.get("page"))
    context = {"project": project, "section": "runs", "page": page}
    return render(request, "generation/runs.html", context)


@admits(MANAGER)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request, project_id):
    """Choose a machine and samples; the prompt and the price are shown before anything is sent."""
    project = project_for(request, project_id)
    form = _run_form(request, project)
    if request.method == "POST" and "preview" not in request.POST and form.is_valid():
        try:
            run, is_new = _start(request, project, form)
        except actions.RunRefused as refused:
            form.add_error(None, ValidationError(str(refused), refused.code))
        else:
            if not is_new:
                messages.info(request, _("This machine annotator is at work already: here it is."))
            return redirect("generation:run", run.pk)
    return _new_page(request, project, form)


def _run_form(request, project):
    given = request.POST if request.method == "POST" else request.GET
    connections = connections_for(request).order_by("pk")
    technique = given.get("technique") if given.get("technique") in TECHNIQUES else "logprobs"
    initial = {"connection": connections.first(), "technique": technique}
    filled = given if given.get("connection") else None
    return RunForm(filled, connections=connections, technique=technique, initial=initial)


def _start(request, project, form):
    chosen = form.cleaned_data
    return actions.start_run(
        chosen["connection"],
        chosen["made"],
        project.edition(),
        created_by=request.user,
        sample_filter=form.sample_filter(),
        cap_cost=chosen["cap_cost"],
        cap_tokens=chosen["cap_tokens"],
    )


def _new_page(request, project, form):
    fragment = request.htmx and not request.htmx.history_restore_request
    context = {
        "project": project,
        "section": "runs",
        "form": form,
        "codebook": project.edition(),
        "has_samples": project.samples.exists(),
        **_plan(project, form),
    }
    template = "generation/_run_form.html" if fragment else "generation/run_new.html"
    return render(request, template, context, status=_status(request, form))


def _status(request, form):
    if request.method != "POST" or not form.errors:
        return 200
    return 429 if form.has_error(NON_FIELD_ERRORS, actions.TooManyRuns.code) else 422


def _plan(project, form):
    """What would be asked and what it would cost, as far as the choices are made."""
    codebook = project.edition()
    chosen = form.cleaned_data if form.is_bound and form.is_valid() else {}
    connection = chosen.get("connection") or form.initial["connection"]
    if codebook is None or connection is None or (form.is_bound and not chosen):
        return {}
    technique = chosen.get("made") or TECHNIQUES[form.technique_name]()
    sample_filter = form.sample_filter() if chosen else {}
    machine = actions.machine_for(connection, technique, codebook)
    samples = actions.samples_for(project, machine, sample_filter)
    return {
        "connection": connection,
        "machine": machine,
        "price": reports.price(samples, sample_filter.get("most"), connection, technique, codebook),
        "obstacle": actions.obstacle(connection, technique, codebook),
    }


@admits(MANAGER)
@require_safe
def run(request, run_id):
    row = run_for(request, run_id)
    if row.kind == Run.Kind.EMBED:
        return redirect("generation:features", row.project_id)
    return render(request, "generation/run.html", _context(row))


@admits(MANAGER)
@require_safe
def progress(request, run_id):
    """The moving part of the page; polling stops when the run is over."""
    row = run_for(request, run_id)
    if row.kind == Run.Kind.EMBED:
        return redirect("generation:features", row.project_id)
    response = render(request, "generation/_run_progress.html", _context(row))
    if row.is_over and request.htmx:
        response.status_code = HttpResponseStopPolling.status_code
        response["HX-Refresh"] = "true"  # the rest of the page is another one now
    return response


def _context(row, form=None):
    newest = row.project.edition()
    return {
        "project": row.project,
        "section": "runs",
        "run": row,
        "progress": reports.run_progress(row),
        "form": form or CapForm(initial={"cap_cost": row.cap_cost, "cap_tokens": row.cap_tokens}),
        "newer": newest if newest and newest.number > row.machine.codebook.number else None,
        "parameter": row.reason_code.partition("parameter:")[2],
    }


@admits(MANAGER)
@require_POST
def pause(request, run_id):
    row = run_for(request, run_id)
    actions.pause(row, _("Paused by hand."))
    return redirect("generation:run", row.pk)


@admits(MANAGER)
@require_POST
def resume(request, run_id):
    row = run_for(request, run_id)
    actions.resume(row)
    return redirect("generation:run", row.pk)


@admits(MANAGER)
@require_POST
def cancel(request, run_id):
    row = run_for(request, run_id)
    actions.cancel(row)
    return redirect("generation:run", row.pk)


@admits(MANAGER)
@require_POST
def cap(request, run_id):
    """New caps; a run that a cap had paused goes on."""
    row = run_for(request, run_id)
    form = CapForm(request.POST)
    if form.is_valid():
        try:
            actions.set_cap(row, **form.cleaned_data)
        except actions.RunRefused as refused:
            form.add_error("cap_cost", str(refused))
        else:
            return redirect("generation:run", row.pk)
    return render(request, "generation/run.html", _context(row, form), status=422)


@admits(MANAGER)
@require_POST
def leave_out(request, run_id):
    """Consent to leaving out the parameter that the endpoint refuses, in a new run."""
    row = run_for(request, run_id)
    parameter = row.reason_code.partition("parameter:")[2]
    if not parameter:
        return redirect("generation:run", row.pk)
    try:
        with transaction.atomic():  # a refused start leaves the old run as it was
            fresh = actions.start_without(row, parameter, request.user)
    except actions.RunRefused as refused:
        return _not_started(request, run_for(request, run_id), str(refused))
    return redirect("generation:run", fresh.pk)


def _not_started(request, row, why):
    """The page of the run, and why none took its place, over the caps that may be the reason."""
    context = _context(row)
    context["form"] = CapForm({field.name: field.value() for field in context["form"]})
    context["form"].add_error(None, why)
    return render(request, "generation/run.html", context, status=422)


@admits(MANAGER)
@require_safe
def rejected(request, run_id):
    """The samples without a valid answer, by reason, each with its calls."""
    row = run_for(request, run_id)
    slots = row.slots.filter(state=Slot.State.REJECTED).order_by("index")
    reasons, reason = reports.rejections(row), request.GET.get("reason", "")
    if reason in {found["reason"] for found in reasons}:
        slots = slots.filter(reason=reason)
    slots = slots.select_related("sample").prefetch_related(reports.calls_in_short())
    context = {
        "project": row.project,
        "section": "runs",
        "run": row,
        "reason": reason,
        "reasons": reasons,
        "page": Paginator(slots, PAGE).get_page(request.GET.get("page")),
    }
    return render(request, "generation/rejected.html", context)


@admits(MANAGER)
@require_safe
def call(request, call_id):
    """One paid request: what was sent, and the raw reply."""
    row = call_for(request, call_id)
    context = {
        "project": row.run.project,
        "section": "runs",
        "run": row.run,
        "call": row,
        "reply": reports.reply_of(row),
    }
    return render(request, "generation/call.html", context)
