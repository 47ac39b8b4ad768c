"""A worker that buys vectors is killed; no vector that arrived is bought twice."""

import json
import os
import signal
from collections import Counter

import pytest

from tests.faults import stack
from tests.faults.test_worker_kills import groups, number, state, until, worker

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

PREPARE = """
import json, os
from generation.actions import embeddings
from generation.models import AllowedHost
from tests import factories as f
order = json.loads(os.environ["ORDER"])
project = f.make_project()
for n in range(order["samples"]):
    f.make_sample(project, f"Sample number {n:04}.")
AllowedHost.objects.get_or_create(host="127.0.0.1", port=None)
connection = f.make_connection(order["base_url"], concurrency=2, price_in=1, price_out=0)
embeddings.start(project, connection)
"""


def prepare(env, server, samples=40):
    order = {"base_url": server.base_url, "samples": samples}
    stack.manage("shell", "-v0", "-c", PREPARE, env={**env, "ORDER": json.dumps(order)})


def bought(server):
    return Counter(text for entry in server.ledger for text in entry.body["input"])


@pytest.mark.parametrize("place", ["vectors.intended", "reply.journalled", "vectors.settled"])
def test_a_vector_that_arrived_or_was_not_asked_for_is_bought_once(install, openai_server, place):
    prepare(install, openai_server)
    with worker(install, SYNTHLAB_FAIL=f"{place}:kill") as child:
        assert child.wait(60) == -signal.SIGKILL
    with worker(install):
        until(lambda: state(install) == "done")
    assert set(bought(openai_server).values()) == {1}
    assert len(bought(openai_server)) == 40
    assert "unknown" not in groups(install, "call", "outcome")
    assert number(install, "SELECT COUNT(*) FROM generation_textvector WHERE valid") == 40
    assert number(install, "SELECT size FROM annotation_featuretable") == 40


def test_what_was_on_its_way_counts_at_its_largest_cost_and_is_asked_once_more(
    install, openai_server
):
    openai_server._script.latency = 0.5
    prepare(install, openai_server)
    with worker(install) as child:
        until(lambda: len(openai_server.ledger) >= 2)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    with worker(install):
        until(lambda: state(install) == "done")
    unknown = groups(install, "call", "outcome").get("unknown", 0)
    assert 1 <= unknown <= 2
    assert max(bought(openai_server).values()) == 2
    assert sum(n - 1 for n in bought(openai_server).values()) <= 64 * unknown
    assert number(install, "SELECT COUNT(*) FROM generation_textvector WHERE valid") == 40
