"""Label runs as a manager sees them, through the pages and the command."""

import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from generation.actions import runs as actions
from generation.actions import upkeep
from generation.models import Connection, Run
from tests.factories import (
    make_annotator,
    make_codebook,
    make_connection,
    make_manager,
    make_project,
    make_sample,
)
from tests.generation.runs import LETTER_A, connect, start, work_off

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(client):
    project = make_project()
    client.force_login(make_manager(project))
    return project


def ready(project, server, **fields):
    """A codebook, two samples and a shared connection."""
    make_codebook(project)
    make_sample(project, "first text")
    make_sample(project, "second text")
    return connect(server, shared=True, **fields)


def choice(connection, **more):
    return {"connection": connection.pk, "technique": "logprobs", "option_orders": 1, **more}


def mine(client, run):
    client.force_login(make_manager(run.project))
    return run


def test_each_empty_state_says_the_next_step(client, project, openai_server):
    url = f"/projects/{project.pk}/runs/new/"
    assertContains(client.get(f"/projects/{project.pk}/runs/"), "No run yet")
    assertContains(client.get(url), "Publish the codebook first")
    make_codebook(project)
    assertContains(client.get(url), "Import samples")
    make_sample(project)
    assertContains(client.get(url), "No connection yet")


def test_the_form_shows_the_prompt_and_a_price_before_anything_is_sent(
    client, project, openai_server
):
    ready(project, openai_server)
    page = client.get(f"/projects/{project.pk}/runs/new/")
    assertContains(page, "first text")
    assertContains(page, "The text is yes.")
    assertContains(page, "$0.00")
    assert openai_server.ledger == []


def test_another_technique_brings_its_own_options_as_a_fragment(client, project, openai_server):
    connection = ready(project, openai_server)
    form = choice(connection, technique="votes", preview="yes")
    response = client.post(
        f"/projects/{project.pk}/runs/new/", form, headers={"HX-Request": "true"}
    )
    assertContains(response, "Votes for each sample")
    assert b"<html" not in response.content
    assert not Run.objects.exists()


def test_unknown_prices_are_said_and_no_money_can_be_capped(client, project, openai_server):
    connection = ready(project, openai_server, price_in=None)
    url = f"/projects/{project.pk}/runs/new/"
    assertContains(client.get(url), "the connection has no prices")
    response = client.post(url, choice(connection, cap_cost="1"))
    assertContains(response, "cap the tokens instead", status_code=422)


def test_a_technique_that_the_endpoint_cannot_do_is_not_started(client, project, openai_server):
    connection = ready(project, openai_server, capabilities={"chat": True, "logprobs": False})
    url = f"/projects/{project.pk}/runs/new/"
    response = client.post(url, choice(connection))
    assertContains(response, "gives no log probabilities", status_code=422)


def test_starting_twice_starts_one_run(client, project, openai_server):
    connection = ready(project, openai_server)
    for _ in range(2):
        response = client.post(f"/projects/{project.pk}/runs/new/", choice(connection))
        assertRedirects(response, f"/runs/{Run.objects.get().pk}/")


def test_a16_a_flood_of_runs_is_refused_with_what_to_do(client, project, openai_server, settings):
    settings.MOST_OPEN_RUNS = 2
    url, connection = f"/projects/{project.pk}/runs/new/", ready(project, openai_server)
    forms = [choice(connection, option_orders=orders) for orders in (1, 2, 3)]
    assert [client.post(url, form).status_code for form in forms] == [302, 302, 429]
    assertContains(client.post(url, forms[2]), "Wait until one ends", status_code=429)
    assert client.post(url, forms[1]).status_code == 302  # the same machine: its open run
    assert Run.objects.count() == 2
    actions.cancel(Run.objects.first())
    assert client.post(url, forms[2]).status_code == 302


def test_a_started_run_is_worked_off_and_its_page_tells(client, project, openai_server):
    connection = ready(project, openai_server)
    client.post(f"/projects/{project.pk}/runs/new/", choice(connection, cap_cost="2.50"))
    run = Run.objects.get()
    assert run.cap_cost == 2_500_000
    assertContains(client.get(f"/runs/{run.pk}/"), "planning")
    upkeep.plan_due()
    work_off(run)
    page = client.get(f"/runs/{run.pk}/")
    assertContains(page, "of $2.50")
    assertContains(page, "How sure is the machine?")


def test_progress_is_polled_until_the_run_is_over(client, openai_server):
    run = mine(client, start(openai_server))
    htmx = {"headers": {"HX-Request": "true"}}
    assert client.get(f"/runs/{run.pk}/progress/", **htmx).status_code == 200
    work_off(run)
    assert client.get(f"/runs/{run.pk}/progress/", **htmx).status_code == 286


def test_pause_resume_and_cancel(client, openai_server):
    run = mine(client, start(openai_server))
    for verb, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        for _click in range(2):
            assertRedirects(client.post(f"/runs/{run.pk}/{verb}/"), f"/runs/{run.pk}/")
        run.refresh_from_db()
        assert run.state == state


def test_a_cap_pauses_in_words_and_raising_it_goes_on(client, openai_server):
    run = mine(client, start(openai_server, ["one", "two", "three"], caps=(None, 400)))
    work_off(run)
    assert run.state == "paused"
    assertContains(client.get(f"/runs/{run.pk}/"), "The cap of 400 tokens is reached")
    client.post(f"/runs/{run.pk}/cap/", {"cap_tokens": "100000"})
    assert work_off(run).state == "done"


def test_a_rejection_has_its_raw_text_one_click_away(client, openai_server):
    openai_server.always(text="<script>alert(1)</script> maybe")
    run = mine(client, start(openai_server, technique="verbalized"))
    work_off(run)
    page = client.get(f"/runs/{run.pk}/rejected/?reason=malformed_json")
    call = run.calls.last()
    assertContains(page, f"/calls/{call.pk}/")
    page = client.get(f"/calls/{call.pk}/")
    assertContains(page, "&lt;script&gt;alert(1)&lt;/script&gt; maybe")
    assertNotContains(page, "<script>alert")


def test_a_call_of_unknown_outcome_is_shown_with_what_it_counts(client, openai_server):
    openai_server.script({"replies": [{"hang": True}], "once": True}, {"replies": [{"text": "A"}]})
    run = mine(client, start(openai_server, deadline_seconds=1))
    work_off(run)
    page = client.get(f"/runs/{run.pk}/")
    assertContains(page, "counted at its largest possible cost")
    assertContains(page, "of unknown outcome")


def test_a_refused_parameter_is_left_out_with_one_click(client, openai_server):
    openai_server.script(
        {"has": ["temperature"], "replies": [{"status": 400, "param": "temperature"}]},
        {"replies": [{"text": "A", "logprobs": LETTER_A}]},
    )
    run = mine(client, start(openai_server))
    work_off(run)
    assertContains(client.get(f"/runs/{run.pk}/"), "Leave out “temperature” and start anew")
    client.post(f"/runs/{run.pk}/leave-out/")
    assert Connection.objects.get().capabilities["refused"] == ["temperature"]
    upkeep.plan_due()
    assert work_off(Run.objects.latest("pk")).state == "done"


def test_another_model_and_a_newer_edition_are_pointed_out(client, openai_server):
    openai_server.always(text="A", logprobs=LETTER_A, model="cheaper-model")
    run = mine(client, start(openai_server))
    make_codebook(run.project)
    work_off(run)
    page = client.get(f"/runs/{run.pk}/")
    assertContains(page, "cheaper-model")
    assertContains(page, "edition 2 has been published since")


def test_a_stand_in_is_named_where_its_labels_are(client, openai_server):
    run = mine(client, start(openai_server, stand_in=True))
    assertContains(client.get(f"/runs/{run.pk}/"), "offline stand-in, not a language model")
    assert run.machine.name.startswith("offline stand-in, not a language model")


@pytest.mark.parametrize("path", ["", "progress/", "rejected/"])
def test_runs_of_other_projects_do_not_exist(client, openai_server, path):
    run = start(openai_server)
    client.force_login(make_manager(make_project()))
    assert client.get(f"/runs/{run.pk}/{path}").status_code == 404
    client.force_login(make_annotator(run.project))
    assert client.get(f"/runs/{run.pk}/{path}").status_code == 404


def test_calls_of_other_projects_do_not_exist(client, openai_server):
    run = work_off(start(openai_server))
    client.force_login(make_manager(make_project()))
    assert client.get(f"/calls/{run.calls.get().pk}/").status_code == 404


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel", "cap", "leave-out"])
def test_only_managers_of_the_project_steer_a_run(client, openai_server, verb):
    run = start(openai_server)
    client.force_login(make_annotator(run.project))
    assert client.post(f"/runs/{run.pk}/{verb}/").status_code == 404
    run.refresh_from_db()
    assert run.state == "running"


def test_the_list_asks_as_often_for_many_runs_as_for_one(
    client, project, openai_server, django_assert_max_num_queries
):
    codebook = make_codebook(project)
    connection = make_connection()
    for number in range(12):
        machine = project.machines.create(
            name="m", model="m", technique="votes", codebook=codebook, fingerprint=str(number)
        )
        Run.objects.create(project=project, connection=connection, machine=machine)
    with django_assert_max_num_queries(12):
        client.get(f"/projects/{project.pk}/runs/")


def test_what_the_machine_is_unsure_of_goes_to_people_when_the_run_ends(openai_server):
    openai_server.always(text="A", logprobs=[[("A", -0.6), ("B", -0.8)]])
    run = start(openai_server, ["one", "two"])
    run.project.route_below = 0.9
    run.project.save()
    work_off(run)
    assert run.routed
    round_ = run.project.rounds.get()
    assert round_.items.count() == 2


def test_what_the_machine_could_not_answer_goes_to_people_too_and_only_once(openai_server):
    sure = {"text": "A", "logprobs": [[("A", -0.01), ("B", -5.0)]]}
    silent = {"text": "", "refusal": "I would rather not."}
    openai_server.script({"match": "two", "replies": [silent]}, {"replies": [sure]})
    run = start(openai_server, ["one", "two"])
    run.project.route_below = 0.5
    run.project.save()
    work_off(run)
    round_ = run.project.rounds.get()
    assert list(round_.items.values_list("sample__text", "score")) == [("two", None)]
    actions.route(run)
    assert (round_.items.count(), round_.assignments.count()) == (1, 1)


def test_the_command_labels_and_prints_what_came_of_it(project, openai_server, capsys):
    connection = ready(project, openai_server)
    order = ["label", project.name, "--connection", connection.name, "--technique", "votes"]
    call_command(*order, "--option", "votes=2", "--wait", "--json")
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert (result["state"], result["done"], result["rejected"]) == ("done", 2, 0)
    assert "2 done" in printed.err
    assert Run.objects.get().machine.decoding["options"]["votes"] == 2


def test_the_command_fails_when_the_run_is_stopped(project, openai_server):
    openai_server.always(status=401)
    connection = ready(project, openai_server)
    order = ["label", project.name, "--connection", connection.name, "--technique", "logprobs"]
    with pytest.raises(CommandError, match="enter a valid one"):
        call_command(*order, "--wait")


def test_a_dead_planner_leaves_nothing_planned_twice(project, openai_server):
    connection = ready(project, openai_server)
    client_run, _new = actions.start_run(
        connection, actions.techniques.make("logprobs", {}), project.edition()
    )
    actions.plan(client_run.pk)
    actions.plan(client_run.pk)
    assert client_run.slots.count() == 2
