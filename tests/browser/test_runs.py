"""Starting a label run in a real browser: the estimate follows the form and takes nothing away."""

import pytest
from playwright.sync_api import expect

from generation.models import AllowedHost
from tests.factories import make_codebook, make_connection, make_manager, make_project, make_sample
from tests.generation.runs import ABILITIES


@pytest.fixture
def page(signed_in):
    """The form over two samples; nothing is sent to the connection."""
    project = make_project()
    make_codebook(project)
    make_sample(project, "first text")
    make_sample(project, "second text")
    AllowedHost.objects.create(host="127.0.0.1")
    make_connection(shared=True, capabilities=ABILITIES)
    page = signed_in(make_manager(project)).new_page()
    page.goto(f"/projects/{project.pk}/runs/new/")
    return page


def estimate(page):
    return page.locator("#estimate")


def hold_back(page):
    """Requests for an estimate wait in this list until they are let go."""
    held = []

    def hold(route):
        held.append(route) if route.request.method == "POST" else route.continue_()

    page.route("**/runs/new/", hold)
    return held


def let_go(page, held):
    page.wait_for_timeout(200)
    for route in held:
        route.continue_()
    page.unroute_all(behavior="wait")


def test_what_is_typed_while_the_estimate_is_on_its_way_stays(page):
    expect(estimate(page)).to_contain_text("Samples2")
    held = hold_back(page)
    page.get_by_label("At most").fill("1")
    page.get_by_label("At most").blur()
    words = page.get_by_label("Text holds")
    words.focus()
    page.keyboard.type("fir")
    let_go(page, held)
    assert held
    expect(estimate(page)).to_contain_text("Samples1")
    expect(words).to_be_focused()
    page.keyboard.type("st")
    expect(words).to_have_value("first")


def test_another_technique_brings_its_options_and_its_estimate_and_keeps_the_rest(page):
    page.get_by_label("Text holds").fill("first")
    page.get_by_label("Text holds").blur()
    expect(estimate(page)).to_contain_text("Samples1")
    held = hold_back(page)
    page.get_by_label("Technique").select_option("votes")
    page.get_by_label("Cap in tokens").fill("5000")
    let_go(page, held)
    assert len(held) == 1
    votes = page.get_by_label("Votes for each sample")
    expect(votes).to_be_visible()
    expect(estimate(page)).to_contain_text("Requests for each sample: 5")
    expect(page.get_by_label("Cap in tokens")).to_have_value("5000")
    expect(page.get_by_label("Text holds")).to_have_value("first")
    votes.fill("2")
    votes.blur()
    expect(estimate(page)).to_contain_text("Requests for each sample: 2")


def test_a_choice_that_is_refused_says_why_beside_the_form(page):
    page.get_by_label("At most").evaluate("field => field.removeAttribute('min')")
    page.get_by_label("At most").fill("0")
    page.get_by_label("At most").blur()
    expect(estimate(page)).to_contain_text("At most: Ensure this value is greater")
    expect(page.get_by_label("At most")).to_have_value("0")
