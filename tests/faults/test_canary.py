"""A key leaves the server only to its host: afterwards it is looked for everywhere (A12)."""

import base64
import json
import re
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from tests.faults import site, stack
from tests.generation.runs import LETTER_A
from tests.test_roles import PATTERNS

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

CANARY = "sk-canary-Zx81-0123456789abcdef-wxyz"
SAME = (CANARY, base64.b64encode(CANARY.encode()).decode(), CANARY[::-1], CANARY[:20])
CONTROL = "control-of-the-search"  # what is no secret must be found, or the search is blind

PREPARE = """
from generation.models import AllowedHost
project = f.make_project()
manager = f.make_manager(project)
manager.is_superuser = True
manager.save()
f.make_codebook(project)
for n in range(6):
    f.make_sample(project, f"Sample number {n}.")
AllowedHost.objects.create(host="127.0.0.1")
AllowedHost.objects.create(host="localhost")
print(json.dumps([project.pk, session(manager)]))
"""
# Every way in which an endpoint may repeat the key that it was sent.
ECHOES = (
    {"status": 401, "message": f"Incorrect API key: {CANARY}"},
    {"status": 500, "message": CANARY, "headers": {"x-request-id": CANARY}},
    {"status": 429, "message": CANARY, "headers": {"retry-after": CANARY}},
    {"raw": f"<html>Authorization: Bearer {CANARY}</html>"},
    {"redirect": f"http://127.0.0.1:9/{CANARY}"},
    {"hang": True},
    {"close": True},
    {"cut": True, "text": CANARY},
    {"text": CANARY, "model": CANARY, "reasoning": CANARY, "refusal": CANARY},
)


class Visit:
    """A manager at work, who keeps every answer of the server."""

    def __init__(self, browser):
        self.browser, self.seen = browser, []

    def open(self, path):
        return self._keep(self.browser.get(path))

    def send(self, page, form, to=""):
        return self._keep(self.browser.submit(page, form, to))

    def _keep(self, answer):
        for part in (*answer.history, answer):
            self.seen.append(f"{part.url} {part.headers} {part.text}")
        return answer


def connection_form(url, **fields):
    form = {"name": CONTROL, "base_url": url, "key": CANARY, "model": "m", "currency": "USD"}
    return form | {"concurrency": 2, "deadline_seconds": 1, "shared": "on"} | fields


def until(condition, seconds=90):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("it did not happen in time")


def one(env, query):
    return stack.rows(env, query)[0][0]


def all_rows(env):
    """Every row of every table, as text."""
    if not env["SYNTHLAB_DATABASE_URL"]:
        tables = stack.rows(env, "SELECT name FROM sqlite_master WHERE type = 'table'")
        return "".join(str(stack.rows(env, f'SELECT * FROM "{name}"')) for (name,) in tables)
    tables = stack.rows(env, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return "".join(str(stack.rows(env, f'SELECT t::text FROM "{name}" t')) for (name,) in tables)


def ids(env, project):
    """A row for each name in an address, as far as there is one."""
    named = {
        "connection_id": "generation_connection",
        "run_id": "generation_run",
        "call_id": "generation_call",
        "machine_id": "annotation_machineannotator",
        "sample_id": "annotation_sample",
        "release_id": "annotation_release",
        "codebook_id": "annotation_codebook",
    }
    found = {name: one(env, f"SELECT MAX(id) FROM {table}") for name, table in named.items()}
    return found | {"project_id": project, "other_id": found["codebook_id"], "token": "none"}


def open_everything(visit, env, project):
    known = ids(env, project)
    for route, _entry in PATTERNS:
        if set(re.findall(r"<\w+:(\w+)>", route)) <= known.keys():
            visit.open("/" + re.sub(r"<\w+:(\w+)>", lambda match: str(known[match[1]]), route))
    for (call,) in stack.rows(env, "SELECT id FROM generation_call"):
        visit.open(f"/calls/{call}/")


def broken_pages(visit, env, connection, base_url):
    """500s with the key in the request, and in the row that the server just read."""
    rename = "ALTER TABLE generation_connection RENAME COLUMN {} TO {}"
    change(env, rename.format("currency", "gone"))
    try:
        for page in ("/connections/new/", f"/connections/{connection}/"):
            form = connection_form(base_url, name="another")
            assert visit.send("/projects/new/", form, page).status_code == 500
    finally:
        change(env, rename.format("gone", "currency"))


def change(env, statement):
    """Change the install's database behind Django's back."""
    script = f"from django.db import connection\nconnection.cursor().execute({statement!r})"
    stack.manage("shell", "-v0", "-c", script, env=env)


@pytest.fixture
def heard(install, request):
    """What goes through the broker: Redis on PostgreSQL, nothing outside the worker on SQLite."""
    if not install["SYNTHLAB_DATABASE_URL"]:
        yield None
        return
    install["SYNTHLAB_BROKER_URL"] = request.getfixturevalue("redis_url")
    with listening(install["SYNTHLAB_BROKER_URL"]) as commands:
        yield commands


@contextmanager
def listening(url):
    """A list that fills with every command that Redis is sent."""
    commands, stop = [], threading.Event()
    with redis.Redis.from_url(url, socket_timeout=None) as server, server.monitor() as monitor:

        def listen():
            for command in monitor.listen():
                commands.append(command["command"])
                if stop.is_set():
                    return

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield commands
        finally:
            stop.set()
            server.ping()  # the last command that is heard
            thread.join(10)


def opened(commands):
    """The commands as text, and what they hold in base64, as bodies of messages do."""
    text = "".join(commands)
    bodies = re.findall(r"[A-Za-z0-9+/]{16,}", text)
    return text + "".join(str(base64.b64decode(body[: len(body) // 4 * 4])) for body in bodies)


def files_with(folder, words):
    found = []
    for path in (path for path in Path(folder).rglob("*") if path.is_file()):
        content = path.read_bytes()
        found += [(str(path), word) for word in words if word.encode() in content]
    return found


def test_a12_a_key_is_found_nowhere_after_all_that_can_happen_to_it(
    install, heard, openai_server, tmp_path_factory
):
    env = {**install, "SYNTHLAB_LOG_LEVEL": "DEBUG", "SYNTHLAB_WORK_LEASE_SECONDS": "2"}
    project, session = json.loads(site.signed_in(env, PREPARE))
    logs = tmp_path_factory.mktemp("logs")
    with site.web(env, logs / "web") as address, site.Browser(address, session) as browser:
        visit = Visit(browser)
        use_the_key(visit, env, openai_server, project, logs)
        open_everything(visit, env, project)
    assert {entry.headers["authorization"] for entry in openai_server.ledger} == {
        f"Bearer {CANARY}"
    }
    places = {"pages": "".join(visit.seen), "rows": all_rows(env)}
    for name, text in places.items():
        assert CONTROL in text, f"{name} were not searched"
        assert [word for word in SAME if word in text] == [], name
    if heard is not None:
        text = opened(heard)
        assert "generation.tasks.work" in text
        assert "[[], {}, {" in text, "the bodies of messages were not opened"
        assert [word for word in SAME if word in text] == []
    assert files_with(logs, ["/connections/", "Internal Server Error", "work"])
    assert files_with(logs, SAME) == []
    folder = env["SYNTHLAB_DATA_DIR"]
    if not env["SYNTHLAB_DATABASE_URL"]:
        assert files_with(f"{folder}/database", [CONTROL])
    assert files_with(folder, ["Sample number 5."])
    assert files_with(folder, SAME) == []


def use_the_key(visit, env, server, project, logs):
    """Every flow that has the key in its hands: good ones, refused ones, broken ones."""
    visit.send("/connections/new/", connection_form(server.base_url))
    connection = one(env, "SELECT id FROM generation_connection")
    page = f"/connections/{connection}/"
    for refused in ({"concurrency": 0}, {"base_url": "http://10.1.2.3/v1"}, {"name": ""}):
        assert visit.send(page, connection_form(server.base_url, **refused)).status_code == 422
    for echo in ECHOES:
        server.always(**echo)
        visit.send(page, {"consent": "on"}, f"{page}probe/")
    server.script()
    assert "Probed" in visit.send(page, {"consent": "on"}, f"{page}probe/").text
    broken_pages(visit, env, connection, server.base_url)
    label(visit, env, server, project, connection, logs)


def label(visit, env, server, project, connection, logs):
    """A run whose worker is killed with a reply on disk only, then goes on, then exports."""
    server.always(text="A", logprobs=LETTER_A, model=CANARY, headers={"x-request-id": CANARY})
    form = {"connection": connection, "technique": "logprobs"}
    visit.send(f"/projects/{project}/runs/new/", form)
    run = one(env, "SELECT id FROM generation_run")
    killed = {**env, "SYNTHLAB_FAIL": "reply.journalled:kill"}
    with site.worker(killed, logs / "killed") as process:
        assert process.wait(90) == -signal.SIGKILL
    assert files_with(env["SYNTHLAB_DATA_DIR"] + "/journal", ["logprobs"])
    assert files_with(env["SYNTHLAB_DATA_DIR"] + "/journal", SAME) == []
    visit.send(f"/projects/{project}/releases/", {"format": "jsonl"})
    with site.worker(env, logs / "worker"):
        until(lambda: one(env, f"SELECT state FROM generation_run WHERE id = {run}") == "done")
        until(lambda: one(env, "SELECT COUNT(*) FROM annotation_release WHERE state = 'done'"))
