"""The real web server and worker over an install, and browsers that speak HTTP to them."""

import os
import re
import signal
import subprocess
from contextlib import contextmanager

import httpx2

from generation.management import processes
from tests.faults import stack

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)"(?: value="([^"]*)")?>')
SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.faults.site_settings"}


@contextmanager
def child(command, env, log):
    """A process in a session of its own, whose output goes to the end of a file."""
    with open(log, "ab") as file:
        process = subprocess.Popen(
            command,
            cwd=stack.ROOT,
            env={**env, **SETTINGS},
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def web(env, log):
    """gunicorn as `up` starts it; yields its address."""
    port = stack.free_port()
    with child(processes.web("127.0.0.1", port), env, log):
        stack.wait_for_port(port, seconds=60)
        yield f"http://127.0.0.1:{port}"


def worker(env, log):
    """The worker as `up` starts it, but talkative."""
    loud = ["debug" if word == "warning" else word for word in processes.worker()]
    return child(loud, env, log)


class Browser(httpx2.Client):
    """Keeps cookies, and sends the token that a page holds with each form."""

    def __init__(self, address, session="", headers=()):
        cookies = {"sessionid": session} if session else {}
        more = {"trust_env": False, "timeout": 60, "follow_redirects": True}
        super().__init__(base_url=address, cookies=cookies, headers=dict(headers), **more)

    def submit(self, page, form, to="", **options):
        """Open the page and send its form, there or elsewhere."""
        token = TOKEN.search(self.get(page).text)[1]
        form = {**form, "csrfmiddlewaretoken": token}
        return self.post(to or page, data=form, **options)


def signed_in(env, script):
    """What a script printed last as JSON, after it made rows; `session(user)` signs someone in."""
    done = stack.manage("shell", "-v0", "-c", SESSION + script, env={**env, **SETTINGS})
    return done.stdout.strip().splitlines()[-1]


SESSION = """
import json
from django.test import Client
from tests import factories as f
def session(user):
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value
"""
