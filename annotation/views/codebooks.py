"""Reading the rules: /projects/<id>/codebook/, /codebooks/<id>/, comparing, notes, files."""

import uuid

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from annotation.access import (
    ADJUDICATOR,
    MANAGER,
    MEMBER,
    admits,
    codebook_for,
    codebook_note_for,
    project_for,
)
from annotation.actions.codebooks import close_note
from annotation.imports.codebooks import as_json, as_markdown
from annotation.reports.lab_page import stale_state
from annotation.task_types.changes import compare


@admits(*MEMBER)
@require_safe
def current(request, project_id):
    """The newest edition, the draft, what people noted, and all editions."""
    project = project_for(request, project_id)
    return _page(request, project, project.edition())


@admits(*MEMBER)
@require_safe
def edition(request, codebook_id):
    codebook = codebook_for(request, codebook_id)
    return _page(request, codebook.project, codebook)


def _page(request, project, codebook):
    published = project.codebooks.published().select_related("published_by")
    editions = list(published.order_by("-number"))
    manages = request.role == MANAGER
    context = {
        "project": project,
        "section": "codebook",
        "codebook": codebook,
        "rules": codebook.rules() if codebook else None,
        "editions": editions,
        "draft": project.codebooks.drafts().first() if manages else None,
        "manages": manages,
        "state": _stale(codebook, editions) if manages else None,
        "key": uuid.uuid4(),
        "notes": _notes(project) if request.role in (MANAGER, ADJUDICATOR) else None,
    }
    return render(request, "annotation/codebook.html", context)


def _stale(codebook, editions):
    """What the newest edition made stale, where meanings have changed at all."""
    changed = any(book.change == book.Change.MEANING for book in editions)
    return stale_state(codebook) if changed and codebook == editions[0] else None


def _notes(project):
    notes = project.codebook_notes.filter(closed_at=None).order_by("-pk")
    return notes.select_related("author", "codebook", "sample")[:200]


@admits(*MEMBER)
@require_safe
def compare_editions(request, codebook_id, other_id):
    """What changed from `other` to this one, whichever was first."""
    codebook = codebook_for(request, codebook_id)
    other = codebook_for(request, other_id)
    if other.project_id != codebook.project_id:
        raise Http404
    context = {
        "project": codebook.project,
        "section": "codebook",
        "codebook": codebook,
        "other": other,
        "changes": compare(other.rules(), codebook.rules()),
    }
    return render(request, "annotation/codebook_compare.html", context)


@admits(*MEMBER)
@require_safe
def export(request, codebook_id, kind):
    """The edition as a file that reads back as equal rules."""
    codebook = codebook_for(request, codebook_id)
    write, media = {
        "json": (as_json, "application/json"),
        "md": (as_markdown, "text/markdown; charset=utf-8"),
    }[kind]
    text = write(codebook.rules(), codebook.project.task, codebook.number)
    name = f"codebook-{codebook.project_id}-edition-{codebook.number}.{kind}"
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type=media, headers=disposition)


@admits(MANAGER)
@require_POST
def close_codebook_note(request, note_id):
    note = codebook_note_for(request, note_id)
    close_note(note)
    return redirect("annotation:codebook", note.project_id)
