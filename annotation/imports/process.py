"""The way in: preview or stage an uploaded file in a child process with hard limits."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from annotation.imports import staging
from annotation.imports.contracts import Detection, Options
from annotation.imports.limits import MB, Limits, over
from annotation.imports.mapping import Mapping, mapping_from
from annotation.imports.reasons import ImportRefused, Reason, Refused, Row, gettext_noop

logger = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parent.parent.parent
GRACE = 2  # seconds after which the parent ends a child that outlived its own alarm
NAME_LENGTH = 200

DIED = gettext_noop(
    "The reader broke off while reading this file, which is probably damaged. Open it in the "
    "program that made it and save it again, best as .csv or .jsonl."
)
_DEATHS = {
    signal.SIGXCPU: "cpu_seconds",
    signal.SIGALRM: "wall_seconds",
    signal.SIGKILL: "memory_mb",  # by the system, which has run out of it
    signal.SIGABRT: "memory_mb",  # how Rust and C++ answer a refused allocation
}


@dataclass(frozen=True)
class Preview:
    """What a person checks before an import."""

    detection: Detection
    rows: tuple[Row, ...]  # the first 20, long cells cut
    refused: tuple[Refused, ...]  # those among the first 200
    mapping: Mapping  # a proposal


@dataclass(frozen=True)
class Staged:
    """A file that was read to its end; nothing of it is in the database yet."""

    directory: Path
    detection: Detection
    mapping: Mapping
    rows: int
    good: int
    refused: int
    duplicates: int  # good rows whose fields stand in an earlier row of the file
    references: list | None = None  # [[reference, rows], ...]; None: too many different ones

    @property
    def samples_path(self) -> Path:
        return self.directory / staging.SAMPLES

    @property
    def refused_path(self) -> Path:
        return self.directory / staging.REFUSED


def preview(path: Path, name: str, options: Options, limits: Limits) -> Preview:
    """The first rows and how the file is read; raises ImportRefused with what to do."""
    request = {"mode": "preview", "path": path, "name": name, "options": options}
    answer = _ask(request, limits, _ignore)
    return Preview(
        _detection(answer["detection"]),
        tuple(Row(*row) for row in answer["rows"]),
        tuple(refused_from(row) for row in answer["refused"]),
        mapping_from(answer["mapping"]),
    )


def stage(
    path: Path,
    name: str,
    options: Options,
    mapping: Mapping,
    limits: Limits,
    directory: Path,
    progress: Callable[[int], None] | None = None,
) -> Staged:
    """Read the whole file into the directory; `progress` is told the rows read so far.

    Raises ImportRefused, and then leaves nothing; staging again into the same directory is safe.
    A `progress` that raises ends the child and leaves nothing either: that is how to cancel.
    """
    directory.mkdir(parents=True, exist_ok=True)
    request = {"mode": "stage", "path": path, "name": name, "options": options}
    request |= {"mapping": mapping, "directory": directory}
    with contextlib.ExitStack() as failed:
        failed.callback(discard, directory)
        _ask(request, limits, progress or _ignore)
        failed.pop_all()
    return staged(directory)


def staged(directory: Path) -> Staged:
    """What an earlier process staged here; FileNotFoundError when it did not finish."""
    summary = json.loads((directory / staging.SUMMARY).read_text(encoding="utf-8"))
    counts = {key: summary[key] for key in ("rows", "good", "refused", "duplicates", "references")}
    detection, mapping = _detection(summary["detection"]), mapping_from(summary["mapping"])
    return Staged(directory=directory, detection=detection, mapping=mapping, **counts)


def discard(directory: Path) -> None:
    """Remove what staging wrote, and only that."""
    for name in (staging.SUMMARY, staging.SAMPLES, staging.REFUSED):
        (directory / name).unlink(missing_ok=True)
        (directory / f"{name}.part").unlink(missing_ok=True)


def refused_from(line: dict[str, Any]) -> Refused:
    """A line of the refused-rows file as the reader made it."""
    return Refused(line["row"], Reason(line["template"], line["params"]), line["excerpt"])


def safe_name(name: str) -> str:
    """The last part of a client's file name, fit to store and show; never used as a path."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(c for c in last if c.isprintable()).strip(" .")
    return shown[-NAME_LENGTH:] or "file"  # from the end: the ending says what it is


def _ask(request: dict[str, Any], limits: Limits, progress: Callable[[int], None]) -> Any:
    if request["path"].stat().st_size > limits.upload_mb * MB:
        raise over(limits, "upload_mb")
    asked = json.dumps({**request, "limits": limits}, default=_plain).encode()
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            [sys.executable, "-X", "utf8", "-m", "annotation.imports.child"],
            cwd=ROOT,
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        late = threading.Event()
        clock = threading.Timer(limits.wall_seconds + GRACE, _end, (child, late))
        with child:
            clock.start()
            try:
                answer = _conversation(child, asked, progress)
            finally:
                clock.cancel()
                child.kill()
        if answer is None:
            raise _death(child.returncode, late.is_set(), limits, errors)
    if "refused" in answer:
        raise ImportRefused(answer["refused"]["template"], **answer["refused"]["params"])
    return answer["done"]


def _conversation(child: subprocess.Popen, asked: bytes, progress: Callable[[int], None]) -> Any:
    """Send the request, pass progress on, and return the last line, if one came."""
    with contextlib.suppress(BrokenPipeError):
        child.stdin.write(asked)
        child.stdin.close()
    for line in child.stdout:
        answer = json.loads(line)
        if "progress" not in answer:
            return answer
        progress(answer["progress"])
    child.wait()
    return None


def _end(child: subprocess.Popen, late: threading.Event) -> None:
    late.set()
    child.kill()


def _death(code: int, late: bool, limits: Limits, errors: BinaryIO) -> ImportRefused:
    """What a child that died without a word died of."""
    limit = "wall_seconds" if late else _DEATHS.get(-code)
    if limit:
        return over(limits, limit)
    errors.seek(0)
    last = errors.read()[-2000:].decode(errors="replace")
    logger.error("The reader of an import ended with %s: %s", code, last)
    return ImportRefused(DIED)


def _environment() -> dict[str, str]:
    """Nothing of ours: no keys, no proxies, and as few threads as memory limits allow."""
    return {
        "PATH": os.defpath,
        "LC_ALL": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "TMPDIR": tempfile.gettempdir(),
    }


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else asdict(value)


def _detection(stored: dict[str, Any]) -> Detection:
    notes = tuple(Reason(**note) for note in stored["notes"])
    sheets, columns = tuple(stored["sheets"]), tuple(stored["columns"])
    return Detection(**{**stored, "notes": notes, "sheets": sheets, "columns": columns})


def _ignore(rows: int) -> None:
    pass
