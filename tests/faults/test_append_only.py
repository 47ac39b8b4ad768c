"""What is published or answered never changes, whichever database keeps it."""

import json

import pytest

from tests.faults import stack

TRY = """
import json
import uuid
from django.db import IntegrityError, connection, transaction
from annotation import models as m
from tests import factories as f
project = f.make_project()
codebook = f.make_codebook(project)
annotator = f.make_annotator(project)
round_ = f.make_round(project, annotators=[annotator])
item = round_.items.first()
f.make_annotation(item, annotator, "yes")
machine = f.make_machine(project)
f.make_suggestion(machine, item.sample, {"yes": 0.75, "no": 0.25})
m.Estimate.objects.create(
    project=project, codebook=codebook, batch=uuid.uuid4(), figure="accuracy", method="hajek",
    inputs={}, result={}, result_hash="", code_version="",
)
m.CalibrationMap.objects.create(
    machine=machine, codebook=codebook, kind="platt", inputs={}, held_out={}
)
m.Look.objects.create(project=project, subject="round 1", answers=1)
m.LockedSplit.objects.create(project=project, split="dev", size=1, hash="")
tried = m.Codebook.objects.create(project=project, number=9, state="trial")
m.Label.objects.create(codebook=tried, slug="tried", name="Tried")
passed = []
for statement in (
    "UPDATE annotation_codebook SET question = 'other'",
    "DELETE FROM annotation_codebook",
    "UPDATE annotation_label SET name = 'other'",
    "DELETE FROM annotation_label",
    "UPDATE annotation_annotation SET code = 'no'",
    "DELETE FROM annotation_annotation",
    "UPDATE annotation_suggestion SET code = 'no'",
    "DELETE FROM annotation_suggestion",
    "UPDATE annotation_rounditem SET inclusion = 0.5",
    "UPDATE annotation_machineannotator SET model = 'other'",
    "UPDATE annotation_estimate SET figure = 'other'",
    "DELETE FROM annotation_estimate",
    "UPDATE annotation_calibrationmap SET kind = 'isotonic'",
    "DELETE FROM annotation_calibrationmap",
    "UPDATE annotation_look SET answers = 0",
    "DELETE FROM annotation_look",
    "UPDATE annotation_lockedsplit SET size = 0",
    "DELETE FROM annotation_lockedsplit",
    "UPDATE annotation_label SET name = 'other' WHERE slug = 'tried'",
    "DELETE FROM annotation_label WHERE slug = 'tried'",
):
    try:
        with transaction.atomic():
            connection.cursor().execute(statement)
    except IntegrityError as error:
        assert "change" in str(error) or "only ever added" in str(error), error
    else:
        passed.append(statement)
print(json.dumps(passed))
"""


@pytest.mark.faults
def test_a40_the_database_refuses_to_change_what_is_kept(install):
    done = stack.manage("shell", "-v0", "-c", TRY, env=install)
    assert json.loads(done.stdout.strip().splitlines()[-1]) == []
