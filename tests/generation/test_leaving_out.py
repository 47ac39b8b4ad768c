"""Leaving out a parameter that the endpoint refuses, when the new run is refused itself."""

import pytest
from pytest_django.asserts import assertContains

from generation.models import AllowedHost, Connection, Run
from tests.factories import make_manager
from tests.generation.runs import start, work_off

pytestmark = pytest.mark.django_db
REFUSES = {"has": ["temperature"], "replies": [{"status": 400, "param": "temperature"}]}


@pytest.fixture
def paused(client, openai_server):
    """A run that its endpoint paused by refusing the temperature; its manager is signed in."""
    openai_server.script(REFUSES)
    run = work_off(start(openai_server, caps=(5_000_000, None)))
    assert run.reason_code == "parameter:temperature"
    client.force_login(make_manager(run.project))
    return run


def forget_prices(run):
    Connection.objects.filter(pk=run.connection_id).update(price_in=None)
    return "money cannot be capped"


def close_host(run):
    AllowedHost.objects.all().delete()
    return "127.0.0.1"


@pytest.mark.parametrize("spoil", [forget_prices, close_host])
def test_a_refused_start_says_why_and_leaves_the_run_as_it_was(client, paused, spoil):
    says = spoil(paused)
    response = client.post(f"/runs/{paused.pk}/leave-out/")
    assertContains(response, says, status_code=422)
    assertContains(response, 'role="alert"', status_code=422)
    assert response.context["form"].errors.keys() == {"__all__"}
    assertContains(response, 'name="cap_cost" value="5"', status_code=422)
    assertContains(response, "Leave out “temperature”", status_code=422)
    assert (Run.objects.get().state, Run.objects.get().reason_code) == (
        "paused", "parameter:temperature",
    )  # fmt: skip
    connection = Connection.objects.get(pk=paused.connection_id)
    assert "temperature" not in connection.capabilities.get("refused", [])
