"""A worker whose clock is wrong takes nothing from the others (A31).

On SQLite all workers are on one machine and share its clock, so this is about PostgreSQL.
"""

import pytest

from tests.faults import stack
from tests.faults.test_worker_kills import (
    answers,
    groups,
    prepare,
    state,
    times_bought,
    until,
    worker,
)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

# Python reads this file before anything else: from then on the process lives at another time.
ELSEWHEN = """
import os
import time
from datetime import timedelta
from django.utils import timezone
shift = float(os.environ["SHIFT"])
real_time, real_now = time.time, timezone.now
time.time = lambda: real_time() + shift
timezone.now = lambda: real_now() + timedelta(seconds=shift)
"""
SAMPLES = 4


def work_beside(env, server, folder, shift, **more):
    """The calls by outcome after a worker with a wrong clock came while another was asking."""
    (folder / "sitecustomize.py").write_text(ELSEWHEN)
    answers(server, latency=3.0)  # longer than the lease, which its holder renews
    prepare(env, server, samples=SAMPLES, concurrency=2)
    wrong = {"SHIFT": str(shift), "PYTHONPATH": f"{folder}:{stack.ROOT}"}
    with worker(env, **more):
        until(lambda: server.ledger)
        with worker(env, **wrong, **more):
            until(lambda: state(env) != "running")
    calls = groups(env, "call", "outcome")
    calls.pop("failed", None)  # intents that were given back unsent
    return calls


@pytest.mark.parametrize("install", ["postgresql"], indirect=True)
@pytest.mark.parametrize("shift", [900, -900])
def test_a31_a_worker_whose_clock_is_wrong_steals_nothing(install, openai_server, tmp_path, shift):
    calls = work_beside(install, openai_server, tmp_path, shift)
    assert calls == {"settled": SAMPLES}
    assert set(times_bought(openai_server).values()) == {1}
    assert groups(install, "slot", "state") == {"done": SAMPLES}


@pytest.mark.parametrize("install", ["postgresql"], indirect=True)
def test_a31_if_each_worker_believed_its_own_clock_that_check_would_turn_red(
    install, openai_server, tmp_path
):
    calls = work_beside(install, openai_server, tmp_path, 900, SYNTHLAB_MUTATE="own_clock")
    assert calls != {"settled": SAMPLES}
