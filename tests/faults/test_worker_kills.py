"""Workers are killed, stopped and started twice; replies and money must not notice."""

import json
import os
import random
import signal
import time
from collections import Counter
from contextlib import contextmanager

import pytest

from tests.faults import stack
from tests.generation.runs import LETTER_A

pytestmark = pytest.mark.faults

PREPARE = """
import json, os
from generation import techniques
from generation.actions import ledger, runs
from generation.llm.base import Capabilities
from generation.models import AllowedHost
from tests import factories as f
order = json.loads(os.environ["ORDER"])
project = f.make_project()
codebook = f.make_codebook(project)
for n in range(order["samples"]):
    f.make_sample(project, f"Sample number {n:04}.")
AllowedHost.objects.create(host="127.0.0.1")
connection = f.make_connection(
    order["base_url"], concurrency=order["concurrency"], deadline_seconds=5,
    price_in=1_000_000, price_out=1_000_000,
    capabilities={"chat": True, "logprobs": True, "system_role": True},
)
technique = techniques.make("logprobs", {})
sample = project.samples.first()
step = technique.steps(codebook.rules(), project.task, sample.fields, 0)[0]
run, _new = runs.start_run(connection, technique, codebook)
call = ledger.intent(run, step.request("test-model", Capabilities()))
if "cap_calls" in order:
    runs.set_cap(run, None, order["cap_calls"] * call.reserved_tokens)
runs.plan(run.pk)
print(call.reserved_tokens)
"""

SPENT = """
SELECT COALESCE(SUM(CASE outcome WHEN 'settled' THEN prompt_tokens + completion_tokens
    WHEN 'failed' THEN 0 ELSE reserved_tokens END), 0) FROM generation_call
"""


def prepare(env, server, samples=1, concurrency=1, **order):
    """A planned run; gives the tokens that one of its calls reserves."""
    order |= {"base_url": server.base_url, "samples": samples, "concurrency": concurrency}
    done = {**env, "ORDER": json.dumps(order)}
    out = stack.manage("shell", "-v0", "-c", PREPARE, env=done).stdout
    return int(out.strip().splitlines()[-1])


def groups(env, table, column):
    query = f"SELECT {column}, COUNT(*) FROM generation_{table} GROUP BY {column}"
    return dict(stack.rows(env, query))


def state(env):
    return stack.rows(env, "SELECT state FROM generation_run")[0][0]


def number(env, query):
    return stack.rows(env, query)[0][0]


def everything(env):
    """All that a worker can change about a result."""
    queries = (
        "SELECT id, state, version, suggestion_id FROM generation_slot ORDER BY id",
        "SELECT id, sample_id, code, confidence FROM annotation_suggestion ORDER BY id",
        "SELECT id, state, reason FROM generation_attempt ORDER BY id",
    )
    return [stack.rows(env, query) for query in queries]


@contextmanager
def worker(env, *arguments, **more):
    env = {**env, "SYNTHLAB_WORK_LEASE_SECONDS": "2", **more}
    child = stack.manage_in_background("work", "--slice", "1", *arguments, env=env)
    try:
        yield child
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def until(condition, seconds=60):
    """Waits for the condition; what it gave, or the test fails."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := condition():
            return result
        time.sleep(0.05)
    return pytest.fail("it did not happen in time")


def times_bought(server):
    """How often each request was received."""
    return Counter(entry.body_hash for entry in server.ledger)


def answers(server, latency=0.0):
    server.always(text="A", logprobs=LETTER_A, latency=latency)


@pytest.mark.timeout(300)
def test_a29_workers_that_are_killed_at_random_lose_nothing(install, openai_server):
    answers(openai_server, latency=0.01)
    prepare(install, openai_server, samples=300, concurrency=1)
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    rng, kills = random.Random(seed), 0
    # Long enough for a stalled disk: a living worker must not be taken for a dead one.
    lease = {"SYNTHLAB_WORK_LEASE_SECONDS": "8"}
    with worker(install, **lease) as first, worker(install, **lease) as second:
        children = [first, second]
        while kills < 15 and len(openai_server.ledger) < 280:
            seen = len(openai_server.ledger)
            until(lambda seen=seen: len(openai_server.ledger) >= min(seen + 12, 280))
            time.sleep(rng.uniform(0.0, 0.1))
            victim = rng.randrange(2)
            os.killpg(children[victim].pid, signal.SIGKILL)
            children[victim].wait()
            kills += 1
            env = {**install, **lease}
            children[victim] = stack.manage_in_background("work", "--slice", "1", env=env)
        try:
            until(lambda: state(install) != "running", seconds=90)
        finally:
            for child in children:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
    calls = groups(install, "call", "outcome")
    assert groups(install, "slot", "state") == {"done": 300}
    assert number(install, "SELECT COUNT(*) FROM annotation_suggestion") == 300
    assert "reserved" not in calls
    bought = times_bought(openai_server)
    duplicates = sum(n - 1 for n in bought.values())
    assert duplicates <= kills
    assert duplicates <= calls.get("unknown", 0)
    assert max(bought.values()) <= 2


def test_a29_without_the_sweep_what_a_dead_worker_held_is_never_done(install, openai_server):
    answers(openai_server)
    prepare(install, openai_server, samples=2)
    with worker(install, SYNTHLAB_FAIL="intent.committed:kill") as child:
        assert child.wait(60) == -signal.SIGKILL
    with worker(install, SYNTHLAB_MUTATE="no_sweep"):
        time.sleep(6)  # more than twice the lease
        assert groups(install, "slot", "state").get("active")
        assert state(install) == "running"
    with worker(install):
        until(lambda: state(install) == "done")


@pytest.mark.parametrize("place", ["reply.journalled", "reply.settled", "slot.finished"])
def test_a30_a_reply_that_arrived_is_never_bought_again(install, openai_server, place):
    answers(openai_server)
    prepare(install, openai_server)
    with worker(install, SYNTHLAB_FAIL=f"{place}:kill") as child:
        assert child.wait(60) == -signal.SIGKILL
    with worker(install):
        until(lambda: state(install) == "done")
    assert len(openai_server.ledger) == 1
    assert groups(install, "call", "outcome") == {"settled": 1}


def test_a30_the_same_without_the_journal_is_bought_twice(install, openai_server):
    answers(openai_server)
    prepare(install, openai_server)
    mutation = {"SYNTHLAB_MUTATE": "no_journal"}
    with worker(install, SYNTHLAB_FAIL="reply.journalled:kill", **mutation) as child:
        assert child.wait(60) == -signal.SIGKILL
    with worker(install, **mutation):
        until(lambda: state(install) == "done")
    assert len(openai_server.ledger) == 2
    assert groups(install, "call", "outcome") == {"settled": 1, "unknown": 1}


def test_a30_an_intent_that_was_not_sent_costs_nothing(install, openai_server):
    answers(openai_server)
    prepare(install, openai_server)
    with worker(install, SYNTHLAB_FAIL="intent.committed:kill") as child:
        assert child.wait(60) == -signal.SIGKILL
    with worker(install):
        until(lambda: state(install) == "done")
    assert len(openai_server.ledger) == 1


def test_a30_a_call_that_was_on_its_way_counts_at_its_largest_cost(install, openai_server):
    openai_server.always(hang=True)
    prepare(install, openai_server)
    with worker(install):
        until(lambda: openai_server.ledger)
    answers(openai_server)
    with worker(install):
        until(lambda: state(install) == "done")
    assert groups(install, "call", "outcome") == {"unknown": 1, "settled": 1}
    unknown = "SELECT reserved_cost FROM generation_call WHERE outcome = 'unknown'"
    assert number(install, unknown) > 0


def stop_past_lease(env, server, **more):
    """A worker is stopped with its answer in hand, another one finishes, the first wakes up."""
    answers(server)
    prepare(env, server)
    with worker(env, SYNTHLAB_FAIL="reply.settled:stop", **more) as zombie:
        until(lambda: server.ledger)
        time.sleep(2.5)
        with worker(env, **more):
            until(lambda: state(env) == "done")
        finished = everything(env)
        os.killpg(zombie.pid, signal.SIGCONT)
        time.sleep(1.5)
        return finished, everything(env)


def test_a31_a_worker_that_slept_past_its_lease_changes_nothing(install, openai_server):
    finished, after = stop_past_lease(install, openai_server)
    assert after == finished


def test_a31_the_same_without_the_fence_writes_over_what_was_finished(install, openai_server):
    finished, after = stop_past_lease(install, openai_server, SYNTHLAB_MUTATE="no_fence")
    assert after != finished


RACE = """
import threading
from django.db import connection
from generation.actions import work
from generation.models import Run
run = Run.objects.get()
def one():
    try:
        work.work_on(run.pk, seconds=5)
    finally:
        connection.close()
threads = [threading.Thread(target=one) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def race(env, server, **more):
    """Four processes with eight workers each, against a cap that holds ten calls."""
    reserved = prepare(env, server, samples=64, concurrency=32, cap_calls=10)
    usage = {"prompt_tokens": reserved - 1, "completion_tokens": 1}
    server.always(text="A", logprobs=LETTER_A, latency=0.1, usage=usage)
    children = [
        stack.manage_in_background("shell", "-v0", "-c", RACE, env={**env, **more})
        for _ in range(4)
    ]
    for child in children:
        assert child.wait(90) == 0
    return number(env, SPENT), number(env, "SELECT cap_tokens FROM generation_run")


def test_a16_many_workers_never_spend_more_than_the_cap(install, openai_server):
    spent, cap = race(install, openai_server)
    assert len(openai_server.ledger) == 10
    assert spent <= cap
    assert groups(install, "run", "reason_code") == {"budget": 1}
    assert state(install) == "paused"


def test_a16_the_same_with_the_budget_looked_at_too_early_spends_too_much(install, openai_server):
    spent, cap = race(install, openai_server, SYNTHLAB_MUTATE="check_apart")
    assert len(openai_server.ledger) > 10
    assert spent > cap


def test_a16_larger_bills_than_were_reserved_exceed_the_cap_by_one_call_at_most(
    install, openai_server
):
    reserved = prepare(install, openai_server, samples=20, cap_calls=10)
    bill = {"prompt_tokens": 4 * reserved, "completion_tokens": 1}
    openai_server.always(text="A", logprobs=LETTER_A, usage=bill)
    with worker(install):
        until(lambda: state(install) == "paused")
    spent, cap = number(install, SPENT), number(install, "SELECT cap_tokens FROM generation_run")
    assert cap < spent <= cap + 4 * reserved
    assert 1 < len(openai_server.ledger) < 10
    assert groups(install, "run", "reason_code") == {"budget": 1}


FLOOD = """
import threading
from django.db import connection
from generation import techniques
from generation.actions import runs
from generation.models import Connection, Run
first, said = Connection.objects.get(), []
codebook = Run.objects.earliest("pk").machine.codebook
def one(orders):
    try:
        runs.start_run(first, techniques.make("logprobs", {"orders": orders}), codebook)
    except runs.TooManyRuns as refused:
        said.append(str(refused))
    finally:
        connection.close()
threads = [threading.Thread(target=one, args=[n]) for n in range(2, 6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert said, "nobody was refused"
"""


def test_a16_a_flood_of_runs_at_once_opens_as_many_as_there_may_be(install, openai_server):
    prepare(install, openai_server)
    env = {**install, "SYNTHLAB_MOST_OPEN_RUNS": "3"}
    children = [stack.manage_in_background("shell", "-v0", "-c", FLOOD, env=env) for _ in "abc"]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    assert number(install, "SELECT COUNT(*) FROM generation_run") == 3


def test_a30_a_time_out_and_an_error_after_the_work_are_counted_and_received_once(
    install, openai_server
):
    prepare(install, openai_server)
    openai_server.script(
        {"replies": [{"cut": True, "text": "A"}, {"text": "A", "logprobs": LETTER_A}]}
    )
    with worker(install):
        until(lambda: state(install) == "done")
    assert groups(install, "call", "outcome") == {"unknown": 1, "settled": 1}
    assert times_bought(openai_server).most_common(1)[0][1] == 2
    unknown = "SELECT reserved_cost FROM generation_call WHERE outcome = 'unknown'"
    assert number(install, unknown) > 0


def test_a32_every_tick_twice_and_at_once_labels_once(install, openai_server):
    answers(openai_server, latency=0.02)
    prepare(install, openai_server, samples=20, concurrency=4)
    twice = """
import threading
from django.db import connection
from generation.tasks import TICKS
def one(task):
    try:
        task()
    finally:
        connection.close()
threads = [threading.Thread(target=one, args=[task]) for task in TICKS * 2]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
[task() for task in TICKS * 2]
"""
    children = [stack.manage_in_background("shell", "-v0", "-c", twice, env=install) for _ in "ab"]
    assert [child.wait(60) for child in children] == [0, 0]
    assert (state(install), groups(install, "slot", "state")) == ("done", {"done": 20})
    assert len(openai_server.ledger) == 20
