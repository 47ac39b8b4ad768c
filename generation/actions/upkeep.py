"""What every worker does: return what dead workers held, and look for what is due."""

import threading
from contextlib import contextmanager
from datetime import timedelta

from django.db.models import Exists, OuterRef
from django.utils.timezone import now

from generation.actions import embedding_work, ledger, runs, slots, work
from generation.models import Run, Slot, WorkerBeat
from synthlab.failpoints import mutated

BEAT_SECONDS = 5
_at_work: set[int] = set()  # runs that a thread of this process works on
_lock = threading.Lock()


def sweep():
    """Replies of dead workers first, then their slots; then the runs that may go on or are over."""
    if not mutated("no_sweep"):
        slots.replay_journals()
        slots.sweep()
    ledger.doubt_stray_probes()
    runs.wake()
    for run in runs_without_work():
        runs.end_if_done(run)
    runs.route_ended()


def beat(name):
    """A sign of life, written at most every few seconds."""
    late = now() - timedelta(seconds=BEAT_SECONDS)
    if not WorkerBeat.objects.filter(name=name, at__gt=late).exists():
        WorkerBeat.objects.update_or_create(name=name, defaults={"at": now()})


def plan_due():
    for run_id in Run.objects.filter(state=Run.State.PLANNING).values_list("pk", flat=True):
        runs.plan(run_id)


def work_on_due(seconds=work.SLICE_SECONDS):
    """A slice of the oldest run with due slots that no thread of this process works on, else of one
    that buys vectors; its id."""
    for run_id in due_runs():
        with _alone(run_id) as free:
            if free:
                work.work_on(run_id, seconds)
                return run_id
    return embedding_work.work_on_due(seconds)


def due_runs():
    moment = ledger.clock()
    due = Slot.objects.filter(run=OuterRef("pk"), state=Slot.State.PLANNED, due_at__lte=moment)
    return list(
        Run.objects.active().filter(Exists(due)).order_by("pk").values_list("pk", flat=True)
    )


def runs_without_work():
    open_ = Slot.objects.filter(
        run=OuterRef("pk"), state__in=[Slot.State.PLANNED, Slot.State.ACTIVE]
    )
    labelling = Run.objects.active().filter(~Exists(open_), kind=Run.Kind.LABEL)
    return labelling.select_related("machine__project")


@contextmanager
def _alone(run_id):
    """More threads of one process on one run would only get into each other's way."""
    with _lock:
        free = run_id not in _at_work
        _at_work.add(run_id)
    try:
        yield free
    finally:
        if free:
            with _lock:
                _at_work.discard(run_id)
