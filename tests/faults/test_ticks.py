"""Everything a worker does, delivered twice and at once: done once, then nothing more (A32)."""

from contextlib import ExitStack

import pytest

from synthlab.celery import app, ticks
from tests.faults import stack
from tests.faults.test_worker_kills import answers, prepare, times_bought, until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

# Every task, and what gives it work below. A new one is named here, with work of its own.
WORK = {
    "annotation.tasks.work_on_releases": "an export is asked for",
    "annotation.tasks.work_on_imports": "a file is read, then written",
    "annotation.tasks.sweep_imports": "an import is discarded while it is read",
    "annotation.tasks.work_on_draws": "a large round is asked for",
    "annotation.tasks.work_on_forecasts": "a forecast of a large pool is asked for",
    "annotation.tasks.rerank": "ten answers are given in a round that asks for it",
    "annotation.tasks.work_on_students": "a student is asked for",
    "generation.tasks.sweep": "the run ends",
    "generation.tasks.plan": "a run is started",
    "generation.tasks.work": "its samples are labelled",
}
ASK = """
import uuid
from django.conf import settings
from annotation.actions import draws, forecasts, imports
from annotation.actions.releases import request_release
from annotation.exports.wanted import Wanted
from annotation.imports.mapping import mapping_from
from annotation.models import MachineAnnotator, Project
from generation.models import Run
project = Project.objects.get()
Run.objects.filter(state="running").update(state="planning")
Run.objects.get().slots.all().delete()
request_release(project, Wanted("jsonl"), None)
settings.DRAW_AT_ONCE = 0  # in this process: the worker then has a draw to make
design = draws.Design(project.edition(), "uniform", "100%", 1, key=uuid.uuid4())
draws.draw_round(project, design, wait=False)
settings.FORECAST_AT_ONCE = -1
forecasts.ask(MachineAnnotator.objects.get(), project.edition())
for name in ("kept.csv", "discarded.csv"):
    lines = "\\n".join(["text", *(f"{name} {n}" for n in range(700))])
    found = imports.receive(project, name, [lines.encode()])
    assert imports.choose(found, mapping_from({"text": ["text"]}))
imports.discard(found)
"""
DECIDE = """
from annotation.actions import imports
from annotation.actions.students import start_student
from annotation.models import MachineAnnotator, Round, RoundAnnotator, SampleImport
from tests.factories import make_annotation, make_annotator
for found in SampleImport.objects.filter(state="staged"):
    imports.decide(found, keep_duplicates=False, without_unknown=False)
round_ = Round.objects.get()
round_.machine, round_.parameters["rerank_every"] = MachineAnnotator.objects.get(), 10
round_.save()
annotator = make_annotator(round_.project)
RoundAnnotator.objects.create(round=round_, user=annotator, done=20)
for item in round_.items.order_by("rank")[:20]:
    make_annotation(item, annotator, "yes")
start_student(round_.machine)
"""
TWICE = """
import threading
from django.db import connection
from synthlab.celery import ticks
failures = []
def one(task):
    try:
        task()
    except Exception as error:
        failures.append(f"{task.name}: {error!r}")
    finally:
        connection.close()
threads = [threading.Thread(target=one, args=[task]) for task in ticks() * 2]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
for task in ticks() * 2:
    one(task)
assert not failures, failures
"""
ALIVE = {"generation_workerbeat", "sqlite_sequence"}  # signs of life, not work


def shell(env, script):
    return stack.manage("shell", "-v0", "-c", script, env=env, timeout=180)


def at_once(env):
    """Every task twice in each of two processes, by threads and then one after the other."""
    with ExitStack() as ended:
        children = [begun(env, ended) for _ in "ab"]
        said = [child.communicate(timeout=120)[1] for child in children]
        assert [child.returncode for child in children] == [0, 0], said


def begun(env, ended):
    child = stack.manage_in_background("shell", "-v0", "-c", TWICE, env=env, stderr=-1)
    ended.enter_context(child)  # waited for
    ended.callback(child.kill)
    return child


def everything(env):
    """All rows but signs of life."""
    if env["SYNTHLAB_DATABASE_URL"]:
        names = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    else:
        names = "SELECT name FROM sqlite_master WHERE type = 'table'"
    tables = {name for (name,) in stack.rows(env, names)} - ALIVE
    return {name: sorted(map(repr, stack.rows(env, f'SELECT * FROM "{name}"'))) for name in tables}


def test_a32_every_task_of_ours_is_rung_for_and_has_work_in_this_test():
    app.loader.import_default_modules()
    ours = {name for name in app.tasks if name.split(".")[0] in ("annotation", "generation")}
    assert ours == {task.name for task in ticks()} == set(WORK)


def test_a32_every_task_twice_and_at_once_does_its_work_once_and_then_nothing(
    install, openai_server
):
    answers(openai_server, latency=0.02)
    prepare(install, openai_server, samples=32, concurrency=4)
    shell(install, ASK)
    at_once(install)
    shell(install, DECIDE)
    at_once(install)
    done = everything(install)
    assert len(openai_server.ledger) == 32
    assert [len(done[f"generation_{name}"]) for name in ("slot", "attempt", "call")] == [32] * 3
    assert len(done["annotation_suggestion"]) == 32 + 32  # the machine's and its student's
    assert len(done["annotation_sample"]) == 32 + 700
    states = stack.rows(install, "SELECT file_name, state FROM annotation_sampleimport")
    assert dict(states) == {"kept.csv": "done", "discarded.csv": "discarded"}
    assert stack.rows(install, "SELECT state FROM annotation_release") == [("done",)]
    assert stack.rows(install, "SELECT state FROM annotation_round") == [("open",)]
    assert len(done["annotation_rounditem"]) == len(done["annotation_assignment"]) == 32
    assert stack.rows(install, "SELECT state FROM annotation_forecast") == [("done",)]
    assert stack.rows(install, "SELECT answers FROM annotation_roundranking") == [(20,)]
    assert stack.rows(install, "SELECT state FROM generation_run") == [("done",)]
    at_once(install)
    again = everything(install)
    assert {name for name in done if done[name] != again[name]} == set()
    assert len(openai_server.ledger) == 32


def test_a32_without_claim_and_fence_that_check_turns_red(install, openai_server):
    answers(openai_server, latency=0.1)
    prepare(install, openai_server, samples=300, concurrency=4)
    with ExitStack() as ended:
        for _ in "ab":
            begun({**install, "SYNTHLAB_MUTATE": "claim_unseen,no_fence"}, ended)
        until(lambda: max(times_bought(openai_server).values(), default=0) > 1)
