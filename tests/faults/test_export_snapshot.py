"""An export is one moment, keeps nobody waiting, and is never half there (A39, I9)."""

import hashlib
import json
import signal
import time

import psycopg
import pytest

from tests.faults import stack

pytestmark = pytest.mark.faults
SAMPLES = 3000
LONGEST_WAIT = 0.25

MAKE = f"""
from annotation.models import *
from tests import factories as f
project = f.make_project(name="big")
codebook = f.make_codebook(project)
annotators = [f.make_annotator(project) for _ in range(2)]
texts = [f"text {{n}} " * 20 for n in range({SAMPLES})]
Sample.objects.bulk_create(
    Sample(project=project, fields={{"text": text}}, text=text, content_hash=str(number))
    for number, text in enumerate(texts)
)
round_ = Round.objects.create(
    project=project, name="all", codebook=codebook, strategy="uniform", seed=1, state="open"
)
RoundItem.objects.bulk_create(
    RoundItem(round=round_, sample=sample, rank=rank, stratum="uniform", inclusion=1.0)
    for rank, sample in enumerate(Sample.objects.filter(project=project).order_by("pk"))
)
"""

# Saves an answer about every 5 ms, from both ends of the table, until a file says stop; says
# after each half second how many there are and how long the longest took.
SAVE = """
import itertools, json, os, sys, time, uuid
from annotation.models import *
stop = os.environ["STOP_FILE"]
round_ = Round.objects.get(name="all")
items = list(round_.items.order_by("pk").values_list("pk", "sample"))
items = [item for pair in zip(items, reversed(items)) for item in pair][: len(items)]
users = list(User.objects.order_by("pk").values_list("pk", flat=True))
longest, waiting = 0.0, itertools.product(users, items)
print("ready", flush=True)
for user, (item, sample) in waiting:
    if os.path.exists(stop):
        break
    began = time.perf_counter()
    Annotation.objects.create(
        project_id=round_.project_id, sample_id=sample, round_item_id=item, annotator_id=user,
        codebook_id=round_.codebook_id, value={"label": "yes"}, code="yes", blind=True,
        client_key=uuid.uuid4(),
    )
    longest = max(longest, time.perf_counter() - began)
    time.sleep(0.005)
print(json.dumps({"answers": Annotation.objects.count(), "longest": longest}), flush=True)
"""

SEQUENCE = """
import json
from annotation.models import Annotation
print(json.dumps(sorted(Annotation.objects.values_list("pk", flat=True))))
"""


@pytest.fixture
def project(install):
    stack.manage("shell", "-v0", "-c", MAKE, env=install)
    return install


def said(done):
    return json.loads(done.stdout.strip().splitlines()[-1])


def export_while_people_answer(env, folder, **more):
    """The export's answer, the ids of all annotations that its rows hold, and the writer's."""
    stop = folder / "stop"
    writer = stack.manage_in_background(
        *("shell", "-v0", "-c", SAVE), env={**env, "STOP_FILE": str(stop)}, stdout=-1, text=True
    )
    try:
        while writer.stdout.readline() != "ready\n":
            assert writer.poll() is None
        time.sleep(0.5)
        out = folder / "big.jsonl"
        done = stack.manage("export", "big", "--out", out, "--json", env={**env, **more})
        stop.touch()
        answer = json.loads(writer.communicate(timeout=60)[0].splitlines()[-1])
    finally:
        writer.kill()
        writer.wait()
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    held = sorted(entry["annotation_id"] for row in rows for entry in row["annotations"])
    return said(done), held, answer


def committed_up_to(env, sequence):
    ids = said(stack.manage("shell", "-v0", "-c", SEQUENCE, env=env))
    return [pk for pk in ids if pk <= sequence]


def test_a39_an_export_holds_every_answer_up_to_its_number_and_none_after(project, tmp_path):
    made, held, writer = export_while_people_answer(project, tmp_path)
    assert 0 < len(held) < writer["answers"]
    assert held == committed_up_to(project, made["sequence"])
    assert writer["longest"] <= LONGEST_WAIT, f"an answer waited {writer['longest']:.3f} s"
    manifest, again = tmp_path / "big.jsonl.manifest.json", tmp_path / "again.jsonl"
    redone = stack.manage(
        *("export", "big", "--out", again, "--again", manifest, "--json"), env=project
    )
    assert list(said(redone)["sha256"].values()) == list(made["sha256"].values())


def test_a39_the_test_notices_an_export_that_is_no_single_moment(project, tmp_path):
    made, held, _ = export_while_people_answer(project, tmp_path, SYNTHLAB_MUTATE="no_moment")
    assert made["rows"] == SAMPLES
    assert held != committed_up_to(project, made["sequence"])


def killed_in_the_middle(env, out, **more):
    done = stack.manage(
        *("export", "big", "--out", out),
        env={**env, "SYNTHLAB_FAIL": "export.chunk@2:kill", **more},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL


def test_a39_an_export_that_is_killed_leaves_no_half_file(project, tmp_path):
    out = tmp_path / "big.jsonl"
    killed_in_the_middle(project, out)
    assert not out.exists()
    stack.manage("export", "big", "--out", out, env=project)
    assert len(out.read_text(encoding="utf-8").splitlines()) == SAMPLES
    assert sorted(path.name for path in tmp_path.glob("*big*")) == [
        "big.jsonl",
        "big.jsonl.manifest.json",
    ]


def test_a39_the_test_notices_a_half_file(project, tmp_path):
    out = tmp_path / "big.jsonl"
    killed_in_the_middle(project, out, SYNTHLAB_MUTATE="no_part")
    assert out.exists()


WORK = "from annotation.tasks import work_on_releases; work_on_releases()"
ASK = """
from annotation.actions.releases import request_release
from annotation.exports.wanted import Wanted
from annotation.models import *
project = Project.objects.get(name="big")
request_release(project, Wanted("jsonl"), User.objects.first())
"""
STATE = """
import json
from annotation.models import Release
print(json.dumps(Release.objects.values("state", "path", "rows_written", "manifest").get()))
"""


def test_a39_a_release_whose_worker_is_killed_is_finished_by_another(project, tmp_path):
    env = {**project, "SYNTHLAB_WORK_LEASE_SECONDS": "1"}
    stack.manage("shell", "-v0", "-c", ASK, env=env)
    kill = {**env, "SYNTHLAB_FAIL": "export.chunk@2:kill"}
    died = stack.manage("shell", "-v0", "-c", WORK, env=kill, check=False)
    assert died.returncode == -signal.SIGKILL
    folder = tmp_path / "releases"
    assert said(stack.manage("shell", "-v0", "-c", STATE, env=env))["state"] == "writing"
    assert not list(folder.glob("release-*"))
    time.sleep(1.5)
    stack.manage("shell", "-v0", "-c", WORK, env=env)
    release = said(stack.manage("shell", "-v0", "-c", STATE, env=env))
    assert (release["state"], release["rows_written"]) == ("done", SAMPLES)
    content = (folder / release["path"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == release["manifest"]["files"][0]["sha256"]
    assert len(list(folder.iterdir())) == 2


SAVE_TWO = """
import sys, uuid
from django.db import connection, transaction
from annotation.models import *
round_ = Round.objects.get(name="all")
user = User.objects.order_by("pk").first()
def save(item):
    Annotation.objects.create(
        project_id=round_.project_id, sample_id=item.sample_id, round_item=item, annotator=user,
        codebook_id=round_.codebook_id, value={"label": "yes"}, code="yes", blind=True,
        client_key=uuid.uuid4(),
    )
item = list(round_.items.order_by("pk")[:2])[int(sys.stdin.readline())]
with transaction.atomic():
    save(item)
    print("saved", flush=True)
    sys.stdin.readline()
print("committed", flush=True)
"""
LOCKS = "SELECT count(*) FROM pg_locks WHERE mode = 'ShareLock' AND NOT granted"


def saving(env, number):
    """A process that has saved an answer and commits it when it is told to."""
    child = stack.manage_in_background(
        *("shell", "-v0", "-c", SAVE_TWO), env=env, stdin=-1, stdout=-1, text=True
    )
    child.stdin.write(f"{number}\n")
    child.stdin.flush()
    assert child.stdout.readline() == "saved\n"
    return child


def commit(child):
    assert child.communicate("\n", timeout=60)[0] == "committed\n"
    assert child.returncode == 0


@pytest.mark.postgres
def test_a39_postgresql_numbers_are_complete_up_to_the_sequence(postgres_url, tmp_path):
    env = stack.environment(tmp_path, postgres_url)
    stack.manage("migrate", "-v0", env=env)
    stack.manage("shell", "-v0", "-c", MAKE, env=env)
    slow, fast = saving(env, 0), saving(env, 1)
    commit(fast)  # it has the higher number
    out = tmp_path / "big.jsonl"
    child = stack.manage_in_background("export", "big", "--out", out, env=env, stdout=-1)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        until = time.monotonic() + 60
        while not connection.execute(LOCKS).fetchone()[0]:
            assert child.poll() is None, "the export did not wait for the answer under way"
            assert time.monotonic() < until
            time.sleep(0.02)
    commit(slow)
    child.communicate(timeout=60)
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert sum(len(row["annotations"]) for row in rows) == 2
