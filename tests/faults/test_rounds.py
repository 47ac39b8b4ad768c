"""A draw whose writer is killed, and adjudicators who settle at the same moment."""

import json
import subprocess
import sys

import pytest

from tests.faults import stack

pytestmark = pytest.mark.faults

SAMPLES = """
from tests import factories as f
from annotation.models import Sample
from synthlab.science.text import content_hash
project = f.make_project(name="drawn")
f.make_codebook(project)
f.make_annotator(project)
Sample.objects.bulk_create(
    Sample(project=project, fields={"text": str(i)}, text=str(i), content_hash=str(i))
    for i in range(700)
)
"""
DISAGREEMENT = """
import json
from tests import factories as f
project = f.make_project()
people = [f.make_annotator(project), f.make_annotator(project)]
round_ = f.make_round(project, texts=["disputed"], annotators=people, overlap=2)
item = round_.items.get()
f.make_annotation(item, people[0], "yes")
f.make_annotation(item, people[1], "no")
print(json.dumps([item.pk, [f.make_adjudicator(project).pk for _ in range(4)]]))
"""
# Waits for a line, so that all begin at one moment; over=None: nobody has seen a settlement.
SETTLE = """
import sys
from annotation.actions.adjudications import SettledMeanwhile, settle
from annotation.models import RoundItem, User
item = RoundItem.objects.select_related("round__project", "sample").get(pk={item})
user = User.objects.get(pk={user})
print("ready", flush=True)
sys.stdin.readline()
try:
    settle(item, user, {{"label": "yes"}}, "because {user}")
    print("settled")
except SettledMeanwhile:
    print("told")
"""
ASK = """
import uuid
from annotation.actions.draws import Design, draw_round
from annotation.models import Project
project = Project.objects.get()
design = Design(project.edition(), "uniform", "100%", 1, overlap=4, key=uuid.uuid4())
assert draw_round(project, design, wait=False).state == "drawing"
"""
WORK = "from annotation.actions.draws import work_on_due; assert work_on_due()"
NEVER_HELD = """
from annotation.models import Round
from django.utils.timezone import now
Round.objects.update(drawing_until=now())
"""
DRAW = ["draw", "drawn", "--budget", "100%", "--overlap", "2", "--json"]


def shell(script, env):
    return stack.manage("shell", "-v0", "-c", script, env=env).stdout.strip()


def draw(env, check=True, **variables):
    return stack.manage(*DRAW, env={**env, **variables}, check=check)


def states(env):
    return [state for (state,) in stack.rows(env, "SELECT state FROM annotation_round")]


def count(env, table):
    return stack.rows(env, f"SELECT COUNT(*) FROM annotation_{table}")[0][0]


@pytest.fixture
def project(install):
    shell(SAMPLES, install)
    return install


def test_a_draw_that_was_killed_is_never_seen_and_is_cleared_away(project):
    assert draw(project, check=False, SYNTHLAB_FAIL="draw.chunk@2:kill").returncode == -9
    assert states(project) == ["drawing"]
    assert count(project, "rounditem") == 500
    shell(NEVER_HELD, project)
    assert json.loads(draw(project).stdout)["samples"] == 700
    assert states(project) == ["open"]
    assert (count(project, "rounditem"), count(project, "assignment")) == (700, 1400)


def test_a_draw_that_was_left_to_a_worker_that_died_is_begun_anew_and_opened_once(project):
    shell(ASK, project)
    dying = {**project, "SYNTHLAB_FAIL": "draw.chunk@2:kill"}
    killed = stack.manage("shell", "-v0", "-c", WORK, env=dying, check=False)
    assert (killed.returncode, states(project)) == (-9, ["drawing"])
    shell(NEVER_HELD, project)
    shell(WORK, project)
    assert states(project) == ["open"]
    assert (count(project, "rounditem"), count(project, "assignment")) == (700, 2800)


def test_the_kill_would_be_noticed_if_rounds_were_seen_while_they_are_drawn(project):
    draw(project, check=False, SYNTHLAB_FAIL="draw.chunk@2:kill", SYNTHLAB_MUTATE="draw_in_sight")
    assert states(project) == ["open"]
    assert count(project, "rounditem") == 500


def settle_at_once(env, item, users):
    script = [SETTLE.format(item=item, user=user) for user in users]
    children = [
        subprocess.Popen(
            [sys.executable, "manage.py", "shell", "-v0", "-c", text],
            cwd=stack.ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for text in script
    ]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    return sorted(child.communicate(timeout=60)[0].strip() for child in children)


def test_a27_of_adjudicators_who_settle_at_once_one_does_and_the_others_are_told(install):
    item, users = json.loads(shell(DISAGREEMENT, install))
    assert settle_at_once(install, item, users) == ["settled", "told", "told", "told"]
    assert count(install, "adjudication") == 1


def test_a27_the_race_would_be_noticed_if_settlements_were_written_over_unseen_ones(install):
    item, users = json.loads(shell(DISAGREEMENT, install))
    env = {**install, "SYNTHLAB_MUTATE": "settled_unseen"}
    said = [settle_at_once(env, item, [user]) for user in users[:2]]
    assert said == [["settled"], ["settled"]]
    assert count(install, "adjudication") == 2
