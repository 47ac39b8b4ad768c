"""Celery entry points: ids in, one action called, safe to deliver twice."""

from celery import shared_task

from annotation.actions.release_writing import claim_release, write_release


@shared_task(ignore_result=True)
def work_on_releases() -> None:
    """Write the next release that is due."""
    if release := claim_release():
        write_release(release)


# Called every half second by the worker's timer; each returns at once when nothing is due.
TICKS = (work_on_releases,)
