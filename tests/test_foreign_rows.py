"""Ids of another project, wherever a request can hold one, reach nothing there (A03)."""

import itertools
import re

import pytest
from django.apps import apps
from django.db import connection

from tests.odd_requests import Thrower, joined
from tests.test_roles import PATTERNS, World, admitted, world  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db
PARTS = 4  # for tests that run beside each other
FAR = 700_000  # rows of the other project begin behind it, so that their ids are nobody else's
MARK = "foreigncanary"
MODELS = {
    model._meta.db_table: model
    for app in ("annotation", "generation")
    for model in apps.get_app_config(app).get_models(include_auto_created=True)
}
CHOICES = {"technique": "logprobs", "format": "jsonl", "between": "people", "strategy": "uniform"}


@pytest.fixture
def other(world):  # noqa: F811 - the fixture
    """Another project with a row of every kind, none of which has an id that the first has."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sqlite_sequence SET seq = %s", [FAR])
    found = World(MARK)
    for user in found.users.values():
        user.username = f"{MARK} {user.pk}"
        user.save()
    return found


def far_rows():
    """Every row behind FAR as a dict, by table and id."""
    found = {}
    with connection.cursor() as cursor:
        for table in MODELS:
            cursor.execute(f'SELECT * FROM "{table}" WHERE id > {FAR}')
            names = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                values = dict(zip(names, row, strict=True))
                found[table, values["id"]] = values
    return found


def links(key, row):
    """What a row refers to, as table and id."""
    for field in MODELS[key[0]]._meta.concrete_fields:
        if field.is_relation:
            yield field.related_model._meta.db_table, row[field.column]


class Reach(Thrower):
    """Sends ids of the other project in each parameter and in each place of the address."""

    def __init__(self, own, route, role):
        super().__init__(own, route, role)
        self.leaks = []

    def ask(self, path, query="", body=None):
        if body is None:
            response = self.client.get(path, QUERY_STRING=query)
        else:
            kind = {"content_type": "application/x-www-form-urlencoded"}
            response = self.client.post(path, body, **kind)
        if MARK.encode() in response.getvalue():
            self.leaks.append(f"{path} {query or body}")
        return response.status_code

    def reach(self):
        for send in (self.sent_in_address, self.sent_in_body):
            if send("") == 405:
                continue
            names = self.names(send)
            for text in asked(names, str(FAR + 1).encode()):
                send(text)

    def sent_in_address(self, text):
        return self.ask(self.path, text)

    def sent_in_body(self, text):
        return self.ask(self.path, body=text)


def asked(names, pk):
    """The id in all parameters at once, and in each alone amid understood ones."""
    good = {name: CHOICES.get(name, "1").encode() for name in names}
    yield joined(dict.fromkeys(names, pk))
    yield joined(dict.fromkeys(names, pk) | {name: good[name] for name in names if name in CHOICES})
    for name in names:
        yield joined({**good, name: pk})


def mixed(own, other, route):
    """Addresses that name this project and a row of the other one."""
    names = re.findall(r"<int:(\w+)>", route)
    for far in itertools.product((False, True), repeat=len(names)):
        if any(far) and not all(far):
            ids = {n: (other if f else own).ids[n] for n, f in zip(names, far, strict=True)}
            yield "/" + re.sub(r"<int:(\w+)>", lambda found, ids=ids: str(ids[found[1]]), route)


@pytest.mark.parametrize("part", range(PARTS))
def test_a03_no_parameter_reaches_into_another_project(world, other, part):  # noqa: F811
    before = far_rows()
    assert other.ids["project_id"] == other.ids["connection_id"] == FAR + 1
    for route, entry in PATTERNS[part::PARTS]:
        if not admitted(entry, "manager"):
            continue
        reach = Reach(world, route, "manager")
        reach.reach()
        assert reach.leaks == []
        after = far_rows()
        assert {key: after.get(key) for key in before} == before, f"/{route}"
        for key in after.keys() - before.keys():
            assert before.keys().isdisjoint(links(key, after[key])), f"/{route} {key}"


def test_a03_a_row_of_another_project_is_not_found_under_ones_own(world, other):  # noqa: F811
    addresses = [path for route, _ in PATTERNS for path in mixed(world, other, route)]
    assert len(addresses) >= 6
    client = world.client("manager")
    for path in addresses:
        for ask in (client.get, client.post):
            assert ask(path).status_code in {404, 405}, path
