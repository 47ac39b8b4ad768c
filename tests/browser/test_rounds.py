"""Designing a round in a real browser: the trade follows the design; without script it is asked."""

import pytest
from playwright.sync_api import expect

from annotation.models import Round
from tests.factories import (
    make_annotator,
    make_codebook,
    make_machine,
    make_manager,
    make_project,
    make_sample,
    make_suggestion,
)


@pytest.fixture
def make_design(signed_in):
    """`make_design(...)` opens the form over forty samples that a machine has labelled."""

    def opened(**options):
        project = make_project()
        machine = make_machine(project, make_codebook(project))
        make_annotator(project)
        for i in range(40):
            sample = make_sample(project, f"text {i}")
            make_suggestion(machine, sample, {"yes": 0.5 + i / 100, "no": 0.5 - i / 100})
        page = signed_in(make_manager(project), **options).new_page()
        page.goto(f"/projects/{project.pk}/rounds/new/")
        return page

    return opened


def test_the_trade_follows_the_design(make_design):
    page = make_design()
    trade = page.locator("#trade")
    expect(trade).to_contain_text("8 of 40 in the frame")
    page.get_by_label("Budget").fill("50%")
    page.get_by_label("People a sample").fill("2")
    page.get_by_label("People a sample").blur()
    expect(trade).to_contain_text("44 answers asked for")
    page.get_by_label("Budget").fill("plenty")
    page.get_by_label("Budget").blur()
    expect(trade).to_contain_text("is no budget")


def test_enter_reckons_and_only_the_button_draws(make_design):
    page = make_design()
    page.get_by_label("Budget").fill("7")
    page.get_by_label("Budget").press("Enter")
    expect(page.locator("#trade")).to_contain_text("9 of 40 in the frame")
    assert not Round.objects.exists()
    page.get_by_role("button", name="Draw and open the round").click()
    page.wait_for_url("**/rounds/*/")
    assert Round.objects.get().items.count() == 9


def test_without_script_the_trade_is_asked_for(make_design):
    page = make_design(java_script_enabled=False)
    page.get_by_role("button", name="Reckon again").click()
    expect(page.locator("#trade")).to_contain_text("8 of 40 in the frame")
    page.get_by_role("button", name="Draw and open the round").click()
    page.wait_for_url("**/rounds/*/")
    assert Round.objects.get().items.count() == 8


def test_the_slider_of_the_certificate_asks_for_another_promise(signed_in):
    project = make_project()
    machine = make_machine(project, make_codebook(project))
    for i in range(12):
        make_suggestion(machine, make_sample(project, f"text {i}"), {"yes": 0.9, "no": 0.1})
    page = signed_in(make_manager(project)).new_page()
    page.goto(f"/projects/{project.pk}/certificate/")
    expect(page.locator("#certificate")).to_contain_text("At most 5.0")
    slider = page.get_by_role("slider", name="At most wrong, %")
    slider.press("ArrowRight")
    expect(page.locator("#certificate")).to_contain_text("At most 5.5")
    assert page.get_by_role("spinbutton", name="At most wrong, %").input_value() == "5.5"
    page.get_by_role("spinbutton", name="At most wrong, %").fill("8")
    page.get_by_role("button", name="Reckon").click()
    expect(page.locator("#certificate")).to_contain_text("At most 8.0")
    assert slider.input_value() == "8"
