"""A draft tried by a machine: from the draft over the run on the dev split to the comparison."""

import re

import pytest
from django.core.management import CommandError, call_command
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from annotation.actions.codebooks import publish, start_draft
from annotation.actions.trials import try_draft
from annotation.models import Label, Suggestion
from generation import techniques
from generation.actions import runs
from generation.models import Call, Run
from tests import factories as f
from tests.generation.runs import connect, work_off

pytestmark = pytest.mark.django_db
# Apples are yes by any rule, pears only where the rules speak of them, stones never. The letters
# are dealt anew for each sample; the request says which one means what.
READS = (r"apple \d.*{} = yes", r"Pears count.*pear \d.*{} = yes", r"{} = no")
WORDS = ["apple"] * 8 + ["pear"] * 3 + ["stone"]


def answering(letter):
    other = {"A": "B", "B": "A"}[letter]
    return {"text": letter, "logprobs": [[(letter, -0.05), (other, -3.1)]]}


@pytest.fixture
def project(client, openai_server):
    """Twelve dev samples that people call yes: the old rules find eight of them."""
    openai_server.script(
        *(
            {"match": read.format(letter), "replies": [answering(letter)]}
            for read in READS
            for letter in "AB"
        )
    )
    project = f.make_project()
    f.make_codebook(project)
    client.force_login(f.make_manager(project))
    samples = [f.make_sample(project, f"{word} {n}", split="dev") for n, word in enumerate(WORDS)]
    f.make_sample(project, "apple 99")
    f.make_locked_split(project, frame=60)
    frame = {"filter": {"split": "dev"}, "size": 12}
    round_, person = f.make_round(project, samples=samples, frame=frame), f.make_annotator(project)
    for item in round_.items.all():
        f.make_annotation(item, person, "yes")
    return project


def labelled(project, connection):
    """The machine of the edition in force, once it has labelled the dev split."""
    technique = techniques.make("logprobs", {"orders": 1})
    dev = {"split": "dev"}
    run, _new = runs.start_run(connection, technique, project.edition(), sample_filter=dev)
    runs.plan(run.pk)
    work_off(run)
    assert run.machine.suggestions.count() == 12
    return run.machine


def drafted(project):
    draft = start_draft(project, None)
    Label.objects.filter(codebook=draft, slug="yes").update(include="Pears count, too.")
    return draft


def started(client, url, page):
    """The run that the page's own form starts."""
    names = ("like", "connection", "split")
    html = page.content.decode()
    fields = {n: re.search(rf'type="hidden" name="{n}" value="([^"]*)"', html)[1] for n in names}
    response = client.post(url, fields)
    run = Run.objects.latest("pk")
    assertRedirects(response, f"/runs/{run.pk}/")
    runs.plan(run.pk)
    return work_off(run)


def test_a_draft_is_tried_on_the_dev_split_and_compared(client, project, openai_server):
    machine = labelled(project, connect(openai_server, shared=True))
    draft = drafted(project)
    response = client.post(f"/codebooks/{draft.pk}/try/")
    sent = len(openai_server.ledger)
    page = client.get(response["Location"])
    for words in ("Run trial 2", "Pears count, too.", "12", "$0.0", "Label the dev split"):
        assertContains(page, words)
    assertNotContains(page, "would differ")
    assert len(openai_server.ledger) == sent  # the price comes before anything is sent
    run = started(client, response["Location"], page)
    trial = project.codebooks.trials().get()
    assert run.machine.codebook == trial
    assert run.machine.decoding == machine.decoding
    assert set(run.machine.suggestions.values_list("sample__split", flat=True)) == {"dev"}
    assertContains(client.get(f"/runs/{run.pk}/"), "It follows trial 2")
    shown = client.get(
        f"/projects/{project.pk}/lab/compare/?first={machine.pk}&second={run.machine_id}&kind=fixed"
    )
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", shown.content.decode()))
    assert "3 against 0" in page
    assert "p 0.25" in page  # binom.test(3, 3)
    assert "+25.0 points" in page
    assert all(f"pear {n}" in page for n in (8, 9, 10))
    assert "apple" not in page


def test_what_was_tried_and_is_published_as_it_was_is_not_paid_for_again(
    client, project, openai_server
):
    labelled(project, connect(openai_server, shared=True))
    draft = drafted(project)
    url = client.post(f"/codebooks/{draft.pk}/try/")["Location"]
    tried = started(client, url, client.get(url))
    draft.refresh_from_db()
    edition = publish(draft, version=draft.version, published_by=None, change="wording")
    paid = Call.objects.count()
    connection = tried.connection
    run, _new = runs.start_run(connection, techniques.make("logprobs", {"orders": 1}), edition)
    runs.plan(run.pk)
    work_off(run)
    assert run.machine == tried.machine
    assert Call.objects.count() == paid + 1  # the one sample of the pool
    assert Suggestion.objects.filter(machine=run.machine).count() == 13


def test_the_page_says_what_would_differ_beside_the_rules(client, project, openai_server):
    connection = connect(openai_server, shared=True)
    machine = labelled(project, connection)
    connection.capabilities = connection.capabilities | {"system_role": False}
    connection.save()
    url = f"/codebooks/{project.edition().pk}/run/?like={machine.pk}"
    assertContains(client.get(url), "whether a system message is sent")


def test_a_machine_that_labelled_before_is_asked_only_about_what_it_lacks(
    client, project, openai_server
):
    machine = labelled(project, connect(openai_server, shared=True))
    page = client.get(f"/codebooks/{project.edition().pk}/run/?like={machine.pk}&split=dev")
    assertContains(page, "no reply is bought twice")
    assertContains(page, "No sample is left for this choice")


def test_each_missing_piece_is_said_with_the_step_that_mends_it(client, project, openai_server):
    url = f"/codebooks/{project.edition().pk}/run/"
    assertContains(client.get(url), "No machine has labelled yet")
    connection = connect(openai_server, shared=True)
    machine = labelled(project, connection)
    connection.model = "another-model"
    connection.save()
    page = client.get(url)
    assertContains(page, "No connection to this model")
    assertContains(page, machine.model)


def test_a_cap_in_money_without_prices_and_a_flood_of_runs_are_refused(
    client, project, openai_server, settings
):
    connection = connect(openai_server, shared=True, price_in=None)
    machine = labelled(project, connection)
    url = f"/codebooks/{project.edition().pk}/run/"
    form = {"like": machine.pk, "connection": connection.pk, "split": "pool"}
    response = client.post(url, {**form, "cap_cost": "1"})
    assertContains(response, "cap the tokens instead", status_code=422)
    settings.MOST_OPEN_RUNS = 0
    assert client.post(url, form).status_code == 429
    assert Run.objects.count() == 1


def test_a_draft_itself_is_never_run_and_only_managers_may_run(client, project, openai_server):
    draft = drafted(project)
    assert client.get(f"/codebooks/{draft.pk}/run/").status_code == 404
    assert client.post(f"/codebooks/{draft.pk}/run/").status_code == 404
    client.force_login(f.make_adjudicator(project))
    assert client.get(f"/codebooks/{project.edition().pk}/run/").status_code == 404


def test_a_trial_is_never_routed_to_people(client, project, openai_server):
    machine = labelled(project, connect(openai_server, shared=True))
    project.route_below = 1.0
    project.save()
    url = client.post(f"/codebooks/{drafted(project).pk}/try/")["Location"]
    page = client.get(f"{url}?like={machine.pk}&split=pool")
    run = started(client, url, page)
    assert run.state == "done"
    assert not project.rounds.filter(routed=True).exists()


def test_the_command_labels_a_split_by_a_trial_but_by_no_draft(project, openai_server):
    connection = connect(openai_server, shared=True)
    draft = drafted(project)
    trial = try_draft(draft)
    draft.refresh_from_db()
    asked = ("label", str(project.pk), "--connection", connection.name, "--technique", "logprobs")
    with pytest.raises(CommandError, match="no edition or trial 3"):
        call_command(*asked, "--edition", str(draft.number))
    call_command(*asked, "--edition", str(trial.number), "--split", "dev")
    run = Run.objects.get()
    assert (run.machine.codebook, run.sample_filter) == (trial, {"split": "dev"})
