"""Writing releases, as workers do: one file each, taken up again when a worker dies."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.timezone import now
from django.utils.translation import gettext as _

from annotation.exports.formats import WRITERS
from annotation.exports.wanted import ExportRefused, Wanted
from annotation.exports.write import export, manifest_path, remove
from annotation.models import Release

TRIES = 5  # workers that may die over one release before it is given up
BEAT = timedelta(seconds=2)


class LeaseLost(Exception):
    """Another worker has taken the release over."""


@transaction.atomic
def claim_release() -> Release | None:
    """A due release for this worker alone; no other takes it while its lease is renewed."""
    due = Release.objects.due().order_by("pk").values_list("pk", "version").first()
    if due is None:
        return None
    pk, version = due
    state = Release.State.FAILED if version >= TRIES else Release.State.WRITING
    taken = Release.objects.due().filter(pk=pk, version=version)
    error = _(
        "Writing it broke off %(tries)s times. Ask whoever runs this site to look at the log."
    )
    changed = taken.update(
        state=state,
        version=F("version") + 1,
        lease_until=_lease(),
        rows_written=0,
        error=error % {"tries": TRIES} if version >= TRIES else "",
    )
    if not changed or state == Release.State.FAILED:
        return None
    return Release.objects.select_related("project").get(pk=pk)


def write_release(release: Release) -> bool:
    """Write the file of a claimed release; False: it failed, or another worker has it now.

    Every try writes under a name of its own, so that a worker that was believed dead cannot
    touch what its successor wrote.
    """
    wanted = Wanted.of(release)
    target = settings.RELEASE_DIR / _name(release, wanted)
    try:
        settings.RELEASE_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(release)
        made = export(
            release.project, wanted, target, packed=True, progress=_Beat(release).progress
        )
    except LeaseLost:
        return False
    except ExportRefused as refused:
        return _fail(release, str(refused))
    except OSError as error:
        return _fail(release, _("The file could not be stored: %(error)s.") % {"error": error})
    changed = _mine(release).update(
        state=Release.State.DONE,
        manifest=made,
        path=target.name,
        bytes=target.stat().st_size,
        rows_written=made["counts"]["rows"],
        lease_until=None,
        finished_at=now(),
    )
    if not changed:
        target.unlink()
        manifest_path(target).unlink()
    return bool(changed)


class _Beat:
    """Shows progress and keeps the lease, every other second."""

    def __init__(self, release: Release) -> None:
        self.release, self.due = release, now()

    def progress(self, done: int, total: int) -> None:
        if now() < self.due:
            return
        self.due = now() + BEAT
        shown = {"rows_written": done, "manifest": {"samples": total}}
        if not _mine(self.release).update(lease_until=_lease(), **shown):
            raise LeaseLost


def _mine(release: Release):
    writing = Release.objects.filter(pk=release.pk, state=Release.State.WRITING)
    return writing.filter(version=release.version)


def _lease():
    return Now() + timedelta(seconds=settings.WORK_LEASE_SECONDS)


def _name(release: Release, wanted: Wanted) -> str:
    suffix = WRITERS[wanted.format].suffix or ".zip"
    return f"release-{release.pk}-{release.version}{suffix}"


def _sweep(release: Release) -> None:
    """Remove what earlier tries left behind, and nothing of a later one."""
    for version in range(1, release.version):
        for hidden in (".", ""):
            for left in settings.RELEASE_DIR.glob(f"{hidden}release-{release.pk}-{version}.*"):
                remove(left)


def _fail(release: Release, error: str) -> bool:
    _mine(release).update(
        state=Release.State.FAILED, error=error, lease_until=None, finished_at=now(), manifest={}
    )
    return False
