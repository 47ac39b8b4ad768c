"""SynthLab: human-in-the-loop annotation."""

from synthlab.celery import app as celery_app

__all__ = ["celery_app"]
