"""Who may open what: every URL declares it, and foreign rows do not exist (A03, A06)."""

import re
import uuid

import pytest
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from annotation import access
from annotation.actions.accounts import invite
from annotation.actions.release_writing import claim_release, write_release
from annotation.actions.releases import request_release
from annotation.exports.wanted import Wanted
from annotation.models import CodebookNote, Estimate, Membership, SampleImport
from generation.models import AllowedHost, Attempt, Call, Run, Slot
from tests import factories as f

pytestmark = pytest.mark.django_db
ROLES = [
    "anonymous",
    "outsider",
    "annotator",
    "adjudicator",
    "manager",
    "foreign_manager",
    "superuser",
]
UNKNOWN = {"value": None, "low": None, "high": None, "n_eff": None, "n": 0, "reason": ""}
METHODS = ["GET", "POST", "PUT", "DELETE"]
# What each role may open, by the roles that a view declares.
ADMITTED = {
    access.ANYONE: set(ROLES),
    access.SIGNED_IN: set(ROLES) - {"anonymous"},
    access.SUPERUSER: {"superuser"},
    access.MANAGING: {"manager", "foreign_manager", "superuser"},
    access.MANAGER: {"manager"},
    access.ADJUDICATOR: {"adjudicator"},
    access.ANNOTATOR: {"annotator"},
}


def patterns(resolver=None, prefix=""):
    for entry in (resolver or get_resolver()).url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from patterns(entry, route)
        elif isinstance(entry, URLPattern):
            yield route, entry


PATTERNS = list(patterns())


@pytest.mark.parametrize(("route", "entry"), PATTERNS, ids=[route or "/" for route, _ in PATTERNS])
def test_a03_every_url_declares_whom_it_admits(route, entry):
    roles = getattr(entry.callback, "roles", None)
    assert roles, f"/{route} lacks @admits(...)"
    assert set(roles) <= set(ADMITTED), f"/{route} declares unknown roles"
    if access.ANYONE not in roles:
        assert getattr(entry.callback, "login_required", True), f"/{route} is open to anyone"


def written_release(project, manager):
    release = request_release(project, Wanted("jsonl"), manager)
    write_release(claim_release())
    return release


def kept_estimate(project, mark):
    return Estimate.objects.create(
        project=project,
        codebook=project.edition(),
        batch=uuid.uuid4(),
        figure="machine:percent",
        method="wilson",
        options={"level": 0.95, "replicates": 1000, "seed": 0},
        inputs={"rounds": [], "until": {"annotation": 0, "adjudication": 0, "suggestion": 0}}
        | {"read": mark, "edition": 1, "machine": None},
        result={**UNKNOWN, "naive": UNKNOWN},
        result_hash="0",
        code_version=mark,
    )


class World:
    """One project with a row of every kind, and users of every role; all texts hold the mark."""

    def __init__(self, mark="own"):
        project = f.make_project(name=f"{mark} project")
        older = f.make_codebook(project, question=mark, instructions=mark)
        draft_parent = f.make_codebook(project, question=mark, instructions=mark)
        draft = f.make_codebook(project, published=False)
        manager = f.make_manager(project)
        annotator, adjudicator = f.make_annotator(project), f.make_adjudicator(project)
        people = [manager, annotator, adjudicator]
        texts = [f"{mark} {number}" for number in range(3)]
        round_ = f.make_round(project, texts, people, name=mark)
        second = f.make_round(project, texts, people, name=mark)
        machine = f.make_machine(project, draft_parent, name=mark)
        item, middle, last = round_.items.order_by("rank")
        f.make_suggestion(machine, item.sample, {"yes": 0.75, "no": 0.25})
        trial = f.make_codebook(
            project, published=False, state="trial", parent=draft_parent, question=mark
        )
        tried = f.make_machine(project, trial, name=f"{mark} trial")
        for yes in (0.25, 0.75):
            dev = f.make_sample(project, f"{mark} dev {yes}", split="dev")
            f.make_suggestion(machine, dev, {"yes": yes, "no": 1 - yes})
            f.make_suggestion(tried, dev, {"yes": 0.75, "no": 0.25})
        f.make_locked_split(project)
        # An answer can be changed by whoever gave it, so each role has one of their own.
        self.answers = {
            "annotator": f.make_annotation(item, annotator, "yes", comment=mark).pk,
            "adjudicator": f.make_annotation(middle, adjudicator, "no", comment=mark).pk,
            "manager": f.make_annotation(last, manager, "yes", comment=mark).pk,
        }
        connection = f.make_connection(created_by=manager, shared=False, name=mark)
        run = Run.objects.create(project=project, connection=connection, machine=machine)
        slot = Slot.objects.create(run=run, index=0, sample=item.sample)
        attempt = Attempt.objects.create(slot=slot, number=1, step=0)
        call = Call.objects.create(
            run=run,
            connection=connection,
            attempt=attempt,
            request_hash="0",
            request={"asked": mark},
            model_asked="m",
        )
        note = CodebookNote.objects.create(
            project=project, codebook=draft_parent, text=mark, author=manager
        )
        invite(project, Membership.Role.ANNOTATOR, manager)
        self.users = {
            "outsider": f.make_user("outsider"),
            "annotator": annotator,
            "adjudicator": adjudicator,
            "manager": manager,
            "foreign_manager": f.make_manager(f.make_project()),
            "superuser": f.make_superuser(),
        }
        self.ids = {
            "project_id": project.pk,
            "codebook_id": draft_parent.pk,
            "draft_id": draft.pk,
            "other_id": older.pk,
            "round_id": round_.pk,
            "item_id": item.pk,
            "sample_id": item.sample_id,
            "machine_id": machine.pk,
            "import_id": SampleImport.objects.create(project=project, file_name=mark).pk,
            "estimate_id": kept_estimate(project, mark).pk,
            "release_id": written_release(project, manager).pk,
            "run_id": run.pk,
            "call_id": call.pk,
            "slot_id": slot.pk,
            "connection_id": connection.pk,
            "note_id": note.pk,
            "invitation_id": project.invitations.get().pk,
            "host_id": AllowedHost.objects.create(host=f"models{len(mark)}.example").pk,
            "token": "not-a-token",
            "user_id": annotator.pk,
            "membership_id": f.make_annotator(project).memberships.get().pk,
            "format": "json",
        }
        # Each person holds a seat of their own in the second round.
        self.seats = {}
        for user in people:
            role = user.memberships.get().role
            seat = second.assignments.open().first()
            second.assignments.filter(pk=seat.pk).update(state="leased", annotator=user)
            self.seats[role] = seat.pk

    def path(self, route, role):
        """The address with this world's ids; KeyError names a parameter nobody thought of."""

        def value(match):
            name = match["name"]
            if name == "annotation_id":
                return str(self.answers.get(role, self.answers["manager"]))
            if name == "assignment_id":
                return str(self.seats.get(role, self.seats["manager"]))
            return str(self.ids[name])

        return "/" + re.sub(r"<(?:\w+:)?(?P<name>\w+)>", value, route)

    def ask(self, role, method, route):
        """The status of one request; a streamed file is closed again."""
        response = self.client(role).generic(method, self.path(route, role))
        response.close()
        return response.status_code

    def client(self, role):
        client = Client()
        if role != "anonymous":
            client.force_login(self.users[role])
        return client


@pytest.fixture
def world(snapshot_db, settings, tmp_path):
    settings.RELEASE_DIR = tmp_path
    return World()


def admitted(entry, role):
    return any(role in ADMITTED[declared] for declared in entry.callback.roles)


@pytest.mark.parametrize(("route", "entry"), PATTERNS, ids=[route or "/" for route, _ in PATTERNS])
def test_a03_the_matrix_of_roles_and_methods_is_as_declared(world, route, entry):
    for role in ROLES:
        for method in METHODS:
            status = world.ask(role, method, route)
            said = f"{method} {route} as {role} answers {status}"
            assert status < 500, said
            if admitted(entry, role):  # what they find is for the test below and the page's own
                assert status == 405 or method in {"GET", "POST"}, said
                continue
            if role == "anonymous":
                assert status in {302, 405}, said
            else:
                assert status in {404, 405}, said


# Of those whom a view admits, these find something at the addresses of this world.
AT_HOME = {
    access.ANYONE: {"anonymous"},
    access.SIGNED_IN: set(ROLES) - {"anonymous"},
    access.MANAGING: {"manager", "superuser"},
}


@pytest.mark.parametrize(("route", "entry"), PATTERNS, ids=[route or "/" for route, _ in PATTERNS])
def test_a03_whoever_is_declared_finds_something(world, route, entry):
    for declared in entry.callback.roles:
        for role in AT_HOME.get(declared, {declared}):
            found = [world.ask(role, method, route) for method in ("GET", "POST")]
            assert any(status not in {404, 405} for status in found), f"{route} {role}: {found}"


def test_a03_a_connection_of_another_manager_does_not_exist(world):
    for route in ("connections/<int:connection_id>/", "connections/<int:connection_id>/probe/"):
        for method in METHODS:
            assert world.ask("foreign_manager", method, route) in {404, 405}


TOKEN = "a" * 32  # in the cookie and in the form: what a page of ours sends
EVIL = ("https://evil.example", "http://evil.testserver", "http://testserver:81", "null")


def posted(world, route, form, **headers):
    """The status of a manager's POST by a client that is checked as browsers are."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.users["manager"])
    client.cookies["csrftoken"] = TOKEN
    response = client.post(world.path(route, "manager"), form, headers=headers)
    response.close()
    return response.status_code


@pytest.mark.parametrize(("route", "entry"), PATTERNS, ids=[route or "/" for route, _ in PATTERNS])
def test_a06_no_post_gets_in_without_a_token_or_from_elsewhere(world, route, entry):
    sent = {"csrfmiddlewaretoken": TOKEN}
    for headers in ({}, {"HX-Request": "true"}, {"Origin": "http://testserver"}):
        assert posted(world, route, {}, **headers) == 403, headers
        assert posted(world, route, {"csrfmiddlewaretoken": "b" * 32}, **headers) == 403, headers
    for origin in EVIL:
        assert posted(world, route, sent, **{"Origin": origin, "HX-Request": "true"}) == 403
    assert posted(world, route, sent, Origin="http://testserver") != 403, "nothing is checked"


CLAIMS = {"rounds/<int:round_id>/review/"}  # opening it leases the samples that it shows
# Seeing figures before their round is finished is written down: that is what the page warns of.
LOOKS = {
    f"projects/<int:project_id>/{page}/"
    for page in ("agreement", "quality", "reliability", "certificate")
}
CHANGES = ("INSERT", "UPDATE", "DELETE", "REPLACE")


@pytest.mark.parametrize(("route", "entry"), PATTERNS, ids=[route or "/" for route, _ in PATTERNS])
def test_a06_reading_a_page_changes_nothing(world, route, entry):
    changes = []

    def watch(execute, sql, params, many, context):
        if sql.lstrip().upper().startswith(CHANGES) and "django_session" not in sql:
            changes.append(sql)
        return execute(sql, params, many, context)

    role = next(role for role in ("manager", "superuser", *ROLES) if admitted(entry, role))
    client = world.client(role)
    with connection.execute_wrapper(watch):
        for method in (client.get, client.head):
            response = method(world.path(route, role))
            response.getvalue()
            assert response.status_code in {200, 302, 304, 404, 405, 410}
    if route in LOOKS:
        changes = [sql for sql in changes if "annotation_look" not in sql]
    assert changes == [] or route in CLAIMS
