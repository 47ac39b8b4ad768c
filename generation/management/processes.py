"""Starting and keeping alive the processes of an embedded install: web, worker, stand-in."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field

from django.core.management.base import CommandError

STOP_SECONDS = 10
READY_SECONDS = 60


def free_port(wanted=0, host="127.0.0.1"):
    """This port if nobody listens on it, else any free one."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise CommandError("No free port was found.")


def web(host, port):
    """SQLite likes few writers: two processes with threads serve fifty annotators."""
    return [
        *(sys.executable, "-m", "gunicorn", "synthlab.wsgi:application"),
        *("--bind", f"{host}:{port}", "--workers", "2", "--threads", "8"),
        *("--worker-tmp-dir", "/dev/shm" if os.path.isdir("/dev/shm") else "/tmp"),
        *("--log-level", "warning", "--graceful-timeout", "5"),
        # Whether a proxy is believed is for SYNTHLAB_BEHIND_TLS_PROXY to say, not for its address.
        *("--forwarded-allow-ips", ""),
    ]


def worker():
    """In-memory transport: nothing durable is ever in the broker."""
    return [
        *(sys.executable, "-m", "celery", "-A", "synthlab", "--quiet", "worker"),
        *("--pool", "threads", "--concurrency", "8", "--loglevel", "warning"),
        *("--hostname", "embedded@localhost", "--without-gossip", "--without-mingle"),
        "--without-heartbeat",
    ]


def stand_in(port):
    return [sys.executable, "manage.py", "offline_model", "--port", str(port)]


@dataclass
class Family:
    """Child processes by name; one that dies is started again, later each time."""

    commands: dict[str, list[str]]
    cwd: str
    log: object = sys.stderr
    children: dict[str, subprocess.Popen] = field(default_factory=dict)
    deaths: dict[str, int] = field(default_factory=dict)

    def start(self):
        for name in self.commands:
            self._spawn(name)

    def _spawn(self, name):
        self.children[name] = subprocess.Popen(
            self.commands[name], cwd=self.cwd, start_new_session=True
        )

    def watch(self):
        """Until interrupted. A child that keeps dying at once is given up with its exit code."""
        while True:
            time.sleep(1)
            for name, child in list(self.children.items()):
                if (code := child.poll()) is not None:
                    self.deaths[name] = self.deaths.get(name, 0) + 1
                    if self.deaths[name] > 20:
                        raise CommandError(f"The {name} keeps stopping (exit code {code}).")
                    print(f"The {name} stopped ({code}); starting it again.", file=self.log)
                    time.sleep(min(self.deaths[name] - 1, 10))
                    self._spawn(name)

    def stop(self):
        for child in self.children.values():
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        until = time.monotonic() + STOP_SECONDS
        for child in self.children.values():
            try:
                child.wait(max(until - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()


def wait_until_answering(url, seconds=READY_SECONDS):
    """Until the address answers anything at all; CommandError when it never does."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    raise CommandError(f"{url} did not answer within {seconds} seconds.")
