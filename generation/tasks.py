"""Celery entry points: ids in, one action called, safe to deliver twice."""

# Called every half second by the worker's timer; each returns at once when nothing is due.
TICKS = ()
