"""What is published or answered never changes, whichever database keeps it."""

import json

import pytest

from tests.faults import stack

TRY = """
import json
from django.db import IntegrityError, connection, transaction
from tests import factories as f
project = f.make_project()
codebook = f.make_codebook(project)
annotator = f.make_annotator(project)
round_ = f.make_round(project, annotators=[annotator])
item = round_.items.first()
f.make_annotation(item, annotator, "yes")
machine = f.make_machine(project)
f.make_suggestion(machine, item.sample, {"yes": 0.75, "no": 0.25})
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
