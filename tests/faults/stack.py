"""Servers of their own for tests: PostgreSQL and Redis as children on private sockets."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def missing(what):
    """Skip with the reason printed, or fail where nothing may be skipped."""
    if os.environ.get("SYNTHLAB_TESTS_MUST_RUN"):
        pytest.fail(f"{what} is not installed and SYNTHLAB_TESTS_MUST_RUN is set")
    pytest.skip(f"{what} is not installed")


def postgres_binaries():
    """The folder with initdb, newest version first, or None."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = [folder for folder in folders if (folder / "initdb").exists()]
    if not found and (initdb := shutil.which("initdb")):
        found = [Path(initdb).parent]
    return found[0] if found else None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def postgres():
    """A fresh PostgreSQL cluster; yields the address of an empty database."""
    if (binaries := postgres_binaries()) is None:
        missing("PostgreSQL")
    # The server refuses to run as root; Debian's package brings a user of its own.
    runner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = tempfile.mkdtemp(prefix="synthlab-pg-")
    if runner:
        shutil.chown(folder, "postgres")
    port = free_port()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
    data = f"{folder}/data"
    initdb = [*runner, f"{binaries}/initdb", "-D", data, "-U", "synthlab", "--auth=trust"]
    subprocess.run([*initdb, "--encoding=UTF8", "--locale=C.UTF-8"], check=True, **quiet)
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c max_connections=200"
    pg_ctl = [*runner, f"{binaries}/pg_ctl", "-D", data, "-w"]
    subprocess.run([*pg_ctl, "-o", options, "start"], check=True, **quiet)
    try:
        yield f"postgres://synthlab@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*pg_ctl, "-m", "immediate", "stop"], check=False, **quiet)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def redis():
    """A Redis of its own; yields its address."""
    if (binary := shutil.which("redis-server")) is None:
        missing("redis-server")
    port = free_port()
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", "/tmp"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for_port(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        child.kill()
        child.wait()


def wait_for_port(port, seconds=15):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port} after {seconds} s")


def environment(data_dir, database_url="", **more):
    """What a product process of a test is started with: a data folder and a database of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    settings = {"SYNTHLAB_DATA_DIR": str(data_dir), "SYNTHLAB_DATABASE_URL": database_url}
    return {**kept, "PYTHONPATH": str(ROOT), **settings, **more}


def rows(env, query):
    """What a query gives, asked of the install's own database without starting Django."""
    if url := env["SYNTHLAB_DATABASE_URL"]:
        with psycopg.connect(url) as connection:
            return connection.execute(query).fetchall()
    file = Path(env["SYNTHLAB_DATA_DIR"]) / "database" / "synthlab.sqlite3"
    with closing(sqlite3.connect(file, timeout=20)) as connection:
        return connection.execute(query).fetchall()


def manage(*arguments, env, check=True, timeout=120):
    """Run manage.py to its end; returns the finished process with its output as text."""
    return subprocess.run(
        [sys.executable, "manage.py", *map(str, arguments)],
        cwd=ROOT,
        env=env,
        check=check,
        timeout=timeout,
        capture_output=True,
        text=True,
    )


def manage_in_background(*arguments, env, **options):
    """Start manage.py as a child in a session of its own, so that it can be killed with its own."""
    command = [sys.executable, "manage.py", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True, **options)
