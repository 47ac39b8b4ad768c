"""Writing the rules: /codebooks/<id>/edit/, preview, publish, import, discard."""

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from annotation.access import MANAGER, admits, codebook_for, project_for
from annotation.actions import codebooks
from annotation.forms_codebook import Editor, content_of, posted, reordered, without_blanks
from annotation.forms_edition import CodebookImportForm, PublishForm
from annotation.imports.codebook_source import BadCodebook
from annotation.imports.codebooks import read_codebook
from annotation.task_types.changes import compare
from annotation.task_types.rendering import rules_text


@admits(MANAGER)
@require_POST
def start(request, project_id):
    """A draft from the newest edition, or the draft there is."""
    draft = codebooks.start_draft(project_for(request, project_id), request.user)
    return redirect("annotation:codebook_edit", draft.pk)


@admits(MANAGER)
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request, codebook_id):
    """The editor. A button adds, moves or takes away a row, or saves everything."""
    codebook = codebook_for(request, codebook_id)
    if request.method == "POST":
        return _save(request, codebook) if _saving(request) else _rearrange(request, codebook)
    if not codebook.is_draft:
        return redirect("annotation:codebook_edition", codebook.pk)
    return _workbench(request, codebook, _editor(codebook, content_of(codebook.rules())))


def _saving(request):
    return request.POST.get("do", "save") == "save"


def _editor(codebook, content, **options):
    known = set(codebook.labels.values_list("slug", flat=True))
    if codebook.parent_id:
        known |= set(codebook.parent.labels.values_list("slug", flat=True))
    return Editor(content, codebook.project, known, **options)


def _rearrange(request, codebook):
    content, focus = reordered(posted(request.POST), request.POST["do"])
    editor = _editor(codebook, content, focus=focus)
    return _workbench(request, codebook, editor, _version(request), unsaved=True)


def _save(request, codebook):
    editor = _editor(codebook, without_blanks(posted(request.POST)), checked=True)
    if not editor.is_valid:
        return _workbench(request, codebook, editor, _version(request), unsaved=True, status=422)
    try:
        codebooks.save_draft(codebook, editor.rules, _version(request))
    except codebooks.StaleDraft:
        return _stale(request, codebook, editor)
    messages.success(request, _("The draft is saved."))
    if not request.htmx:
        return redirect("annotation:codebook_edit", codebook.pk)
    codebook.refresh_from_db()
    return _workbench(request, codebook, _editor(codebook, content_of(codebook.rules())))


def _stale(request, codebook, editor):
    """Someone else was faster: what they saved beside what was typed here; saving again wins."""
    draft = codebooks.start_draft(codebook.project, request.user)
    changes = compare(draft.rules(), editor.rules)
    return _workbench(
        request, draft, editor, draft.version, unsaved=True, stale=changes, status=422
    )


def _version(request):
    text = request.POST.get("version", "")
    return int(text) if text.isdecimal() and len(text) < 10 else -1


def _workbench(request, draft, editor, version=None, *, unsaved=False, stale=None, status=200):
    context = {
        "project": draft.project,
        "section": "codebook",
        "draft": draft,
        "editor": editor,
        "version": draft.version if version is None else version,
        "unsaved": unsaved,
        "stale": stale,
        **_preview(editor),
    }
    whole = "annotation/codebook_edit.html"
    template = "annotation/_codebook_workbench.html" if request.htmx else whole
    return render(request, template, context, status=status)


def _preview(editor):
    """Both renderings of one object: for people and for the model."""
    return {"rules": editor.rules, "prompt": rules_text(editor.rules)}


@admits(MANAGER)
@require_POST
def preview(request, codebook_id):
    draft = codebook_for(request, codebook_id)
    editor = _editor(draft, without_blanks(posted(request.POST)))
    context = {"draft": draft, **_preview(editor)}
    return render(request, "annotation/_codebook_preview.html", context)


@admits(MANAGER)
@require_http_methods(["GET", "HEAD", "POST"])
def publish(request, codebook_id):
    """What would change, then the form that makes it an edition for ever."""
    draft = codebook_for(request, codebook_id)
    if not draft.is_draft:
        return redirect("annotation:codebook_edition", draft.pk)
    found = codebooks.publication(draft)
    form = PublishForm(request.POST or None, found)
    if request.method == "POST" and form.is_valid() and (new := _published(request, draft, form)):
        messages.success(request, _("Edition %(n)d is published.") % {"n": new.number})
        return redirect("annotation:codebook", draft.project_id)
    context = {
        "project": draft.project,
        "section": "codebook",
        "draft": draft,
        "tried": draft.as_tried(),
        "found": found,
        "form": form,
    }
    status = 422 if form.errors else 200
    return render(request, "annotation/codebook_publish.html", context, status=status)


def _published(request, draft, form):
    """The new edition, or None with what stood in its way on the form."""
    try:
        return codebooks.publish(
            draft,
            version=_version(request),
            published_by=request.user,
            change=form.cleaned_data.get("change", ""),
            change_note=form.cleaned_data["change_note"],
            removed=form.mapping(),
        )
    except codebooks.StaleDraft:
        form.add_error(None, _("Someone changed the draft since. Read it again, then publish."))
    except codebooks.CannotPublish as error:
        for message in error.messages:
            form.add_error(None, message)
    return None


@admits(MANAGER)
@require_POST
def discard(request, codebook_id):
    draft = codebook_for(request, codebook_id)
    try:
        codebooks.discard_draft(draft, _version(request))
    except codebooks.StaleDraft:
        messages.error(request, _("Someone saved or published it since, so it was not discarded."))
    else:
        messages.success(request, _("The draft is discarded."))
    return redirect("annotation:codebook", draft.project_id)


@admits(MANAGER)
@require_http_methods(["GET", "HEAD", "POST"])
def import_codebook(request, project_id):
    """A file becomes the draft; what of it was left out is said on the next page."""
    project = project_for(request, project_id)
    draft = project.codebooks.drafts().prefetch_related("labels").first()
    empty = draft is None or not (draft.question or draft.instructions or draft.labels.all())
    form = CodebookImportForm(request.POST or None, request.FILES or None, empty)
    if request.method == "POST" and form.is_valid() and (read := _read(form, project)):
        draft = codebooks.replace_draft(project, read.rules, request.user)
        _report(request, read)
        return redirect("annotation:codebook_edit", draft.pk)
    context = {"project": project, "section": "codebook", "form": form}
    status = 422 if form.errors else 200
    return render(request, "annotation/codebook_import.html", context, status=status)


def _read(form, project):
    try:
        return read_codebook(
            form.content(), project.task, lambda ids: codebooks.sample_texts(project, ids)
        )
    except BadCodebook as error:
        for message in error.messages:
            form.add_error(None, message)
    return None


def _report(request, read):
    n = len(read.rules.labels)
    text = ngettext("%(n)d label is in the draft.", "%(n)d labels are in the draft.", n)
    messages.success(request, text % {"n": n})
    for remark in read.remarks[:20]:
        messages.warning(request, remark)
