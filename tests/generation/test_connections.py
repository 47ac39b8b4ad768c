"""How models are reached: who may see and change a connection, and where a key may go."""

import logging

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection as database
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from generation.models import AllowedHost, Call, Connection
from tests.factories import (
    make_annotator,
    make_connection,
    make_manager,
    make_project,
    make_superuser,
)

pytestmark = pytest.mark.django_db

CANARY = "sk-canary-0123456789-wxyz"
FIELDS = {
    "name": "Mine",
    "base_url": "http://127.0.0.1:8001/v1",
    "model": "a-model",
    "currency": "USD",
    "concurrency": 4,
    "deadline_seconds": 30,
}


@pytest.fixture
def manager(client):
    user = make_manager(make_project())
    client.force_login(user)
    return user


@pytest.fixture
def allowed():
    AllowedHost.objects.create(host="127.0.0.1")


def test_a_manager_makes_a_connection(client, manager, allowed):
    response = client.post("/connections/new/", {**FIELDS, "key": CANARY, "price_in": "0.15"})
    connection = Connection.objects.get()
    assertRedirects(response, f"/connections/{connection.pk}/")
    assert (connection.price_in, connection.price_out) == (150_000, None)
    assert (connection.key(), connection.created_by) == (CANARY, manager)


def test_a12_the_key_is_found_nowhere_in_clear(client, manager, allowed, caplog):
    caplog.set_level(logging.DEBUG)
    client.post("/connections/new/", {**FIELDS, "key": CANARY})
    connection = Connection.objects.get()
    page = client.get(f"/connections/{connection.pk}/")
    assertNotContains(page, CANARY)
    assertContains(page, "…wxyz")
    assert CANARY not in caplog.text
    assert CANARY not in repr(vars(connection))
    with database.cursor() as cursor:
        cursor.execute("SELECT encrypted_key, key_hint FROM generation_connection")
        assert CANARY not in str(cursor.fetchall())


@pytest.mark.parametrize(
    "base_url",
    ["https://127.0.0.1:8001/v1", "http://127.0.0.1:8002/v1", "http://localhost:8001/v1"],
)
def test_a12_another_scheme_host_or_port_clears_the_key(client, manager, allowed, base_url):
    AllowedHost.objects.create(host="localhost")
    connection = make_connection("http://127.0.0.1:8001/v1", created_by=manager)
    connection.set_key(CANARY)
    connection.save()
    response = client.post(
        f"/connections/{connection.pk}/", {**FIELDS, "base_url": base_url}, follow=True
    )
    assertContains(response, "The stored key was cleared")
    connection.refresh_from_db()
    assert (connection.key(), connection.key_hint) == ("", "")


def test_a12_another_path_or_an_empty_key_field_keeps_the_key(client, manager, allowed):
    connection = make_connection("http://127.0.0.1:8001/v1", created_by=manager)
    connection.set_key(CANARY)
    connection.save()
    client.post(
        f"/connections/{connection.pk}/", {**FIELDS, "base_url": "http://127.0.0.1:8001/v2"}
    )
    connection.refresh_from_db()
    assert connection.key() == CANARY


def test_a_host_that_is_not_allowed_is_refused_with_who_can_allow_it(client, manager):
    response = client.post("/connections/new/", FIELDS)
    assertContains(response, "not on this instance", status_code=422)
    assertContains(response, "A superuser of this instance can allow", status_code=422)
    assert not Connection.objects.exists()


def test_only_superusers_change_the_list_of_hosts(client, manager):
    assert client.post("/connections/hosts/", {"host": "evil.example"}).status_code == 404
    client.force_login(make_superuser())
    client.post("/connections/hosts/", {"host": "localhost:11434"})
    host = AllowedHost.objects.get()
    assert (host.host, host.port) == ("localhost", 11434)
    client.post(f"/connections/hosts/{host.pk}/forbid/")
    assert not AllowedHost.objects.exists()


@pytest.mark.parametrize("entry", ["http://host/", "10.0.0.0/8", "127.1", "a b"])
def test_a_senseless_host_is_refused(client, entry):
    client.force_login(make_superuser())
    assert client.post("/connections/hosts/", {"host": entry}).status_code == 422


def test_annotators_and_other_managers_do_not_see_it(client, manager):
    connection = make_connection(created_by=make_manager(make_project()))
    assert client.get(f"/connections/{connection.pk}/").status_code == 404
    assertNotContains(client.get("/connections/"), connection.name)
    client.force_login(make_annotator(make_project()))
    assert client.get("/connections/").status_code == 404


def test_a_shared_connection_is_used_but_not_changed(client, manager, allowed):
    connection = make_connection(shared=True, created_by=make_superuser())
    assertContains(client.get(f"/connections/{connection.pk}/"), "Shared with you")
    client.post(f"/connections/{connection.pk}/", FIELDS)
    assert client.post(f"/connections/{connection.pk}/probe/").status_code == 404
    assert Connection.objects.get().name == connection.name


def test_a_stand_in_is_called_one_on_every_page(client, manager, allowed):
    connection = make_connection(shared=True, stand_in=True)
    for url in ("/connections/", f"/connections/{connection.pk}/"):
        assertContains(client.get(url), "offline stand-in, not a language model")


def test_probing_needs_consent_and_has_its_rows_in_the_ledger(
    client, manager, allowed, openai_server
):
    connection = make_connection(openai_server.base_url, created_by=manager)
    response = client.post(f"/connections/{connection.pk}/probe/", {})
    assert (response.status_code, openai_server.ledger) == (422, [])
    response = client.post(f"/connections/{connection.pk}/probe/", {"consent": "on"}, follow=True)
    connection.refresh_from_db()
    assert connection.capabilities["chat"] is True
    assertContains(response, "Chat works")
    calls = Call.objects.filter(purpose="probe", outcome="settled")
    assert calls.count() == len(openai_server.ledger) > 0


def test_a_probe_that_is_refused_says_what_to_do(client, manager, allowed, openai_server):
    openai_server.always(status=401)
    connection = make_connection(openai_server.base_url, created_by=manager)
    response = client.post(f"/connections/{connection.pk}/probe/", {"consent": "on"}, follow=True)
    assertContains(response, "enter a valid one")


def test_the_list_asks_as_often_for_twenty_as_for_one(
    client, manager, django_assert_max_num_queries
):
    for _ in range(20):
        make_connection(shared=True)
    with django_assert_max_num_queries(8):
        client.get("/connections/")


def test_the_command_connects_and_probes(openai_server, monkeypatch, capsys):
    monkeypatch.setenv("THE_KEY", CANARY)
    order = ["connect", "Mine", "--base-url", openai_server.base_url, "--model", "m"]
    with pytest.raises(CommandError, match="allow-host"):
        call_command(*order)
    call_command(*order, "--key-env", "THE_KEY", "--price-in", "0.5", "--allow-host", "--json")
    connection = Connection.objects.get(name="Mine")
    assert (connection.key(), connection.price_in) == (CANARY, 500_000)
    assert connection.capabilities["logprobs"] is True
    assert CANARY not in capsys.readouterr().out
    assert openai_server.ledger[0].headers["authorization"] == f"Bearer {CANARY}"


def test_a12_keys_survive_a_new_encryption_key_and_outlive_the_old_one(settings):
    settings.ENCRYPTION_KEYS = ["old"]
    connection = make_connection()
    connection.set_key(CANARY)
    connection.save()
    settings.ENCRYPTION_KEYS = ["new", "old"]
    call_command("rotate_keys")
    settings.ENCRYPTION_KEYS = ["new"]
    connection.refresh_from_db()
    assert connection.key() == CANARY


def test_a12_a_key_stays_out_of_sight_when_the_endpoint_fails_in_every_way(
    client, manager, allowed, openai_server, caplog
):
    caplog.set_level(logging.DEBUG)
    connection = make_connection(openai_server.base_url, created_by=manager, deadline_seconds=1)
    connection.set_key(CANARY)
    connection.save()
    for reply in (
        {"status": 500, "message": CANARY}, {"raw": CANARY}, {"close": True}, {"hang": True}
    ):  # fmt: skip
        openai_server.always(**reply)
        page = client.post(f"/connections/{connection.pk}/probe/", {"consent": "on"}, follow=True)
        assertNotContains(page, CANARY)
    with database.cursor() as cursor:
        cursor.execute("SELECT request, reply, error FROM generation_call")
        assert CANARY not in str(cursor.fetchall())
    assert CANARY not in caplog.text
