"""A demo install of its own: the real command, its printed link, the browser and nothing else."""

import re
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.browser.watch import watch
from tests.faults.stack import environment, free_port, manage_in_background

USERNAME, PASSWORD = "ada", "a horse in the library"
STOP_SECONDS = 30


@dataclass
class Demo:
    """Where the demo answers, and the sessions that were opened in it."""

    address: str
    link: str
    chromium: object
    contexts: list = field(default_factory=list)

    def visitor(self, **options):
        """A page of someone who is not signed in, and the list of what goes wrong in it."""
        context = self.chromium.new_context(base_url=self.address, locale="en", **options)
        context.set_default_timeout(15_000)
        self.contexts.append(context)
        troubles = watch(context, self.address)
        return context.new_page(), troubles

    def manager(self, **options):
        """The same for the first manager, signed in by the form."""
        page, troubles = self.visitor(**options)
        sign_in(page, USERNAME)
        return page, troubles


def make_account(page, username):
    """Fill the form behind an invitation link."""
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password confirmation").fill(PASSWORD)
    page.locator("main button").click()


def sign_in(page, username):
    page.goto("/sign-in/")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


@contextmanager
def running(folder, chromium):
    """`manage.py demo` in this folder, with the first manager's account made from its link."""
    port = free_port()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    child = manage_in_background("demo", "--port", port, env=environment(folder), **pipes)
    try:
        link = _printed_link(child)
        demo = Demo(f"http://127.0.0.1:{port}", link, chromium)
        yield demo
        for context in demo.contexts:
            context.close()
    finally:
        child.terminate()
        child.communicate(timeout=STOP_SECONDS)


def _printed_link(child):
    said = []
    for line in child.stdout:
        said.append(line)
        if found := re.search(r"http\S+/invitations/\S+", line):
            return found[0]
    raise AssertionError(f"the demo ended without a link: {''.join(said)}")
