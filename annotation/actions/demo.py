"""The demo project: eighty letters to a city library, written for SynthLab."""

import json
from pathlib import Path

from django.db import transaction
from django.utils.timezone import now

from annotation.models import Codebook, Label, Project, Sample
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
    rules = json.loads((FOLDER / "codebook.json").read_text())
    labels = rules.pop("labels")
    codebook = Codebook.objects.create(project=project, number=1, **rules)
    Label.objects.bulk_create(
        Label(codebook=codebook, position=position, **label)
        for position, label in enumerate(labels)
    )
    Codebook.objects.filter(pk=codebook.pk).update(
        state=Codebook.State.PUBLISHED, published_at=now()
    )


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
