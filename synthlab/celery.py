"""The Celery application. The broker is a doorbell: what is to be done stands in the database."""

import os
import threading
from importlib import import_module

from celery import Celery
from celery.signals import worker_ready, worker_shutting_down

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "synthlab.settings")
app = Celery("synthlab")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

PUMP_SECONDS = 0.5
_stop = threading.Event()


def ticks():
    """The tasks that look for due work; each app lists its own in `tasks.TICKS`."""
    modules = (import_module(f"{name}.tasks") for name in ("annotation", "generation"))
    return [task for module in modules for task in module.TICKS]


def ring():
    """Call every tick now and again until the worker stops; a call that waited too long is void."""
    while not _stop.wait(PUMP_SECONDS):
        for task in ticks():
            task.apply_async(expires=PUMP_SECONDS * 2)


@worker_ready.connect
def start_ringing(**kwargs):
    threading.Thread(target=ring, name="ticks", daemon=True).start()


@worker_shutting_down.connect
def stop_ringing(**kwargs):
    _stop.set()
