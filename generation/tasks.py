"""Celery entry points: ids in, one action called, safe to deliver twice."""

import os
import socket

from celery import shared_task

from generation.actions import upkeep

NAME = f"{socket.gethostname()}:{os.getpid()}"


@shared_task(ignore_result=True)
def sweep() -> None:
    """Return what dead workers held, end what is over, and give a sign of life."""
    upkeep.beat(NAME)
    upkeep.sweep()


@shared_task(ignore_result=True)
def plan() -> None:
    """Write the slots of new runs."""
    upkeep.plan_due()


@shared_task(ignore_result=True)
def work() -> None:
    """Work a slice of a due run that no other thread of this process works on."""
    upkeep.work_on_due()


# Called every half second by the worker's timer; each returns at once when nothing is due.
TICKS = (sweep, plan, work)
