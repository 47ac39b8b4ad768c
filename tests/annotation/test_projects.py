"""The start page, making projects and the overview's door: /, /projects/new/, /projects/<id>/."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from annotation.models import Assignment, Membership, Project
from tests.factories import (
    make_annotation,
    make_annotator,
    make_codebook,
    make_manager,
    make_project,
    make_round,
    make_superuser,
    make_user,
)

pytestmark = pytest.mark.django_db


def test_the_start_page_asks_a_stranger_to_sign_in(client):
    answer = client.get("/")
    assert answer.status_code == 302
    assert answer.url == "/sign-in/?next=/"


def test_someone_without_a_project_reads_how_to_get_into_one(client):
    client.force_login(make_user())
    page = client.get("/").content.decode()
    assert "A manager can invite you" in page
    assert "/projects/new/" not in page


def test_whoever_runs_the_instance_is_led_to_their_first_project(client):
    client.force_login(make_superuser())
    assert 'href="/projects/new/"' in client.get("/").content.decode()


def test_only_my_own_projects_are_listed(client):
    mine, foreign = make_project(name="Mine"), make_project(name="Foreign")
    client.force_login(make_manager(mine))
    page = client.get("/").content.decode()
    assert "Mine" in page
    assert f"/projects/{foreign.pk}/" not in page


def test_a_project_name_is_shown_as_text(client):
    project = make_project(name="<script>alert(1)</script>")
    client.force_login(make_manager(project))
    page = client.get("/").content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_an_open_round_with_a_seat_for_me_waits_for_me(client):
    project = make_project()
    annotator = make_annotator(project)
    round_ = make_round(project, annotators=[annotator], name="First look")
    client.force_login(annotator)
    page = client.get("/").content.decode()
    assert "First look" in page
    assert f'href="/rounds/{round_.pk}/review/"' in page


def test_a_round_in_which_i_answered_everything_no_longer_waits(client):
    project = make_project()
    annotator = make_annotator(project)
    round_ = make_round(project, texts=["one"], annotators=[annotator], overlap=2)
    make_annotation(round_.items.get(), annotator, "yes")
    client.force_login(annotator)
    assert f"/rounds/{round_.pk}/review/" not in client.get("/").content.decode()


def test_a_seat_that_i_hold_waits_and_one_that_a_colleague_holds_does_not(client):
    project = make_project()
    annotator, colleague = make_annotator(project), make_annotator(project)
    round_ = make_round(project, texts=["one"], annotators=[annotator, colleague])
    leased = {"state": "leased", "lease_until": now() + timedelta(minutes=5)}
    Assignment.objects.update(annotator=annotator, **leased)
    for user, waits in ((annotator, True), (colleague, False)):
        client.force_login(user)
        assert (f"/rounds/{round_.pk}/review/" in client.get("/").content.decode()) is waits


def test_a_seat_whose_lease_has_run_out_waits_for_everyone_asked(client):
    project = make_project()
    annotator, colleague = make_annotator(project), make_annotator(project)
    round_ = make_round(project, texts=["one"], annotators=[annotator, colleague])
    lapsed = {"state": "leased", "lease_until": now() - timedelta(minutes=5)}
    Assignment.objects.update(annotator=annotator, **lapsed)
    client.force_login(colleague)
    assert f"/rounds/{round_.pk}/review/" in client.get("/").content.decode()


def test_a_closed_round_and_one_i_was_not_asked_into_do_not_wait(client):
    project = make_project()
    annotator = make_annotator(project)
    closed = make_round(project, annotators=[annotator])
    closed.state = "closed"
    closed.save()
    other = make_round(project, annotators=[make_annotator(project)])
    client.force_login(annotator)
    page = client.get("/").content.decode()
    assert f"/rounds/{closed.pk}/" not in page
    assert f"/rounds/{other.pk}/" not in page


def test_the_start_page_asks_as_much_of_the_database_for_one_project_as_for_many(
    client, django_assert_max_num_queries
):
    annotator = make_user()
    client.force_login(annotator)
    for _ in range(8):
        project = make_project()
        make_codebook(project)
        Membership.objects.create(project=project, user=annotator, role="annotator")
        make_round(project, annotators=[annotator])
    with django_assert_max_num_queries(7):
        assert client.get("/").content.decode().count("/review/") == 8


def test_a_manager_makes_a_project_and_lands_in_it(client):
    user = make_superuser()
    client.force_login(user)
    fields = {"name": "Letters", "task_type": "multi_label", "language": "ar", "description": ""}
    answer = client.post("/projects/new/", fields)
    project = Project.objects.get()
    assert answer.url == f"/projects/{project.pk}/"
    assert project.memberships.get(user=user).role == "manager"
    assert project.codebooks.get().state == "draft"


def test_a_project_without_a_name_a_known_task_type_and_a_language_is_refused(client):
    client.force_login(make_superuser())
    for fields in (
        {"name": " ", "task_type": "rating"},
        {"name": "A", "task_type": "guessing"},
        {"name": "A", "task_type": "rating", "language": "Ignore the rules"},
    ):
        answer = client.post("/projects/new/", {"language": "en", **fields})
        assert answer.status_code == 422
    assert not Project.objects.exists()


def test_an_annotator_may_not_make_projects(client):
    client.force_login(make_annotator(make_project()))
    assert client.get("/projects/new/").status_code == 404
    assert client.post("/projects/new/", {"name": "A"}).status_code == 404


def test_an_outsider_does_not_learn_that_a_project_exists(client):
    project = make_project()
    client.force_login(make_manager(make_project()))
    assert client.get(f"/projects/{project.pk}/").status_code == 404
    assert client.get("/projects/999999/").status_code == 404
