"""From a file to samples in a real browser, with axe at every step."""

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import expect

from annotation.actions import imports_work
from annotation.models import Sample
from generation.actions import upkeep
from tests.browser.test_accessibility import RUN_AXE
from tests.browser.watch import watch
from tests.factories import make_codebook, make_manager, make_project

LETTERS = (
    "number;letter;wish\n"
    "1;Die Bücherei schließt zu früh.;yes\n"
    "2;阅览室很冷。;no\n"
    "3;;yes\n"
    "4;Die Bücherei schließt zu früh.;yes\n"
    "5;Thanks for everything.;perhaps\n"
)
WIDTHS = (390, 1280)


@pytest.fixture(params=["light", "dark"])
def page(request, signed_in, live_server, settings, tmp_path):
    """The page on which a manager chooses a file."""
    settings.UPLOAD_DIR = settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "uploads"
    settings.UPLOAD_DIR.mkdir()
    project = make_project()
    make_codebook(project)
    context = signed_in(make_manager(project), color_scheme=request.param)
    troubles = watch(context, live_server.url)
    page = context.new_page()
    page.goto(f"/projects/{project.pk}/samples/import/")
    yield page
    assert troubles == []


def upload(page, content, name="letters.csv"):
    file = {"name": name, "mimeType": "text/csv", "buffer": content}
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Upload and look").click()
    page.wait_for_url("**/imports/*/")


def step(page, name):
    expect(page.locator("ol.steps [aria-current]")).to_have_text(name)


def check_page(page):
    """Nothing serious for axe and no sideways scrolling, on a telephone and on a desk."""
    page.evaluate(AXE_SCRIPT)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate(RUN_AXE) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_file_is_uploaded_looked_at_mapped_checked_and_imported(page):
    check_page(page)
    upload(page, LETTERS.encode())
    step(page, "Look and map")
    expect(page.get_by_label("Columns are separated by")).to_have_value(";")
    expect(page.get_by_role("region", name="The first 5 rows")).to_contain_text("阅览室很冷。")
    check_page(page)

    roles = page.locator("table.mapping select[name^=role]")
    for place, role in enumerate(["id", "text", "reference"]):
        roles.nth(place).select_option(role)
    page.get_by_role("button", name="Check every row").click()
    step(page, "Check every row")
    progress = page.locator("#import_progress")
    expect(progress).to_contain_text("Waiting for a worker")
    expect(progress).to_contain_text("No worker is alive.")
    check_page(page)
    upkeep.beat("here")
    expect(progress).not_to_contain_text("No worker is alive.")

    imports_work.work_on_due()
    step(page, "Decide")
    expect(page.locator("main")).to_contain_text("Reference labels that the codebook does not have")
    expect(page.get_by_role("region", name="1 refused row")).to_contain_text("3")
    check_page(page)

    page.get_by_label("Import them without a reference label").check()
    page.get_by_role("button", name="Import the good rows").click()
    step(page, "Write")
    check_page(page)
    imports_work.work_on_due()
    step(page, "Done")
    expect(page.locator("main")).to_contain_text("3 samples are in the project.")
    check_page(page)
    page.get_by_role("link", name="See the samples").click()
    expect(page.get_by_role("region", name="Samples")).to_contain_text("Thanks for everything.")
    kept = Sample.objects.visible().order_by("pk")
    assert list(kept.values_list("external_id", "reference_code")) == [
        ("1", "yes"),
        ("2", "no"),
        ("5", None),
    ]


def test_a_wrong_encoding_is_seen_and_mended_in_the_preview(page):
    upload(page, LETTERS.replace("阅览室很冷。", "Kälte").encode("latin-1"))
    page.get_by_label("Encoding").select_option("cp1252")
    page.get_by_role("button", name="Read it again like this").click()
    expect(page.locator("#preview + .table-wrap")).to_contain_text("Bücherei schließt")
    check_page(page)


def test_nothing_can_be_imported_from_what_cannot_be_read(page):
    upload(page, b"\x00\x01\x02" * 50)
    expect(page.get_by_role("alert")).to_be_visible()
    check_page(page)
    page.get_by_role("button", name="Discard this file").click()
    expect(page.locator(".message")).to_contain_text("Nothing was imported")
    assert not Sample.objects.exists()
