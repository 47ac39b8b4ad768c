"""Managers who save, publish or begin a draft of the same codebook at the same moment."""

import json
import subprocess
import sys

import pytest

from tests.faults import stack

pytestmark = pytest.mark.faults

DRAFT = """
import json
from tests import factories as f
project = f.make_project()
manager = f.make_manager(project)
draft = f.make_codebook(project, ("yes", "no"), published=False)
print(json.dumps([project.pk, draft.pk, manager.pk]))
"""
# Waits for a line, so that all begin at one moment.
CHILD = """
import sys
from dataclasses import replace
from annotation.actions.codebooks import CannotPublish, StaleDraft, publish, save_draft, start_draft
from annotation.models import Codebook, Project, User
project = Project.objects.get(pk={project})
user = User.objects.get(pk={user})
draft = Codebook.objects.select_related("project").filter(pk={draft}).first()
rules = draft.rules()
print("ready", flush=True)
sys.stdin.readline()
try:
    {deed}
    print("done")
except (CannotPublish, StaleDraft):
    print("told")
"""
SAVE = "save_draft(draft, replace(rules, labels=rules.labels[:1]), 0)"
PUBLISH = "publish(draft, version=0, published_by=user)"
START = "start_draft(project, user)"


@pytest.fixture
def draft(install):
    """The ids of a project, its draft and its manager."""
    return json.loads(shell(DRAFT, install))


def shell(script, env):
    return stack.manage("shell", "-v0", "-c", script, env=env).stdout.strip()


def at_once(env, draft, *deeds):
    """What each deed came to, each in a process of its own, all begun together."""
    ids = dict(zip(("project", "draft", "user"), draft, strict=True))
    children = [
        subprocess.Popen(
            [sys.executable, "manage.py", "shell", "-v0", "-c", CHILD.format(deed=deed, **ids)],
            cwd=stack.ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for deed in deeds
    ]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    return [child.communicate(timeout=60)[0].strip() for child in children]


def editions(env):
    return stack.rows(env, "SELECT state, version FROM annotation_codebook ORDER BY id")


def labels(env):
    return stack.rows(env, "SELECT COUNT(*) FROM annotation_label")[0][0]


def test_of_managers_who_save_at_once_one_wins_and_the_others_are_told(install, draft):
    assert sorted(at_once(install, draft, SAVE, SAVE, SAVE)) == ["done", "told", "told"]
    assert editions(install) == [("draft", 1)]
    assert labels(install) == 1


def test_the_race_would_be_noticed_if_drafts_were_saved_over_what_was_not_seen(install, draft):
    env = {**install, "SYNTHLAB_MUTATE": "stale_draft"}
    assert at_once(env, draft, SAVE) + at_once(env, draft, SAVE) == ["done", "done"]
    assert editions(install) == [("draft", 2)]


def test_a40_an_edition_is_published_as_it_was_read_or_not_at_all(install, draft):
    said = at_once(install, draft, PUBLISH, SAVE)
    assert sorted(said) == ["done", "told"]
    published = said[0] == "done"
    assert editions(install) == [("published" if published else "draft", 1)]
    assert labels(install) == (2 if published else 1)


def test_many_clicks_on_a_new_draft_make_one(install, draft):
    at_once(install, draft, PUBLISH)
    assert at_once(install, draft, START, START, START) == ["done"] * 3
    assert editions(install) == [("published", 1), ("draft", 0)]
    assert labels(install) == 4
