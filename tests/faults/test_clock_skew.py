"""A process whose clock is wrong takes nothing from the others (A31).

On SQLite all processes are on one machine and share its clock, so this is about PostgreSQL.
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


def work_beside(env, server, folder, shift, samples=SAMPLES, **more):
    """The calls by outcome after a worker with a wrong clock came while another was asking."""
    (folder / "sitecustomize.py").write_text(ELSEWHEN)
    answers(server, latency=3.0)  # longer than the lease, which its holder renews
    prepare(env, server, samples=samples, concurrency=2)
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
    # So many that the first worker is still at it when the second has started on a slow machine.
    calls = work_beside(install, openai_server, tmp_path, 900, 20, SYNTHLAB_MUTATE="own_clock")
    assert calls != {"settled": 20}


LEASE = """
from annotation.actions import claims
from tests import factories as f
project = f.make_project()
users = [f.make_annotator(project) for _ in range(2)]
round_ = f.make_round(project, ["the only text"], users)
assert len(claims.leases(round_, users[0])) == 1
"""
TAKE = """
from annotation.actions import claims
from annotation.models import Round, User
print(len(claims.leases(Round.objects.get(), User.objects.latest("pk"))))
"""


def taken_elsewhen(env, folder, shift, lease, **more):
    """How many seats someone gets on a web server with a wrong clock, after another took it."""
    (folder / "sitecustomize.py").write_text(ELSEWHEN)
    env = {**env, "SYNTHLAB_LEASE_SECONDS": str(lease)}
    stack.manage("shell", "-v0", "-c", LEASE, env=env)
    wrong = {"SHIFT": str(shift), "PYTHONPATH": f"{folder}:{stack.ROOT}", **more}
    return int(stack.manage("shell", "-v0", "-c", TAKE, env={**env, **wrong}).stdout)


@pytest.mark.parametrize("install", ["postgresql"], indirect=True)
@pytest.mark.parametrize(("shift", "lease", "taken"), [(900, 600, 0), (-900, 0, 1)])
def test_a31_a_web_server_whose_clock_is_wrong_takes_no_seat_too_early_or_too_late(
    install, tmp_path, shift, lease, taken
):
    assert taken_elsewhen(install, tmp_path, shift, lease) == taken


@pytest.mark.parametrize("install", ["postgresql"], indirect=True)
def test_a31_if_a_web_server_believed_its_own_clock_it_would_take_the_seat(install, tmp_path):
    assert taken_elsewhen(install, tmp_path, 900, 600, SYNTHLAB_MUTATE="own_clock") == 1
