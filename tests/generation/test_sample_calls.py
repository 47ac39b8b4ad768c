"""What models were asked about one sample."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.asserts import assertContains

from generation.models import Attempt, Call, Run, Slot
from tests.factories import (
    make_annotator,
    make_codebook,
    make_connection,
    make_machine,
    make_manager,
    make_project,
    make_sample,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def sample():
    project = make_project()
    make_codebook(project)
    return make_sample(project)


def ask(sample, **fields):
    """A call about the sample, in a run of its own."""
    project, endpoint = sample.project, make_connection()
    run = Run.objects.create(project=project, connection=endpoint, machine=make_machine(project))
    slot = Slot.objects.create(run=run, index=0, sample=sample)
    attempt = Attempt.objects.create(slot=slot, number=1, step=0, detail="not in the codebook")
    return Call.objects.create(
        run=run,
        connection=endpoint,
        attempt=attempt,
        request_hash="0",
        request={"secret": "prompt"},
        model_asked="a-model",
        **fields,
    )


def test_each_call_is_listed_with_its_outcome_and_leads_to_its_reply(client, sample):
    client.force_login(make_manager(sample.project))
    call = ask(sample, outcome="settled", cost=1_230_000)
    response = client.get(f"/samples/{sample.pk}/calls/")
    for known in ["a-model", "$1.23", "not in the codebook", f"/calls/{call.pk}/"]:
        assertContains(response, known)


def test_a_sample_no_model_was_asked_about_says_so(client, sample):
    client.force_login(make_manager(sample.project))
    ask(make_sample(sample.project))
    assertContains(client.get(f"/samples/{sample.pk}/calls/"), "No model was asked about it")


def test_only_managers_read_them(client, sample):
    client.force_login(make_annotator(sample.project))
    assert client.get(f"/samples/{sample.pk}/calls/").status_code == 404


def test_more_calls_ask_no_more_of_the_database(client, sample):
    client.force_login(make_manager(sample.project))

    def queries():
        with CaptureQueriesContext(connection) as captured:
            client.get(f"/samples/{sample.pk}/calls/")
        return len(captured)

    ask(sample)
    few = queries()
    ask(sample)
    ask(sample)
    assert queries() == few
