"""Every page, light and dark, wide and on a telephone, as axe sees it."""

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings

from annotation.actions.accounts import invite
from annotation.models import Project
from synthlab import charts
from tests.browser.filled import fill
from tests.browser.watch import watch
from tests.test_roles import PATTERNS, ROLES, World

WIDTHS = {"telephone": (390, 844), "desk": (1280, 800)}
# Answers to GET that are no page of their own.
NO_PAGES = {
    "codebooks/<int:codebook_id>/export.json": "a file",
    "codebooks/<int:codebook_id>/export.md": "a file",
    "imports/<int:import_id>/progress/": "a fragment",
    "projects/<int:project_id>/quality/": "a fragment of the overview",
    "projects/<int:project_id>/rounds/new/preview/": "leads back to the design",
    "imports/<int:import_id>/refused.csv": "a file",
    "releases/<int:release_id>/download/": "a file",
    "releases/<int:release_id>/manifest/": "a file",
    "runs/<int:run_id>/progress/": "a fragment",
}
# Addresses that exist for a draft only.
DRAFTS = ("codebooks/<int:codebook_id>/edit/", "codebooks/<int:codebook_id>/publish/")
# Roles that see another page at the same address.
ALSO_AS = {
    "": ["annotator", "outsider"],
    "invitations/<str:token>/": ["anonymous"],
    "projects/<int:project_id>/": ["annotator", "adjudicator"],
}
RUN_AXE = """axe.run({resultTypes: ["violations"]}).then(({violations}) => violations
  .filter(({impact}) => impact === "serious" || impact === "critical")
  .map(({id, nodes}) => id + ": " + nodes.slice(0, 3).map((node) => node.target.join(" ") + " " +
       [...node.any, ...node.all, ...node.none].map((c) => c.message).join(", ")).join(" | ")))"""
DRAWN = """() => [...document.querySelectorAll("[data-chart]")].every(
  (box) => box.querySelector("canvas"))"""
TOO_WIDE = """[...document.querySelectorAll("body *")]
  .filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".table-wrap"))
  .slice(0, 3).map((e) => e.tagName + "." + e.className)"""


@pytest.fixture
def world(committed_db, snapshot_db):
    charts.build(settings.DATA_DIR / "built")
    world = World()
    world.ids["round_id"] = fill(world).pk
    project = Project.objects.get(pk=world.ids["project_id"])
    world.ids["token"] = invite(project, "annotator", world.users["manager"])
    return world


def pages(world):
    """(address, role) of every page there is, and the addresses that nobody accounted for."""
    found, unknown = [], []
    for route, _entry in PATTERNS:
        answers = {role: _get(world, route, role) for role in reversed(ROLES)}
        shown = [role for role, answer in answers.items() if _is_page(answer)]
        if shown:
            roles = {shown[0], *ALSO_AS.get(route, [])}
            found += [(_path(world, route, role), role) for role in sorted(roles)]
        elif route not in NO_PAGES and all(a.status_code != 405 for a in answers.values()):
            unknown.append(route)
    return found, unknown


def _path(world, route, role):
    path = world.path(route, role)
    draft = world.ids["draft_id"]
    return f"/codebooks/{draft}/{path.split('/')[3]}/" if route in DRAFTS else path


def _get(world, route, role):
    answer = world.client(role).get(_path(world, route, role))
    answer.close()
    return answer


def _is_page(answer):
    html = answer.headers.get("Content-Type", "").startswith("text/html")
    return html and answer.status_code == 200 and b"<html" in answer.content


def _troubles(page, path, name):
    """What axe finds serious at each width, and what sticks out on a telephone."""
    found = []
    for width, (across, down) in WIDTHS.items():
        page.set_viewport_size({"width": across, "height": down})
        if width == "telephone":
            page.goto(path)
            page.wait_for_function(DRAWN)
            page.evaluate(AXE_SCRIPT)
            if page.evaluate("document.documentElement.scrollWidth") > across:
                found.append(f"{name} scrolls sideways: {page.evaluate(TOO_WIDE)}")
        found += [f"{name} ({width}): {finding}" for finding in page.evaluate(RUN_AXE)]
    return found


@pytest.mark.timeout(400)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible_and_fits_a_telephone(world, signed_in, live_server, theme):
    found, unknown = pages(world)
    assert not unknown, "pages that are neither visited nor listed in NO_PAGES with a reason"
    tabs, troubles = {}, []
    for path, role in found:
        if role not in tabs:
            tabs[role] = _tab(world, signed_in, live_server, role, theme)
        page, heard = tabs[role]
        troubles += _troubles(page, path, f"{path} as {role}")
        troubles += heard
        heard.clear()
    assert not troubles, "\n".join(troubles)


def _tab(world, signed_in, live_server, role, theme):
    context = signed_in(world.users.get(role), color_scheme=theme)
    return context.new_page(), watch(context, live_server.url)
