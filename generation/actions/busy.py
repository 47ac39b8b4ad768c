"""Waiting for a database that is busy, instead of losing what was paid for."""

import time

from django.db import OperationalError, connection

TRIES = 5


def patiently(write, *arguments):
    """Call it again when the database is locked; inside a transaction only the caller can."""
    for left in range(TRIES - 1, -1, -1):
        try:
            return write(*arguments)
        except OperationalError as error:
            busy = "locked" in str(error) or "deadlock" in str(error)
            if not busy or not left or connection.in_atomic_block:
                raise
            time.sleep(0.2 * (TRIES - left))
    return None
