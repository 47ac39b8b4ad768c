"""Every page on which long work waits says when no worker is alive, and what to do."""

from datetime import timedelta

import pytest
from django.utils.timezone import now
from pytest_django.asserts import assertContains, assertNotContains

from annotation.models import Release, SampleImport
from generation.models import Run, WorkerBeat
from tests import factories as f

pytestmark = pytest.mark.django_db
SAYS = "No worker is alive."
DOES = "<code>manage.py work</code>"
FRAGMENT = {"HX-Request": "true"}


@pytest.fixture
def manager(client):
    """The manager of a project with a codebook, signed in; nothing waits yet."""
    project = f.make_project()
    f.make_codebook(project)
    user = f.make_manager(project)
    client.force_login(user)
    user.project = project
    return user


def made_run(project, **fields):
    machine = f.make_machine(project)
    return Run.objects.create(
        project=project, connection=f.make_connection(), machine=machine, **fields
    )


def pages_of_waiting_work(project):
    """Addresses of pages on which a run, an import and a release wait for a worker."""
    run = made_run(project, state=Run.State.RUNNING)
    reading = SampleImport.objects.create(project=project, file_name="a.csv", state="staging")
    writing = SampleImport.objects.create(project=project, file_name="b.csv", state="writing")
    release = Release.objects.create(project=project, format="jsonl")
    return [
        f"/runs/{run.pk}/",
        f"/runs/{run.pk}/progress/",
        f"/imports/{reading.pk}/",
        f"/imports/{writing.pk}/",
        f"/imports/{writing.pk}/progress/",
        f"/releases/{release.pk}/",
        f"/projects/{project.pk}/releases/",
    ]


def get(client, path):
    return client.get(path, headers=FRAGMENT if path.endswith("progress/") else {})


def test_waiting_work_without_a_worker_says_what_to_do(client, manager):
    for path in pages_of_waiting_work(manager.project):
        assertContains(get(client, path), SAYS)
        assertContains(get(client, path), DOES)


def test_a_worker_that_has_been_silent_for_long_counts_as_dead(client, manager):
    beat = WorkerBeat.objects.create(name="here:1", at=now())
    paths = pages_of_waiting_work(manager.project)
    for path in paths:
        assertNotContains(get(client, path), SAYS)
    WorkerBeat.objects.filter(pk=beat.pk).update(at=now() - timedelta(minutes=2))
    for path in paths:
        assertContains(get(client, path), SAYS)


def test_nothing_is_said_where_nothing_waits(client, manager):
    project = manager.project
    run = made_run(project, state=Run.State.DONE)
    done = SampleImport.objects.create(project=project, file_name="a.csv", state="done")
    release = Release.objects.create(project=project, format="jsonl", state="failed")
    for path in (f"/runs/{run.pk}/", f"/imports/{done.pk}/", f"/releases/{release.pk}/"):
        assertNotContains(client.get(path), SAYS)
    assertNotContains(client.get(f"/projects/{project.pk}/releases/"), SAYS)


def test_a_page_that_does_not_show_it_asks_nothing(client, manager, django_assert_max_num_queries):
    with django_assert_max_num_queries(40) as asked:
        client.get(f"/projects/{manager.project.pk}/releases/")
    assert not [q for q in asked.captured_queries if "workerbeat" in q["sql"]]
