"""Replies on disk before the database has them, so that no reply that arrived is bought again.

One file for each worker at work, locked by its process. A file that nobody holds belongs to a dead
worker: its entries are settled from there.
"""

import fcntl
import json
import logging
import os
import uuid
from contextlib import contextmanager

from django.conf import settings

from synthlab.failpoints import mutated

logger = logging.getLogger(__name__)


class Journal:
    """The entries of one worker. `write` is durable when it returns; `clear` once they are kept."""

    def __init__(self, file):
        self._file = file

    def write(self, entries):
        if mutated("no_journal"):
            return
        try:
            for entry in entries:
                self._file.write(json.dumps(entry).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            # A full disk: the database may still have room, and the reply is in memory.
            logger.error("the journal of replies cannot be written: %s", error.strerror)

    def clear(self):
        self._file.seek(0)
        self._file.truncate()


@contextmanager
def opened():
    """A new journal. Left with an error, its entries stay on disk for the next replay."""
    settings.JOURNAL_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = settings.JOURNAL_DIR / f"{uuid.uuid4().hex}.jsonl"
    # Locked under another name first, so that no replay takes a file in the making for an orphan.
    making = path.with_suffix(".making")
    with open(os.open(making, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600), "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        making.rename(path)
        yield Journal(file)
        if path.stat().st_size == 0:
            path.unlink(missing_ok=True)


def orphans():
    """The entries that dead workers left behind, file by file: (entries, forget)."""
    for path in sorted(settings.JOURNAL_DIR.glob("*.jsonl")):
        try:
            file = open(path, "rb")  # noqa: SIM115 - closed below, when the lock may go
        except FileNotFoundError:
            continue
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield _entries(file), lambda path=path: path.unlink(missing_ok=True)


def _entries(file):
    """Whole lines only: a half one was never durable, so that nobody relied on it."""
    return [json.loads(line) for line in file.read().splitlines(keepends=True) if _whole(line)]


def _whole(line):
    return line.endswith(b"\n")
