"""Make the pictures of the README from a fresh demo: `.venv/bin/python docs/screenshots.py`.

Starts a demo of its own in a temporary folder, works in it by the browser as its first manager
does, and writes docs/img/*.png. Needs Chromium; SYNTHLAB_CHROMIUM names another than Debian's.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser.demo import USERNAME, make_account, running  # noqa: E402

CHROMIUM = os.environ.get("SYNTHLAB_CHROMIUM", "/usr/bin/chromium")
IMAGES = ROOT / "docs" / "img"
ANSWERED = 14


def work(page):
    """Label with the stand-in, draw a round, answer part of it."""
    page.goto("/projects/1/runs/new/")
    page.get_by_role("button", name="Start the run").click()
    page.get_by_role("link", name="How sure is the machine?").click(timeout=60_000)
    page.goto("/projects/1/rounds/new/")
    page.get_by_label("Name").fill("First review")
    page.get_by_label("Budget").fill("16")
    page.get_by_label("Audit part").fill("8")
    page.get_by_role("button", name="Draw and open the round").click()
    page.get_by_role("link", name="Label", exact=True).click()
    for n in range(ANSWERED):
        page.wait_for_timeout(400)
        label = right_answers()[page.locator("#assignment .text").inner_text()]
        page.keyboard.press(page.locator(f"#labels [value={label}]").get_attribute("data-key"))
        page.locator("#done").get_by_text(str(n + 1), exact=True).wait_for()


def right_answers():
    """The reference label of every letter of the demo."""
    letters = (ROOT / "annotation" / "demo" / "letters.jsonl").read_text().splitlines()
    return {letter["text"]: letter["reference"] for letter in map(json.loads, letters)}


def shoot(page, name):
    page.wait_for_timeout(500)
    page.screenshot(path=IMAGES / f"{name}.png")


def main():
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with running(folder, chromium) as demo:
            page, _troubles = demo.visitor(
                viewport={"width": 1280, "height": 800}, color_scheme="light"
            )
            page.goto(demo.link)
            make_account(page, USERNAME)
            page.wait_for_url(f"{demo.address}/")
            work(page)
            page.keyboard.press("ArrowDown")
            shoot(page, "review")
            page.goto("/projects/1/")
            shoot(page, "overview")


if __name__ == "__main__":
    main()
