"""Holding an import while working on it: the lease, its version, and letting go."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice
from typing import TypeVar

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now
from django.utils.timezone import now

from annotation.models import SampleImport
from synthlab.failpoints import mutated

CHUNK = 500
STARTUP = 15  # seconds that a reader may take beyond its limit before it is taken for dead

Thing = TypeVar("Thing")


class Lost(Exception):
    """Somebody else holds the import now, or it was discarded."""


def lease(sample_import: SampleImport):
    """Until when the database takes its worker to be alive. A reader that opens a big file says
    nothing for as long as it may."""
    seconds = settings.WORK_LEASE_SECONDS
    if sample_import.state == SampleImport.State.STAGING:
        seconds = max(seconds, settings.IMPORT_WALL_SECONDS + STARTUP)
    return Now() + timedelta(seconds=seconds)


def hold(held: SampleImport, **fields) -> None:
    """Prolong the lease and write down how far it came; raises Lost."""
    until = Now() + timedelta(seconds=settings.WORK_LEASE_SECONDS)
    _write(held, lease_until=until, tries=0, **fields)


def let_go(held: SampleImport, state: str, **fields) -> None:
    """The last step of a worker; raises Lost."""
    _write(held, state=state, version=F("version") + 1, lease_until=None, tries=0, **fields)


def fail(held: SampleImport, message: str) -> None:
    let_go(held, SampleImport.State.FAILED, error=message, finished_at=now())


def _write(held, **fields):
    here = SampleImport.objects.filter(pk=held.pk)
    if not mutated("no_import_fence"):
        here = here.filter(version=held.version, state=held.state)
    if not here.update(**fields):
        raise Lost


def batches(things: Iterable[Thing], size: int) -> Iterator[list[Thing]]:
    things = iter(things)
    while some := list(islice(things, size)):
        yield some
