"""The whole loop, in a demo install, by the browser alone: what a newcomer does in five minutes."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.demo import USERNAME, make_account

PROJECT = "Letters to a city library (demo)"


def section(page, name):
    page.get_by_role("navigation", name="Project").get_by_role("link", name=name).click()


@pytest.mark.timeout(300)
def test_a_newcomer_goes_through_the_whole_loop(demo):
    page, troubles = demo.manager()
    page.get_by_role("link", name=PROJECT).click()
    section(page, "Codebook")
    expect(page.get_by_text("Edition 1", exact=True)).to_be_visible()
    run_the_model(page)
    look_at_its_doubts(page)
    draw_a_round(page)
    label_twenty_by_keyboard(page)
    compare(page)
    make_a_release(page)
    invite_someone(page, demo)
    page.locator("details.menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_title(re.compile("Sign in"))
    page.goto("/projects/1/")
    expect(page).to_have_title(re.compile("Sign in"))
    assert troubles == []


def run_the_model(page):
    section(page, "Overview")
    page.get_by_role("link", name="Start a label run").click()
    expect(page.get_by_text("What it takes")).to_be_visible()
    page.get_by_label("Technique").select_option("votes")  # the page shows another price by itself
    expect(page.get_by_text(re.compile("about 400"))).to_be_visible()
    page.get_by_label("Technique").select_option("logprobs")
    expect(page.get_by_text(re.compile("about 80"))).to_be_visible()
    expect(page.locator("pre").last).to_contain_text("library")
    page.get_by_role("button", name="Start the run").click()
    expect(page.locator("#run_progress").get_by_text("done", exact=True)).to_be_visible(
        timeout=60_000
    )
    expect(page.locator("#run_progress")).to_contain_text("80 / 80")


def look_at_its_doubts(page):
    page.get_by_role("link", name="How sure is the machine?").click()
    expect(page.locator(".chart canvas")).to_be_visible()
    assert page.locator(".chart canvas").bounding_box()["width"] > 300
    page.get_by_text("The same figures as a table").click()
    page.locator("details table a").first.click()
    expect(page.locator("#behind tbody tr").first).to_be_visible()


def draw_a_round(page):
    page.get_by_role("link", name="Draw a review round").click()
    expect(page.get_by_label("Strategy")).to_have_value("least_confidence")
    page.get_by_label("Budget").fill("15")
    page.get_by_label("Audit part").fill("8")
    page.get_by_label(USERNAME, exact=True).check()
    expect(page.locator("#trade")).to_contain_text("23 of 80")
    page.get_by_role("button", name="Draw and open the round").click()
    expect(page.locator("main")).to_contain_text("0 / 23")


def label_twenty_by_keyboard(page):
    page.get_by_role("link", name="Label", exact=True).click()
    done, sample = page.locator("#done"), page.locator("#assignment")
    keys = [row.get_attribute("data-key") for row in page.locator("#labels [data-key]").all()]
    for n in range(20):
        shown = sample.get_attribute("data-key")
        page.wait_for_timeout(250)  # a key that bounces is not taken for an answer
        page.keyboard.press(keys[n % len(keys)])
        expect(done).to_have_text(str(n + 1))
        expect(sample).not_to_have_attribute("data-key", shown)
    expect(page.locator("#saved")).to_have_text("Saved")
    page.reload()
    expect(done).to_have_text("20")


def compare(page):
    page.locator(".breadcrumbs").get_by_role("link", name=PROJECT).click()
    expect(page.get_by_text("answers by people, 3 seats open")).to_be_visible()
    section(page, "Agreement")
    expect(page.locator("main")).to_contain_text("Accuracy over the whole set")
    expect(page.locator("main")).to_contain_text(re.compile(r"95 % interval|not measurable yet"))


def make_a_release(page):
    section(page, "Releases")
    page.get_by_label("JSON Lines").check()
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("Download")).click(timeout=30_000)
    rows = [json.loads(line) for line in download.value.path().read_text().splitlines()]
    assert len(rows) == 80
    by_people = [row for row in rows if row["final_source"] == "people"]
    assert len(by_people) == 20
    assert {row["final_edition"] for row in by_people} == {1}


def invite_someone(page, demo):
    """Whoever comes by an invitation finds only what annotators may."""
    section(page, "Members")
    page.get_by_label("For whom").fill("Bo")
    page.get_by_role("button", name="Make an invitation link").click()
    link = page.get_by_label("Invitation link").input_value()

    guest, troubles = demo.visitor()
    guest.goto(link)
    make_account(guest, "bo")
    expect(guest.get_by_text(f"Welcome to “{PROJECT}”.")).to_be_visible()
    open_to_them = guest.get_by_role("navigation", name="Project").get_by_role("link")
    assert open_to_them.all_inner_texts() == ["Overview", "Codebook", "Rounds"]
    project = guest.url
    for place in (
        "samples",
        "machines",
        "rounds/new",
        "agreement",
        "reliability",
        "releases",
        "runs",
        "members",
    ):
        assert guest.request.get(f"{project}{place}/").status == 404, place
    for place in ("/connections/", "/rounds/1/", "/rounds/1/review/"):  # a round without them
        assert guest.request.get(place).status == 404, place
    assert troubles == []

    late, _ = demo.visitor()
    assert late.goto(link).status == 410
