"""A real Chromium and a live server; skipped, saying so, where there is no Chromium."""

import importlib
import os
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from tests.browser.demo import USERNAME, make_account, running
from tests.faults.stack import missing

CHROMIUM = os.environ.get("SYNTHLAB_CHROMIUM", "/usr/bin/chromium")
QUIET = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Playwright's synchronous half runs an event loop, in which Django would refuse the database.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium():
    if not Path(CHROMIUM).exists():
        missing(f"Chromium ({CHROMIUM}; SYNTHLAB_CHROMIUM names another)")
    sync_api = importlib.import_module("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def demo(chromium, tmp_path_factory):
    """One demo install for all tests that need one; its first manager has an account."""
    with running(tmp_path_factory.mktemp("demo"), chromium) as demo:
        page, troubles = demo.visitor()
        page.goto(demo.link)
        make_account(page, USERNAME)
        page.wait_for_url(f"{demo.address}/")
        assert troubles == []
        yield demo


@pytest.fixture
def signed_in(committed_db, live_server, chromium):
    """`signed_in(user)` is a browser context in which the user, if there is one, is signed in."""
    contexts = []

    def open_context(user, **options):
        context = chromium.new_context(base_url=live_server.url, locale="en", **options)
        context.set_default_timeout(10_000)
        if user is not None:
            sign_in(context, live_server.url, user)
        contexts.append(context)
        return context

    yield open_context
    for context in contexts:
        context.close()


def sign_in(context, url, user):
    """Give the context a session of the user, as if they had just signed in."""
    client = Client()
    client.force_login(user)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": url}])
