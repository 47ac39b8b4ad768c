"""What a worker knows before the database does, on disk, so that its death loses no reply.

Two files for each worker at work, locked by its process: `.jsonl` holds replies, written as they
arrive, before the next request goes out, and durable before they are settled; `.marks` says which
intents were really sent. A pair that nobody holds belongs to a dead worker. Marks are not synced:
they survive a killed process, and after a restart of the machine they are not believed.
"""

import fcntl
import json
import logging
import os
import threading
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from synthlab.failpoints import mutated

logger = logging.getLogger(__name__)
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Journal:
    """The files of one worker. Marks and replies may come from any thread."""

    def __init__(self, file, marks):
        self._file = file
        self._marks = marks
        self._lock = threading.Lock()
        self._kept = 0  # replies that the database does not know yet
        os.write(marks, f"boot {_boot()}\n".encode())

    def reserved(self, call_ids):
        os.write(self._marks, "".join(f"r {pk}\n" for pk in call_ids).encode())

    def sent(self, call_id):
        os.write(self._marks, f"s {call_id}\n".encode())

    def arrived(self, entry):
        """A reply; from now on the death of this process does not lose it."""
        line = json.dumps(entry).encode() + b"\n"
        with self._lock:
            self._kept += 1
            if not mutated("no_journal"):
                self._try(os.write, line)

    def sync(self):
        """All replies that arrived are durable when it returns."""
        if not mutated("no_journal"):
            self._try(os.fsync)

    def _try(self, function, *arguments):
        try:
            function(self._file.fileno(), *arguments)
        except OSError as error:
            # A full disk: the database may still have room, and the reply is in memory.
            logger.error("the journal of replies cannot be written: %s", error.strerror)

    def clear(self, count):
        """The database has so many more of the replies; emptied when it has all of them."""
        with self._lock:
            self._kept -= count
            if not self._kept:
                os.truncate(self._file.fileno(), 0)


@contextmanager
def opened():
    """A new journal. After an error its files stay on disk for the next replay."""
    settings.JOURNAL_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = settings.JOURNAL_DIR / f"{uuid.uuid4().hex}.jsonl"
    # Locked under another name first, so that no replay takes a file in the making for an orphan.
    making = path.with_suffix(".making")
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND
    with open(os.open(making, flags, 0o600), "r+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        marks = os.open(path.with_suffix(".marks"), flags, 0o600)
        try:
            making.rename(path)
            yield Journal(file, marks)
            path.unlink(missing_ok=True)
            path.with_suffix(".marks").unlink(missing_ok=True)
        finally:
            os.close(marks)


@dataclass(frozen=True)
class Orphan:
    """What a dead worker left: replies, the calls it had reserved, and those it had not sent."""

    path: Path
    entries: list[dict]
    reserved: list[int]
    never_sent: list[int]

    def forget(self):
        self.path.with_suffix(".marks").unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


def orphans():
    """The journals that nobody holds; each stays locked while the caller works on it."""
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
            yield Orphan(path, _entries(file), *_marked(path.with_suffix(".marks")))


def _entries(file):
    """Whole lines only: a half one (a kill in mid-write, a full disk) was relied on by nobody."""
    entries = []
    for line in file.read().splitlines():
        with suppress(ValueError):
            entries.append(json.loads(line))
    return entries


def _marked(marks):
    """The reserved calls and those of them without a mark of being sent; neither where the marks
    cannot be believed."""
    pairs = [line.split() for line in marks.read_text().splitlines()] if marks.exists() else []
    if not pairs or pairs[0] != ["boot", _boot()] or _boot() == "unknown":
        return [], []
    sent = {pk for kind, pk in pairs if kind == "s"}
    reserved = [pk for kind, pk in pairs if kind == "r"]
    return [int(pk) for pk in reserved], [int(pk) for pk in reserved if pk not in sent]


def _boot():
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else "unknown"
