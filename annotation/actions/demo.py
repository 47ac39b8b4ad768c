"""The demo project: eighty letters to a city library, written for SynthLab."""

import json
from pathlib import Path

from django.db import transaction

from annotation.actions.codebooks import publish, replace_draft
from annotation.imports.codebooks import read_codebook
from annotation.models import Project, Sample
from synthlab.science.text import content_hash

FOLDER = Path(__file__).resolve().parent.parent / "demo"
NAME = "Letters to a city library (demo)"


@transaction.atomic
def fill_demo_project():
    """The new project, or None when it is there already. The first manager will manage it."""
    if Project.objects.filter(name=NAME).exists():
        return None
    project = Project.objects.create(
        name=NAME,
        task_type="single_label",
        description="What does each letter want? Written for this demo; no real person wrote one.",
    )
    _publish_codebook(project)
    _add_letters(project)
    return project


def _publish_codebook(project):
    found = read_codebook((FOLDER / "codebook.json").read_bytes(), project.task, lambda ids: {})
    draft = replace_draft(project, found.rules, None)
    draft.refresh_from_db()
    publish(draft, version=draft.version, published_by=None)


def _add_letters(project):
    letters = [json.loads(line) for line in (FOLDER / "letters.jsonl").open()]
    Sample.objects.bulk_create(
        Sample(
            project=project,
            external_id=letter["id"],
            fields={"text": letter["text"]},
            text=letter["text"],
            meta={"branch": letter["branch"], "kind": letter["kind"]},
            content_hash=content_hash({"text": letter["text"]}),
            reference={"label": letter["reference"]},
            reference_code=letter["reference"],
        )
        for letter in letters
    )
