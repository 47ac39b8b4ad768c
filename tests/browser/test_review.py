"""The review page in a real browser: keys, speed, and nothing lost when things go wrong."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.sessions.models import Session
from playwright.sync_api import expect

from annotation.models import Annotation, Assignment
from tests.browser.conftest import sign_in
from tests.factories import (
    make_annotator,
    make_codebook,
    make_machine,
    make_project,
    make_round,
    make_suggestion,
)

TEXTS = [f"text number {n}" for n in range(1, 9)]


@pytest.fixture
def make_review(signed_in):
    """`make_review(...)` opens the page of a fresh round for its annotator."""

    def opened(task_type="single_label", texts=TEXTS, slugs=("yes", "no", "maybe"), **options):
        project = make_project(task_type, language=options.pop("language", "en"))
        make_codebook(project, slugs, unsure="offered")
        annotator = make_annotator(project)
        machine = make_machine(project) if options.pop("machine", False) else None
        round_ = make_round(project, texts, [annotator], machine=machine)
        for item in round_.items.all() if machine else ():
            make_suggestion(machine, item.sample, {"yes": 0.1, "no": 0.7, "maybe": 0.2})
        page = signed_in(annotator, **options).new_page()
        page.goto(f"/rounds/{round_.pk}/review/")
        page.annotator = annotator
        return page

    return opened


def sample(page):
    return page.locator("#assignment .text")


def codes():
    return list(Annotation.objects.order_by("pk").values_list("code", flat=True))


def test_labels_are_given_by_keys_one_request_each(make_review):
    page = make_review()
    requests = []
    page.on("request", lambda request: "/static/" in request.url or requests.append(request.url))
    places = [option.bounding_box() for option in page.locator(".option").all()]
    for n, key in enumerate("1320", start=1):
        expect(sample(page)).to_have_text(f"text number {n}")
        page.keyboard.press(key)
    expect(sample(page)).to_have_text("text number 5")
    expect(page.locator("#saved")).to_have_text("Saved")
    assert codes() == ["yes", "maybe", "no", "unsure"]
    assert len(requests) == 4
    assert places == [option.bounding_box() for option in page.locator(".option").all()]
    expect(page.locator("#decisions li")).to_have_count(4)
    expect(page.locator("#done")).to_have_text("4")


def test_undo_and_the_strip_open_answers_again_and_x_comes_back(make_review):
    page = make_review()
    for n, key in enumerate("12", start=1):
        expect(sample(page)).to_have_text(f"text number {n}")
        page.keyboard.press(key)
    expect(sample(page)).to_have_text("text number 3")
    page.keyboard.press("z")
    expect(sample(page)).to_have_text("text number 2")
    page.keyboard.press("z")
    expect(sample(page)).to_have_text("text number 1")
    page.keyboard.press("x")
    expect(sample(page)).to_have_text("text number 2")
    page.keyboard.press("x")
    expect(sample(page)).to_have_text("text number 3")
    page.keyboard.press("u")
    expect(sample(page)).to_have_text("text number 2")
    expect(page.locator(".option[aria-current]")).to_have_attribute("value", "no")
    page.keyboard.press("3")
    expect(sample(page)).to_have_text("text number 3")
    assert codes() == ["yes", "no", "maybe"]
    assert Annotation.objects.current().count() == 2
    expect(page.locator("#decisions li").first).to_contain_text("Maybe")
    expect(page.locator("#done")).to_have_text("2")


def test_skip_asks_for_the_reason_and_digits_answer_it(make_review):
    page = make_review()
    page.keyboard.press("s")
    expect(page.locator("#skip")).to_be_visible()
    page.keyboard.press("2")
    expect(sample(page)).to_have_text("text number 2")
    assert Assignment.objects.get(state="skipped").skip_reason == "bad_text"
    assert codes() == []


def test_flag_and_comment_go_with_the_answer(make_review):
    page = make_review()
    page.keyboard.press("f")
    page.keyboard.press("c")
    page.keyboard.type("looks 1 bit odd")
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    expect(sample(page)).to_have_text("text number 2")
    stored = Annotation.objects.get()
    assert (stored.flag, stored.comment, stored.code) == (True, "looks 1 bit odd", "no")


def test_several_labels_are_ticked_by_keys_and_saved_by_enter_or_space(make_review):
    page = make_review("multi_label")
    page.keyboard.press("1")
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    expect(sample(page)).to_have_text("text number 2")
    page.keyboard.press("2")
    page.keyboard.press("Space")
    expect(sample(page)).to_have_text("text number 3")
    expect(page.get_by_role("button", name="Save: none of the labels")).to_be_visible()
    assert codes() == ["maybe|yes", "no"]


def test_a_label_is_found_by_its_name(make_review):
    page = make_review(slugs=[f"topic{n}" for n in range(40)])
    before = page.locator(".row").first.bounding_box()
    page.keyboard.press("/")
    page.keyboard.type("topic33")
    expect(page.locator(".row:not([data-out])")).to_have_count(1)
    page.locator(".rows").evaluate("rows => { rows.scrollTop = 0 }")
    assert page.locator(".row").first.bounding_box() == before
    page.keyboard.press("Enter")
    expect(sample(page)).to_have_text("text number 2")
    assert codes() == ["topic33"]


def test_the_model_shows_after_the_answer_and_holds_nothing_up(make_review):
    page = make_review(machine=True)
    assert page.locator("meter").count() == 0
    page.keyboard.press("1")
    expect(sample(page)).to_have_text("text number 2")
    expect(page.locator("#reveal")).to_contain_text("the model said otherwise")
    page.keyboard.press("m")
    expect(page.locator("#reveal")).to_contain_text("Decided after seeing the model")
    expect(sample(page)).to_have_text("text number 2")
    page.keyboard.press("2")
    expect(sample(page)).to_have_text("text number 3")
    expect(page.locator("#reveal")).to_contain_text("the model said the same")
    assert codes() == ["yes", "no", "no"]
    assert list(Annotation.objects.measuring().values_list("code", flat=True)) == ["yes", "no"]


def test_a26_a_double_click_answers_one_sample(make_review):
    page = make_review()
    page.locator(".option").first.dblclick()
    expect(sample(page)).to_have_text("text number 2")
    page.wait_for_timeout(300)
    assert codes() == ["yes"]


def test_a_held_key_answers_one_sample(make_review):
    page = make_review()
    for _ in range(20):
        page.keyboard.down("1")
    page.keyboard.up("1")
    expect(sample(page)).to_have_text("text number 2")
    assert codes() == ["yes"]


def test_a38_offline_answers_are_kept_shown_and_sent_later(make_review):
    page = make_review()
    page.context.set_offline(True)
    page.keyboard.press("1")
    expect(page.locator("#saved")).to_have_text("Not sent: 1")
    expect(sample(page)).to_have_text("text number 2")
    page.keyboard.press("2")
    expect(page.locator("#saved")).to_have_text("Not sent: 2")
    expect(page.locator("#assignment")).to_contain_text("Your answers wait to be sent")
    kept = page.evaluate("JSON.stringify(localStorage)")
    assert "client_key" in kept
    assert "text number" not in kept
    assert codes() == []
    page.context.set_offline(False)
    expect(sample(page)).to_have_text("text number 3")
    expect(page.locator("#saved")).to_have_text("Saved")
    assert codes() == ["yes", "no"]


def test_a38_a_lost_reply_is_asked_for_again_and_nothing_is_stored_twice(make_review):
    page = make_review()
    lost = []

    def lose_the_first(route):
        if lost:
            return route.continue_()
        lost.append(route.fetch())
        return route.abort()

    page.route("**/assignments/*/", lose_the_first)
    page.reload()  # so that no request goes past the route
    page.keyboard.press("1")
    expect(page.locator("#saved")).to_have_text("Not sent: 1")
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#saved")).to_have_text("Saved")
    expect(sample(page)).to_have_text("text number 2")
    assert lost[0].status == 200
    assert codes() == ["yes"]


def test_a38_a_broken_server_loses_nothing_either(make_review):
    page = make_review()
    page.route("**/assignments/*/", lambda route: route.fulfill(status=503))
    page.reload()  # so that no request goes past the route
    page.keyboard.press("3")
    expect(page.locator("#saved")).to_have_text("Not sent: 1")
    page.unroute("**/assignments/*/")
    page.reload()  # the tab is new; what was not sent is still there
    expect(page.locator("#saved")).to_have_text("Saved")
    assert codes() == ["maybe"]


def test_a38_signed_out_in_mid_work_the_answer_waits_for_the_sign_in(make_review, live_server):
    page = make_review()
    Session.objects.all().delete()
    page.keyboard.press("1")
    expect(page.locator("#saved")).to_have_text("Not sent: 1")
    expect(page.get_by_role("link", name="You are signed out: sign in")).to_be_visible()
    assert codes() == []
    sign_in(page.context, live_server.url, page.annotator)
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#saved")).to_have_text("Saved")
    expect(page.locator("#sign-in")).to_be_hidden()
    assert codes() == ["yes"]


def test_a_stale_token_is_renewed_by_the_page_itself(make_review):
    page = make_review()
    page.context.clear_cookies(name="csrftoken")
    page.keyboard.press("2")
    expect(page.locator("#saved")).to_have_text("Saved")
    assert codes() == ["no"]


def test_a38_a_draft_outlives_its_tab(make_review):
    page = make_review("multi_label")
    page.keyboard.press("2")
    page.keyboard.press("c")
    page.keyboard.type("half a thought")
    page.close()
    again = page.context.new_page()
    again.goto(page.url)
    expect(again.locator("textarea")).to_have_value("half a thought")
    expect(again.locator("input[value=no]")).to_be_checked()


def test_a26_two_tabs_with_different_answers_show_both(make_review):
    page = make_review()
    other = page.context.new_page()
    other.goto(page.url)
    page.keyboard.press("1")
    expect(sample(page)).to_have_text("text number 2")
    other.keyboard.press("2")
    expect(other.locator("#notice")).to_contain_text("Both answers are here")
    expect(other.locator("#notice")).to_contain_text("Yes")
    expect(other.locator("#notice")).to_contain_text("No")
    assert codes() == ["yes"]
    other.get_by_role("button", name="Change it to what I sent now").click()
    expect(sample(other)).to_have_text("text number 2")
    assert codes() == ["yes", "no"]


def test_it_works_without_javascript(make_review):
    page = make_review(machine=True, java_script_enabled=False)
    page.locator(".option").first.click()
    expect(sample(page)).to_have_text("text number 2")
    expect(page.locator("#reveal")).to_contain_text("the model said otherwise")
    page.get_by_role("button", name="Keep mine").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#assignment")).to_contain_text("Opened again")
    page.get_by_role("link", name="Back to the queue").click()
    page.get_by_role("button", name="Skip").click()
    page.get_by_role("button", name="The text is broken").click()
    expect(sample(page)).to_have_text("text number 3")
    assert codes() == ["yes", "yes"]


def test_the_end_says_so(make_review):
    page = make_review(texts=["the only text"])
    page.keyboard.press("1")
    expect(page.locator("#assignment")).to_contain_text("Nothing is left for you here")
    page.keyboard.press("1")
    assert codes() == ["yes"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("task_type", ["single_label", "multi_label", "rating"])
def test_axe_finds_nothing_serious(make_review, task_type, scheme):
    page = make_review(task_type, machine=True, color_scheme=scheme)
    page.keyboard.press("1")
    if task_type == "multi_label":
        page.keyboard.press("Enter")
    expect(page.locator("#saved")).to_have_text("Saved")
    page.keyboard.press("g")
    found = Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert not serious, [(one["id"], [n["html"] for n in one["nodes"]]) for one in serious]


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_phone_needs_no_sideways_scrolling(make_review, language):
    page = make_review(
        "multi_label",
        texts=["لا " * 200 if language == "ar" else "x" * 900, "next"],
        viewport={"width": 390, "height": 844},
        has_touch=True,
        language=language,
    )
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.locator(".option").first.tap()
    page.get_by_role("button", name="Save", exact=False).tap()
    expect(sample(page)).to_have_text("next")
    assert codes() == ["yes"]
