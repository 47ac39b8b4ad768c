"""The codebook editor in a real browser: live renderings, moving rows, and nothing lost."""

import pytest
from playwright.sync_api import expect

from annotation.models import Codebook
from tests.factories import make_codebook, make_manager, make_project


@pytest.fixture
def make_editor(signed_in):
    """`make_editor(...)` opens the editor of a fresh draft for its manager."""

    def opened(slugs=("yes", "no"), **options):
        project = make_project()
        draft = make_codebook(project, slugs, published=False)
        page = signed_in(make_manager(project), **options).new_page()
        page.draft, page.errors = draft, []
        page.on("pageerror", lambda error: page.errors.append(error))
        page.goto(f"/codebooks/{draft.pk}/edit/")
        return page

    return opened


def slugs(page):
    return [row.input_value() for row in page.locator("[name$='-slug']").all()]


def state(page):
    return page.locator("[data-state]")


def test_both_renderings_follow_what_is_typed(make_editor):
    page = make_editor()
    page.fill("#id_question", "Is it <b>really</b> so?")
    expect(page.locator("#card h2")).to_have_text("Is it <b>really</b> so?")
    expect(page.locator("#prompt")).to_contain_text("# Question\nIs it <b>really</b> so?")
    expect(state(page)).to_have_text("Not saved yet")
    assert Codebook.objects.get().question == "Is it so?"
    assert page.errors == []


def test_a_row_moves_by_keyboard_and_keeps_focus_text_and_open_labels(make_editor):
    page = make_editor(("a", "b", "c"))
    page.click("#label-c summary")
    page.fill("[name=labels-2-definition]", "typed, not saved")
    up = page.locator("button[value='up-2']")
    up.focus()
    page.keyboard.press("Enter")
    expect(page.locator("[name=labels-1-definition]")).to_have_value("typed, not saved")
    expect(page.locator("button[value='up-1']")).to_be_focused()
    assert slugs(page) == ["a", "c", "b"]
    expect(page.locator("#label-c")).to_have_attribute("open", "")
    expect(page.locator("#label-a")).not_to_have_attribute("open", "")


def test_a_label_is_added_written_and_saved_by_keyboard_alone(make_editor):
    page = make_editor()
    page.focus("button[value='add-label']")
    page.keyboard.press("Enter")
    expect(page.locator("[name=labels-2-name]")).to_be_focused()
    page.keyboard.type("Perhaps")
    page.keyboard.press("Enter")
    expect(page.locator(".message")).to_have_text("The draft is saved.")
    expect(state(page)).to_have_text("Saved")
    assert Codebook.objects.get().rules().slugs == ("yes", "no", "perhaps")


def test_leaving_with_unsaved_words_asks_first_and_saved_ones_do_not(make_editor):
    page = make_editor()
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.fill("#id_question", "Unsaved?")
    page.evaluate("location.href = '/'")
    expect(state(page)).to_have_text("Not saved yet")
    page.wait_for_timeout(300)
    assert asked == ["beforeunload"]
    page.keyboard.press("Control+s")
    expect(page.locator(".message")).to_have_text("The draft is saved.")
    page.goto("/")
    assert asked == ["beforeunload"]


def test_a_save_that_does_not_reach_the_server_says_so_and_keeps_the_words(make_editor):
    page = make_editor()
    page.fill("#id_question", "Typed in a tunnel?")
    page.context.set_offline(True)
    page.click("button[value='save']")
    expect(state(page)).to_contain_text("Not sent")
    expect(page.locator("#id_question")).to_have_value("Typed in a tunnel?")
    page.context.set_offline(False)
    page.click("button[value='save']")
    expect(page.locator(".message")).to_have_text("The draft is saved.")
    assert Codebook.objects.get().question == "Typed in a tunnel?"


def test_the_editor_works_without_javascript(make_editor):
    page = make_editor((), java_script_enabled=False)
    page.fill("#id_question", "Without script?")
    for index, name in enumerate(["Alpha", "Beta"]):
        page.click("button[value='add-label']")
        page.fill(f"[name=labels-{index}-name]", name)
    page.click("button[value='up-1']")
    page.click("button[value='save']")
    expect(page.locator(".message")).to_have_text("The draft is saved.")
    page.click("text=Publish …")
    page.click("button:has-text('Publish edition 1')")
    assert Codebook.objects.get().is_published
    assert Codebook.objects.get().rules().slugs == ("beta", "alpha")
