"""The whole loop, in a demo install, by the browser alone: what a newcomer does in five minutes."""


import pytest
from playwright.sync_api import expect

from tests.browser.demo import make_account

pytestmark = [pytest.mark.xdist_group("demo"), pytest.mark.timeout(300)]
PROJECT = "Letters to a city library (demo)"


def section(page, name):
    page.get_by_role("navigation", name="Project").get_by_role("link", name=name).click()


def test_someone_invited_finds_only_what_annotators_may(demo):
    page, troubles = demo.manager()
    page.get_by_role("link", name=PROJECT).click()
    section(page, "Members")
    page.get_by_label("For whom").fill("Bo")
    page.get_by_role("button", name="Make an invitation link").click()
    link = page.get_by_label("Invitation link").input_value()

    guest, guests_troubles = demo.visitor()
    guest.goto(link)
    make_account(guest, "bo")
    expect(guest.get_by_text(f"Welcome to “{PROJECT}”.")).to_be_visible()
    open_to_them = guest.get_by_role("navigation", name="Project").get_by_role("link")
    assert open_to_them.all_inner_texts() == ["Overview", "Codebook", "Rounds"]
    project = guest.url
    for place in ("samples", "machines", "rounds/new", "agreement", "releases", "runs", "members"):
        assert guest.request.get(f"{project}{place}/").status == 404, place
    assert guest.request.get("/connections/").status == 404

    late, _ = demo.visitor()
    assert late.goto(link).status == 410
    assert troubles + guests_troubles == []
