"""What people do with an import: upload, look, map its columns, decide, discard, start again.

Every step is one compare-and-swap on the row, so that a double click or a second tab changes
nothing, and whoever was at work on the row notices.
"""

import hashlib
import shutil
import uuid
from pathlib import Path

from django.conf import settings
from django.db.models import F
from django.utils.translation import gettext as _

from annotation.imports import process
from annotation.imports.contracts import Options
from annotation.imports.limits import MB, Limits, from_settings, over
from annotation.imports.mapping import Mapping, check_mapping
from annotation.imports.reasons import ImportRefused, Reason
from annotation.imports.references import Labels, Match, match
from annotation.models import Project, SampleImport, User
from annotation.task_types.base import Rules

State = SampleImport.State
AFRESH = {"lease_until": None, "tries": 0, "error": ""}
EDITED = ("format", "encoding", "delimiter", "quoting", "header", "sheet", "records")


class CannotImport(ValueError):
    """It cannot be done; the message says what to do."""


def limits() -> Limits:
    return from_settings(settings)


def said(reason: Reason) -> str:
    """A reader's sentence in the user's language."""
    template = _(reason.template)
    return template % reason.params if reason.params else template.replace("%%", "%")


def receive(project: Project, name: str, chunks, created_by: User | None = None) -> SampleImport:
    """Store an upload under a name of ours and look at it; raises CannotImport over the limit.

    The client's name is kept to be shown, and is never a path.
    """
    settings.UPLOAD_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = settings.UPLOAD_DIR / f"{uuid.uuid4().hex}.upload"
    try:
        written = _write(path, chunks)
    except (CannotImport, OSError):
        path.unlink(missing_ok=True)
        raise
    sample_import = SampleImport.objects.create(
        project=project,
        file_name=process.safe_name(name),
        path=path.name,
        file_hash=written,
        created_by=created_by,
    )
    look(sample_import, {})
    return sample_import


def _write(path, chunks):
    left, digest = limits().upload_mb * MB, hashlib.sha256()
    with path.open("xb") as file:
        for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                raise CannotImport(too_big())
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def too_big() -> str:
    return said(over(limits(), "upload_mb").reason)


def upload_of(sample_import: SampleImport) -> Path:
    return settings.UPLOAD_DIR / sample_import.path


def staged_of(sample_import: SampleImport) -> Path:
    """Where its staged rows are. Each worker stages into a folder of its own."""
    return settings.UPLOAD_DIR / sample_import.report["directory"]


def look(sample_import: SampleImport, options: dict) -> bool:
    """Read the beginning with these options and keep what was seen, or why nothing could be."""
    fields = {"options": options, "preview": {}, "mapping": {}, "error": ""}
    try:
        seen = process.preview(
            upload_of(sample_import), sample_import.file_name, Options(**options), limits()
        )
    except ImportRefused as error:
        fields["error"] = said(error.reason)
    except FileNotFoundError:
        fields["error"] = gone()
    else:
        fields |= _stored(seen)
    return _move(sample_import, State.UPLOADED, **fields)


def gone() -> str:
    return _("The uploaded file is no longer on the server. Upload it again.")


def _stored(seen: process.Preview) -> dict:
    found = seen.detection
    notes = [said(note) for note in found.notes]
    preview = {
        "detection": {name: getattr(found, name) for name in (*EDITED, "confidence")},
        "sheets": found.sheets,
        "columns": found.columns,
        "notes": notes,
        "rows": [[row.number, [row.values.get(c) for c in found.columns]] for row in seen.rows],
        "refused": [[row.number, said(row.reason), row.excerpt] for row in seen.refused],
    }
    return {"preview": preview, "mapping": stored(seen.mapping)}


def stored(mapping: Mapping) -> dict:
    """A mapping as JSON, without what is as usual."""
    usual = Mapping()
    names = Mapping.__dataclass_fields__
    return {n: getattr(mapping, n) for n in names if getattr(mapping, n) != getattr(usual, n)}


def choose(sample_import: SampleImport, mapping: Mapping) -> bool:
    """Say which column is what, and have every row read; raises CannotImport for a bad mapping."""
    try:
        check_mapping(mapping, tuple(sample_import.preview.get("columns", ())))
    except ImportRefused as error:
        raise CannotImport(said(error.reason)) from error
    return _move(
        sample_import, State.UPLOADED, state=State.STAGING, mapping=stored(mapping), rows_read=0
    )


def decide(sample_import: SampleImport, keep_duplicates: bool, without_unknown: bool) -> bool:
    """Import the good rows. Nothing of it is seen before all of it is written."""
    return _move(
        sample_import,
        State.STAGED,
        state=State.WRITING,
        keep_duplicates=keep_duplicates,
        without_unknown=without_unknown,
        rows_written=0,
        position=0,
    )


def start_again(sample_import: SampleImport) -> bool:
    """Back to the mapping, with the same file; what a failure left is swept away first."""
    if sample_import.rows_written:
        return False
    return _move(sample_import, State.STAGED, State.FAILED, state=State.UPLOADED)


def discard(sample_import: SampleImport) -> bool:
    """Give it up: its file goes now, and rows that were written but never seen are swept away."""
    if sample_import.state == State.DONE:
        return False
    states = set(State) - {State.DONE, State.DISCARDED}
    if moved := _move(sample_import, *states, state=State.DISCARDED):
        remove_files(sample_import)
    return moved


def _move(sample_import, *states, **fields):
    """One step, unless the row has moved on since it was read."""
    here = SampleImport.objects.filter(
        pk=sample_import.pk, state__in=states, version=sample_import.version
    )
    moved = here.update(**{**AFRESH, "version": F("version") + 1, **fields})
    sample_import.refresh_from_db()
    return bool(moved)


def remove_files(sample_import: SampleImport) -> None:
    """Take away the upload and everything that was staged from it."""
    if sample_import.path:
        upload_of(sample_import).unlink(missing_ok=True)
        for directory in settings.UPLOAD_DIR.glob(f"{Path(sample_import.path).stem}.staged*"):
            shutil.rmtree(directory, ignore_errors=True)


def labels_of(project: Project) -> Labels | None:
    """The labels that a reference may name: of the newest edition and of the draft."""
    books = [project.edition(), project.codebooks.drafts().first()]
    rules = [book.rules() for book in books if book is not None]
    labels = {label.slug: label for edition in reversed(rules) for label in edition.labels}
    if not labels:
        return None
    unsure = any(edition.unsure for edition in rules)
    return Labels(project.task, Rules("", "", tuple(labels.values()), unsure=unsure))


def match_of(sample_import: SampleImport) -> Match | None:
    """Its reference labels against the codebook as it is now; None while there is no codebook."""
    labels = labels_of(sample_import.project)
    return match(sample_import.report.get("references", ()), labels) if labels else None
