"""Importing samples: /projects/<id>/samples/import/, /imports/<id>/ and its steps."""

import csv

from django.contrib import messages
from django.http import StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from annotation.access import MANAGER, admits, import_for, project_for
from annotation.actions import imports
from annotation.exports.guard import guarded
from annotation.forms_imports import DecisionForm, MappingForm, ReadingForm, UploadForm
from annotation.keyset import Order, page
from annotation.models import SampleImport

State = SampleImport.State
AT_WORK = {State.STAGING, State.WRITING}
SHOWN = 200  # refused rows on the page; the file has them all


@admits(MANAGER)
@require_http_methods(["GET", "HEAD", "POST"])
def import_samples(request, project_id):
    """Choose a file; the earlier imports stand below."""
    project = project_for(request, project_id)
    if request.method != "POST":
        return _choose_file(request, project, UploadForm())
    is_over = getattr(request, "upload_is_over", False)
    form = UploadForm(request.POST, request.FILES, is_over)
    if form.is_valid() and (found := _received(request, project, form)):
        return redirect("annotation:import", found.pk)
    return _choose_file(request, project, form, 422)


def _choose_file(request, project, form, status=200):
    earlier = project.imports.defer("preview", "report", "mapping")
    order = Order((("pk", int),), descending=True)
    context = {
        "project": project,
        "section": "samples",
        "form": form,
        "limits": imports.limits(),
        "page": page(earlier, order, request.GET.get("after"), request.GET.get("before")),
    }
    return render(request, "annotation/sample_import.html", context, status=status)


def _received(request, project, form):
    file = form.cleaned_data["file"]
    try:
        return imports.receive(project, file.name, file.chunks(), request.user)
    except imports.CannotImport as error:
        form.add_error("file", str(error))
    return None


@admits(MANAGER)
@require_safe
def show(request, import_id):
    """One page, whose content is the state of the import."""
    return _show(request, import_for(request, import_id))


def _show(request, sample_import, status=200, **forms):
    context = {
        "project": sample_import.project,
        "section": "samples",
        "import": sample_import,
        **_of_state(sample_import),
        **forms,
    }
    return render(request, "annotation/import.html", context, status=status)


def _of_state(sample_import):
    """What the page of this state shows besides the row."""
    if sample_import.state == State.UPLOADED:
        return {
            "reading": ReadingForm(sample_import),
            "mapping": MappingForm(sample_import),
            "has_labels": imports.labels_of(sample_import.project) is not None,
        }
    shown = {"refused": sample_import.refused.all()[:SHOWN]}
    if sample_import.state == State.STAGED:
        match = imports.match_of(sample_import)
        shown |= {"match": match, "decision": DecisionForm(sample_import, match)}
    return {"at_work": sample_import.state in AT_WORK, **shown}


@admits(MANAGER)
@require_POST
def read_again(request, import_id):
    """Look at the file once more, with what the user says about it."""
    sample_import = import_for(request, import_id)
    form = ReadingForm(sample_import, request.POST)
    if sample_import.state == State.UPLOADED and not form.is_valid():
        return _show(request, sample_import, 422, reading=form)
    if sample_import.state == State.UPLOADED:
        imports.look(sample_import, form.options())
    return redirect("annotation:import", import_id)


@admits(MANAGER)
@require_POST
def map_columns(request, import_id):
    """Every row is read under this mapping, by a worker."""
    sample_import = import_for(request, import_id)
    if sample_import.state != State.UPLOADED:
        return redirect("annotation:import", import_id)
    form = MappingForm(sample_import, request.POST)
    if not form.is_valid() or not _chosen(sample_import, form):
        return _show(request, sample_import, 422, mapping=form)
    return redirect("annotation:import", import_id)


def _chosen(sample_import, form):
    try:
        imports.choose(sample_import, form.chosen())
    except imports.CannotImport as error:
        form.add_error(None, str(error))
    return form.is_valid()


@admits(MANAGER)
@require_POST
def decide(request, import_id):
    """Import the good rows, or nothing."""
    sample_import = import_for(request, import_id)
    if sample_import.state != State.STAGED:
        return redirect("annotation:import", import_id)
    form = DecisionForm(sample_import, imports.match_of(sample_import), request.POST)
    if not form.is_valid():
        return _show(request, sample_import, 422, decision=form)
    if form.cleaned_data["choice"] == "nothing":
        return _discarded(request, sample_import)
    imports.decide(sample_import, **form.decided())
    return redirect("annotation:import", import_id)


@admits(MANAGER)
@require_POST
def discard(request, import_id):
    return _discarded(request, import_for(request, import_id))


def _discarded(request, sample_import):
    if imports.discard(sample_import):
        messages.success(request, _("Nothing was imported, and the file is gone from the server."))
        return redirect("annotation:sample_import", sample_import.project_id)
    return redirect("annotation:import", sample_import.pk)


@admits(MANAGER)
@require_POST
def start_again(request, import_id):
    """Back to the columns of the same file."""
    if not imports.start_again(import_for(request, import_id)):
        messages.warning(request, _("What it left is being removed. Try again in a moment."))
    return redirect("annotation:import", import_id)


@admits(MANAGER)
@require_safe
def progress(request, import_id):
    """The polled part; the whole page comes when it is over."""
    sample_import = import_for(request, import_id)
    address = f"/imports/{sample_import.pk}/"
    if not request.htmx:
        return redirect(address)
    if sample_import.state not in AT_WORK:
        return HttpResponseClientRedirect(address)
    return render(request, "annotation/_import_progress.html", {"import": sample_import})


class _Echo:
    """What csv.writer writes to: it hands each line back."""

    def write(self, line):
        return line


@admits(MANAGER)
@require_safe
def refused(request, import_id):
    """Every refused row, as CSV whose cells no spreadsheet takes for a formula."""
    sample_import = import_for(request, import_id)
    writer = csv.writer(_Echo())
    rows = sample_import.refused.values_list("row_number", "reason", "excerpt")
    lines = (
        writer.writerow([number, guarded(reason), guarded(excerpt)])
        for number, reason, excerpt in rows.iterator()
    )
    head = writer.writerow(["row", "reason", "content"])
    disposition = {"Content-Disposition": f'attachment; filename="refused-{import_id}.csv"'}
    parts = (part for whole in ([head], lines) for part in whole)
    return StreamingHttpResponse(parts, content_type="text/csv; charset=utf-8", headers=disposition)
