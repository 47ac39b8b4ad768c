"""The page on which a manager chooses where the vectors come from."""

import pytest
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from annotation.actions.features import make_features
from generation.actions import embeddings, upkeep
from generation.models import AllowedHost, Run
from tests.factories import make_annotator, make_connection, make_manager, make_project, make_sample
from tests.generation.runs import connect

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.FEATURE_DIR = tmp_path / "features"


@pytest.fixture
def project(client):
    project = make_project()
    for i in range(6):
        make_sample(project, f"text {i}")
    client.force_login(make_manager(project))
    return project


def path(project):
    return f"/projects/{project.pk}/features/"


def order(connection, **more):
    return {"connection": connection.pk, "longest": 8000, **more}


@pytest.fixture
def connection(openai_server):
    return connect(openai_server, shared=True)


def test_the_price_is_shown_before_anything_is_sent(client, project, connection, openai_server):
    assertContains(client.get(path(project)), "Nothing leaves this machine")
    page = client.post(path(project), order(connection, preview="yes"))
    assertContains(page, "<dt>Texts without a vector</dt><dd>6</dd>", html=False)
    assert not Run.objects.exists()
    assert not openai_server.ledger


def test_bought_vectors_are_said_and_the_texts_own_can_be_taken_again(client, project, connection):
    assertRedirects(client.post(path(project), order(connection)), path(project))
    run = Run.objects.get()
    assertContains(client.get(path(project)), "Buying vectors")
    assertRedirects(client.get(f"/runs/{run.pk}/"), path(project))
    while upkeep.work_on_due() is not None:
        pass
    page = client.get(path(project))
    assertContains(page, "8 numbers for each text")
    assertContains(page, "The last purchase")
    assert client.get(path(project), headers=HTMX)["HX-Refresh"] == "true"
    make_sample(project, "late")
    assertContains(client.get(path(project)), "1 sample came in since")
    client.post(f"{path(project)}texts/")
    assertContains(client.get(path(project)), "Nothing leaves this machine")
    assert make_features(project).source == "tfidf_svd:1"
    assertNotContains(client.get(f"/projects/{project.pk}/runs/"), f"/runs/{run.pk}/")


def test_a_paused_purchase_says_why_and_goes_on_with_another_cap(client, project, connection):
    client.post(path(project), order(connection, cap_tokens=1))
    while upkeep.work_on_due() is not None:
        pass
    run = Run.objects.get()
    page = client.get(path(project))
    assertContains(page, "The cap of 1 tokens is reached")
    assertContains(page, f"/runs/{run.pk}/cap/")
    client.post(f"/runs/{run.pk}/cap/", {"cap_tokens": 1000})
    while upkeep.work_on_due() is not None:
        pass
    assertContains(client.get(path(project)), "8 numbers for each text")


def test_texts_cannot_be_taken_while_vectors_are_bought(client, project, connection):
    embeddings.start(project, connection)
    page = client.post(f"{path(project)}texts/", follow=True)
    assertContains(page, "cancel that first")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"longest": "5"}, "greater than or equal to 100"),
        ({"connection": 999}, "Select a valid choice"),
        ({"cap_tokens": "few"}, "Enter a whole number"),
    ],
)
def test_bad_input_is_named(client, project, connection, changes, words):
    page = client.post(path(project), order(connection) | changes)
    assertContains(page, words, status_code=422)
    assert not Run.objects.exists()


def test_what_cannot_be_bought_says_what_to_do(client, project, openai_server):
    closed = make_connection("http://127.0.0.1:9/v1", shared=True)
    page = client.post(path(project), order(closed))
    assertContains(page, "can allow the host", status_code=422)
    AllowedHost.objects.create(host="127.0.0.1", port=None)
    page = client.post(path(project), order(closed, cap_cost="1"))
    assertContains(page, "money cannot be capped", status_code=422)
    assert not Run.objects.exists()


def test_each_empty_state_says_the_next_step(client, project):
    make_connection(stand_in=True, shared=True)
    assertContains(client.get(path(project)), "Add a connection")
    empty = make_project()
    client.force_login(make_manager(empty))
    assertContains(client.get(path(empty)), "Import some first")


def test_only_managers_choose(client, project, connection):
    client.force_login(make_annotator(project))
    assert client.get(path(project)).status_code == 404
    assert client.post(f"{path(project)}texts/").status_code == 404
