"""Who works on an import: claiming one that is due, and sweeping up behind those that are over."""

import time
from datetime import timedelta

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now
from django.utils.timezone import now
from django.utils.translation import gettext as _

from annotation.actions import imports, imports_staging, imports_writing
from annotation.actions.imports_hold import CHUNK, Lost, fail, lease
from annotation.models import Sample, SampleImport

State = SampleImport.State
WORK = {State.STAGING: imports_staging.stage, State.WRITING: imports_writing.write}
MOST_TRIES = 5  # claims in a row that come to nothing: something kills whoever works on it
KEPT = timedelta(days=14)  # how long a file waits for somebody to decide about it
STRAY = 24 * 3600  # seconds after which a file that belongs to no import goes
SELDOM = 3600  # seconds between two looks at the files
_looked = {"files": -SELDOM}  # when, by the clock of this process


def due():
    """The imports that wait for a worker, or whose worker has died; one at a time a project."""
    earlier = SampleImport.objects.filter(
        project=OuterRef("project"), state=State.WRITING, pk__lt=OuterRef("pk")
    )
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    waiting = SampleImport.objects.filter(free, state__in=WORK)
    # Two that write at once would not see each other's samples as duplicates.
    return waiting.exclude(Q(state=State.WRITING) & Exists(earlier)).order_by("pk")


def claim(import_id: int) -> SampleImport | None:
    """Take the import if it is due and nobody else was faster."""
    found = due().filter(pk=import_id).first()
    if found is None:
        return None
    mine = SampleImport.objects.filter(pk=import_id, version=found.version)
    claimed = {"version": F("version") + 1, "tries": F("tries") + 1, "lease_until": lease(found)}
    if not mine.update(**claimed):
        return None
    found.refresh_from_db()
    return found


def work_on(import_id: int) -> None:
    """Do what is due for it. Delivered twice, the second finds nothing to do."""
    if (held := claim(import_id)) is None:
        return
    try:
        if held.tries > MOST_TRIES:
            message = _("The server broke off %(n)d times at this file. Tell the operator.")
            fail(held, message % {"n": MOST_TRIES})
        else:
            WORK[held.state](held)
    except Lost:
        pass  # discarded, or taken over by another worker: the row is theirs


def work_on_due() -> int | None:
    """Work on the oldest import that is due, and return its id."""
    import_id = due().values_list("pk", flat=True).first()
    if import_id is not None:
        work_on(import_id)
    return import_id


def work_until_rest(sample_import: SampleImport, progress=None) -> SampleImport:
    """Work on it here, or wait for the worker that does, until a person has to decide or it is
    over."""
    while sample_import.state in WORK:
        work_on(sample_import.pk)
        sample_import.refresh_from_db()
        if sample_import.state in WORK:
            time.sleep(0.2)
    return sample_import


def sweep() -> None:
    """Remove rows and files of imports that are over, a chunk at a time."""
    over = Q(state=State.DISCARDED) & (~Q(path="") | Q(rows_written__gt=0))
    over |= Q(state=State.FAILED, rows_written__gt=0) | Q(state=State.DONE) & ~Q(path="")
    for sample_import in SampleImport.objects.filter(over):
        if sample_import.state != State.DONE:
            _remove_samples(sample_import)
        _forget(sample_import)
    if time.monotonic() > _looked["files"] + SELDOM:
        _looked["files"] = time.monotonic()
        sweep_files()


def _remove_samples(sample_import):
    """Nobody has seen them, so nothing refers to them."""
    while True:
        began = time.monotonic()
        some = list(sample_import.samples.values_list("pk", flat=True)[:CHUNK])
        if not some:
            return
        Sample.objects.filter(pk__in=some).delete()
        time.sleep(time.monotonic() - began)  # so that answers are never kept waiting


def _forget(sample_import):
    kept = sample_import.state == State.FAILED  # it can be started again with its file
    if not kept:
        imports.remove_files(sample_import)
    unchanged = SampleImport.objects.filter(pk=sample_import.pk, version=sample_import.version)
    path = sample_import.path if kept else ""
    written = sample_import.rows_written if sample_import.state == State.DONE else 0
    unchanged.update(path=path, rows_written=written, position=0)


def sweep_files() -> None:
    """Discard what nobody decided about, and remove files that no import knows."""
    waiting = [State.UPLOADED, State.STAGED, State.FAILED]
    left = SampleImport.objects.filter(state__in=waiting, created_at__lt=now() - KEPT)
    for sample_import in left.exclude(path=""):
        imports.discard(sample_import)
    known = set(SampleImport.objects.exclude(path="").values_list("path", flat=True))
    if settings.UPLOAD_DIR.is_dir():
        for path in settings.UPLOAD_DIR.glob("*.upload"):
            if path.name not in known and time.time() - path.stat().st_mtime > STRAY:
                path.unlink(missing_ok=True)
