"""Asking for an export, watching it being written, and fetching it: /releases/<id>/."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils.timezone import now
from pytest_django.asserts import assertContains, assertRedirects

from annotation.actions.release_writing import claim_release, write_release
from annotation.actions.releases import file_of
from annotation.models import Release
from annotation.tasks import work_on_releases
from tests import factories as f

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("snapshot_db")]


@pytest.fixture(autouse=True)
def release_dir(settings, tmp_path):
    settings.RELEASE_DIR = tmp_path / "releases"
    return settings.RELEASE_DIR


@pytest.fixture
def project(client):
    """Two answered samples; the manager is signed in."""
    project = f.make_project()
    client.force_login(f.make_manager(project))
    annotator = f.make_annotator(project)
    round_ = f.make_round(project, annotators=[annotator])
    for item in round_.items.all():
        f.make_annotation(item, annotator, "yes")
    return project


def ask(client, project, **fields):
    return client.post(f"/projects/{project.pk}/releases/", {"format": "jsonl", **fields})


def released(client, project, **fields):
    ask(client, project, **fields)
    work_on_releases()
    return Release.objects.latest("pk")


def test_an_export_is_asked_for_written_by_the_worker_and_downloaded(client, project):
    response = ask(client, project)
    release = Release.objects.get()
    assertRedirects(response, f"/releases/{release.pk}/")
    assertContains(client.get(f"/releases/{release.pk}/"), 'hx-trigger="every 2s"')
    work_on_releases()
    assertContains(client.get(f"/releases/{release.pk}/"), "Download")
    file = client.get(f"/releases/{release.pk}/download/")
    assert file.headers["Content-Disposition"] == (
        f'attachment; filename="synthlab-project-{project.pk}-release-{release.pk}.jsonl"'
    )
    content = b"".join(file.streaming_content)
    assert len(content) == int(file.headers["Content-Length"])
    assert [json.loads(line)["final_label"] for line in content.splitlines()] == ["yes", "yes"]


def test_the_polled_fragment_says_when_to_stop(client, project):
    ask(client, project)
    release = Release.objects.get()
    waiting = client.get(f"/releases/{release.pk}/", headers={"HX-Request": "true"})
    work_on_releases()
    ready = client.get(f"/releases/{release.pk}/", headers={"HX-Request": "true"})
    assert (waiting.status_code, ready.status_code) == (200, 286)
    assert b"<html" not in ready.content
    assert b"every 2s" not in ready.content


def test_the_manifest_says_what_the_file_is(client, project):
    release = released(client, project)
    response = client.get(f"/releases/{release.pk}/manifest/")
    manifest = json.loads(response.content)
    assert manifest["counts"]["by_source"]["people"] == 2
    assert manifest["editions"][0]["labels"][0]["definition"] == "The text is yes."
    assert manifest["people"] == "pseudonyms"
    assert "attachment" in response.headers["Content-Disposition"]


def test_nothing_can_be_fetched_before_it_is_finished(client, project):
    ask(client, project)
    release = Release.objects.get()
    for part in ("download", "manifest"):
        assert client.get(f"/releases/{release.pk}/{part}/").status_code == 404


@pytest.mark.parametrize("page", ["", "download/", "manifest/"])
def test_annotators_and_strangers_find_no_release(client, project, page):
    release = released(client, project)
    for user in (f.make_annotator(project), f.make_manager(f.make_project())):
        other = Client()
        other.force_login(user)
        assert other.get(f"/releases/{release.pk}/{page}").status_code == 404


def test_real_names_are_a_choice_with_a_warning(client, project):
    assertContains(client.get(f"/projects/{project.pk}/releases/"), "Have you told them?")
    name = project.memberships.get(role="annotator").user.username
    assert name not in file_of(released(client, project)).read_text()
    assert name in file_of(released(client, project, names="on")).read_text()


def test_what_a_workbook_cannot_hold_is_refused_before_it_is_begun(client, project):
    long = f.make_sample(project, "x" * 32_768)
    response = ask(client, project, format="xlsx")
    assert response.status_code == 422
    assertContains(response, "32,767 characters", status_code=422)
    assertContains(response, f"sample {long.pk}", status_code=422)
    assert not Release.objects.exists()


def test_a_machine_of_another_project_cannot_be_chosen(client, project):
    other = f.make_project()
    f.make_codebook(other)
    machine = f.make_machine(other)
    assert ask(client, project, machine=machine.pk).status_code == 422


def test_the_list_costs_as_many_queries_for_ten_releases_as_for_one(
    client, project, django_assert_max_num_queries
):
    released(client, project)
    with django_assert_max_num_queries(12) as one:
        client.get(f"/projects/{project.pk}/releases/")
    for _ in range(9):
        Release.objects.create(
            project=project, format="csv", created_by=f.make_manager(project), state="failed"
        )
    with django_assert_max_num_queries(len(one)):
        client.get(f"/projects/{project.pk}/releases/")


def test_a_release_is_written_by_one_worker_only(client, project):
    ask(client, project)
    assert claim_release() is not None
    assert claim_release() is None


def test_what_a_dead_worker_left_is_written_again_and_swept(client, project, release_dir):
    ask(client, project)
    dead = claim_release()
    release_dir.mkdir()
    (release_dir / f".release-{dead.pk}-{dead.version}.jsonl.part").write_text("half")
    Release.objects.update(lease_until=now() - timedelta(seconds=1))
    work_on_releases()
    release = Release.objects.get()
    assert release.state == "done"
    names = sorted(path.name for path in release_dir.iterdir())
    assert names == [release.path, f"{release.path}.manifest.json"]


def test_a_worker_that_was_believed_dead_changes_nothing(client, project, release_dir):
    ask(client, project)
    late = claim_release()
    Release.objects.update(lease_until=now() - timedelta(seconds=1))
    work_on_releases()
    done = Release.objects.values().get()
    assert write_release(late) is False
    assert Release.objects.values().get() == done
    assert file_of(Release.objects.get()).exists()
    assert not list(release_dir.glob(f"*-{late.version}.jsonl*"))


def test_a_release_over_which_workers_keep_dying_is_given_up(client, project):
    ask(client, project)
    for _ in range(5):
        assert claim_release() is not None
        Release.objects.update(lease_until=now() - timedelta(seconds=1))
    work_on_releases()
    release = Release.objects.get()
    assert release.state == "failed"
    assertContains(client.get(f"/releases/{release.pk}/"), "broke off 5 times")


def test_a_full_disk_is_said_and_leaves_nothing(client, project, release_dir):
    release_dir.parent.mkdir(exist_ok=True)
    release_dir.write_text("a file where the folder should be")
    release = released(client, project)
    assert release.state == "failed"
    assertContains(client.get(f"/releases/{release.pk}/"), "could not be stored")
