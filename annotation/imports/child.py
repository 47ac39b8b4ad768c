"""The process that reads an upload: small rights, hard limits, and no way to the network.

Started by `process`; it takes one request as JSON on standard input and answers in JSON lines.
Whatever a hostile file does to it, it dies alone.
"""

import contextlib
import ctypes
import json
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from annotation.imports import staging
from annotation.imports.contracts import Options
from annotation.imports.limits import MB, Limits, over
from annotation.imports.mapping import mapping_from
from annotation.imports.reasons import ImportRefused, gettext_noop

NEW_USER, NEW_NET = 0x10000000, 0x40000000  # linux/sched.h
WRITTEN = 3  # times the unpacked limit that the child may write into one file

DISK = gettext_noop(
    "The server could not store the rows: %(error)s. Tell the operator; nothing was imported."
)


def confine(limits: Limits) -> None:
    """Give up network, memory, time and file size beyond the limits, for good."""
    memory = limits.memory_mb * MB
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    # The soft limit kills with SIGXCPU, which tells it from every other death.
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 5))
    written = limits.unpacked_mb * MB * WRITTEN
    resource.setrlimit(resource.RLIMIT_FSIZE, (written, written))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name in (signal.SIGALRM, signal.SIGXCPU):  # a parent that ignores them hands that on
        signal.signal(name, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, limits.wall_seconds)  # SIGALRM, if the parent is gone
    with contextlib.suppress(AttributeError):  # no such call on this system
        ctypes.CDLL(None).unshare(NEW_USER | NEW_NET)  # refused in some containers: no harm


def serve(request: dict[str, Any], limits: Limits) -> dict[str, Any]:
    path, name = Path(request["path"]), request["name"]
    options = Options(**request["options"])
    if request["mode"] == "preview":
        return staging.preview(path, name, options, limits)
    mapping = mapping_from(request["mapping"])
    directory = Path(request["directory"])
    return staging.stage(path, name, options, mapping, limits, directory, _progress)


def main() -> None:
    request = json.load(sys.stdin)
    limits = Limits(**request["limits"])
    confine(limits)
    try:
        answer = {"done": serve(request, limits)}
    except ImportRefused as error:
        answer = _refusal(error)
    except MemoryError:
        answer = None
    except OSError as error:
        answer = _refusal(ImportRefused(DISK, error=error.strerror or str(error)))
    if answer is None:  # said here, where the memory of the reader is free again
        answer = _refusal(over(limits, "memory_mb"))
    _say(answer)


def _refusal(error: ImportRefused) -> dict[str, Any]:
    return {"refused": {"template": error.reason.template, "params": error.reason.params}}


def _progress(rows: int) -> None:
    _say({"progress": rows})


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
