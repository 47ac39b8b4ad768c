"""Celery entry points: ids in, one action called, safe to deliver twice."""

from celery import shared_task

from annotation.actions import draws, forecasts, imports_work, rankings, students
from annotation.actions.release_writing import claim_release, write_release


@shared_task(ignore_result=True)
def work_on_releases() -> None:
    """Write the next release that is due."""
    if release := claim_release():
        write_release(release)


@shared_task(ignore_result=True)
def work_on_imports() -> None:
    """Read or write the next import that is due."""
    imports_work.work_on_due()


@shared_task(ignore_result=True)
def sweep_imports() -> None:
    """Remove what imports that are over have left."""
    imports_work.sweep()


@shared_task(ignore_result=True)
def work_on_draws() -> None:
    """Draw the next round that was left to the worker."""
    draws.work_on_due()


@shared_task(ignore_result=True)
def rerank() -> None:
    """Order the open seats of a round anew by what its answers have taught."""
    rankings.rerank_due()


@shared_task(ignore_result=True)
def work_on_forecasts() -> None:
    """Work out the next forecast that was asked for."""
    forecasts.work_on_due()


@shared_task(ignore_result=True)
def work_on_students() -> None:
    """Write what the next student says."""
    students.work_on_due()


# Called every half second by the worker's timer; each returns at once when nothing is due.
TICKS = (
    work_on_releases,
    work_on_imports,
    sweep_imports,
    work_on_draws,
    rerank,
    work_on_forecasts,
    work_on_students,
)
