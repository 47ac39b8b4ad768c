"""Rows for tests, by plain functions with sensible defaults."""

import itertools
import uuid

import numpy as np
from django.utils.timezone import now

from annotation.arrays import hash_of
from annotation.models import (
    Annotation,
    Assignment,
    Codebook,
    Label,
    LockedSplit,
    MachineAnnotator,
    Membership,
    Project,
    Round,
    RoundAnnotator,
    RoundItem,
    Sample,
    Suggestion,
    User,
)
from generation.models import Connection
from synthlab.science.text import content_hash

_counter = itertools.count(1)
PASSWORD = "correct horse battery"


def make_user(name="person", **fields):
    return User.objects.create_user(f"{name}{next(_counter)}", password=PASSWORD, **fields)


def make_superuser():
    return make_user("superuser", is_superuser=True, is_staff=True)


def make_member(project, role):
    user = make_user(role)
    Membership.objects.create(project=project, user=user, role=role)
    return user


def make_manager(project):
    return make_member(project, Membership.Role.MANAGER)


def make_annotator(project):
    return make_member(project, Membership.Role.ANNOTATOR)


def make_adjudicator(project):
    return make_member(project, Membership.Role.ADJUDICATOR)


def make_project(task_type="single_label", **fields):
    name = fields.pop("name", f"Project {next(_counter)}")
    return Project.objects.create(name=name, task_type=task_type, **fields)


def make_codebook(project, slugs=("yes", "no"), published=True, **fields):
    """An edition with one label a slug; keys are 1, 2, 3 ..., numbers 0, 1, 2 ..."""
    number = fields.pop("number", project.codebooks.count() + 1)
    fields.setdefault("question", "Is it so?")
    codebook = Codebook.objects.create(project=project, number=number, **fields)
    for position, slug in enumerate(slugs):
        Label.objects.create(
            codebook=codebook,
            slug=slug,
            name=slug.capitalize(),
            definition=f"The text is {slug}.",
            include=f"what is {slug}",
            exclude=f"what is not {slug}",
            examples=[{"text": f"An example of {slug}.", "why": "It shows.", "near_miss": False}],
            key=str(position + 1) if position < 9 else "",
            number=position,
            position=position,
        )
    if published:
        Codebook.objects.filter(pk=codebook.pk).update(state="published", published_at=now())
        codebook.refresh_from_db()
    return codebook


def make_sample(project, text="A text.", **fields):
    parts = fields.pop("fields", {"text": text})
    return Sample.objects.create(
        project=project,
        fields=parts,
        text="\n\n".join(parts.values()),
        content_hash=content_hash(parts),
        **fields,
    )


def make_machine(project, codebook=None, **fields):
    fields = {
        "name": "Stand-in, logprobs",
        "model": "offline-stand-in",
        "technique": "logprobs",
        "fingerprint": uuid.uuid4().hex,
        **fields,
    }
    return MachineAnnotator.objects.create(
        project=project, codebook=codebook or project.edition(), **fields
    )


def make_suggestion(machine, sample, probabilities, **fields):
    """A suggestion whose value and uncertainty follow from the probabilities."""
    task = machine.project.task
    belief = task.belief(probabilities, machine.codebook.rules())
    fields = {"source": "logprobs", **fields}
    return Suggestion.objects.create(
        machine=machine,
        sample=sample,
        value=belief.value,
        code=task.code(belief.value),
        probabilities=probabilities,
        confidence=belief.confidence,
        entropy=belief.entropy,
        margin=belief.margin,
        **fields,
    )


def make_round(project, texts=("first text", "second text"), annotators=(), **fields):
    """An open round over new samples with these texts, drawn uniformly, all of them."""
    samples = fields.pop("samples", None) or [make_sample(project, text) for text in texts]
    fields = {
        "name": f"Round {next(_counter)}",
        "codebook": project.edition() or make_codebook(project),
        "strategy": "uniform",
        "seed": 1,
        **fields,
    }
    stratum, inclusion = fields.pop("stratum", "uniform"), fields.pop("inclusion", 1.0)
    round_ = Round.objects.create(project=project, state=Round.State.OPEN, **fields)
    for user in annotators:
        RoundAnnotator.objects.create(round=round_, user=user)
    for rank, sample in enumerate(samples):
        item = RoundItem.objects.create(
            round=round_, sample=sample, rank=rank, stratum=stratum, inclusion=inclusion
        )
        for seat in range(1, round_.overlap + 1):
            Assignment.objects.create(round=round_, round_item=item, seat=seat, priority=rank)
    return round_


def make_annotation(round_item, annotator, slugs, **fields):
    """An answer on a free seat of the item, which is then done."""
    round_ = round_item.round
    task = round_.project.task
    value = task.value([slugs] if isinstance(slugs, str) else list(slugs), round_.codebook.rules())
    seat = Assignment.objects.open().filter(round_item=round_item).order_by("seat").first()
    if seat is not None and "supersedes" not in fields:
        Assignment.objects.filter(pk=seat.pk).update(
            state="done", annotator=annotator, closed_at=now()
        )
    fields = {"blind": True, "seconds": 5.0, "client_key": uuid.uuid4(), **fields}
    return Annotation.objects.create(
        project=round_.project,
        sample=round_item.sample,
        round_item=round_item,
        assignment=seat,
        annotator=annotator,
        codebook=round_.codebook,
        value=value,
        code=task.code(value),
        **fields,
    )


def make_locked_split(project, split="dev", frame=None):
    """The samples of this split, locked; `frame` says from how many they were drawn by lot."""
    ids = project.samples.filter(split=split).order_by("pk").values_list("pk", flat=True)
    return LockedSplit.objects.create(
        project=project,
        split=split,
        size=len(ids),
        hash=hash_of(np.array(ids)),
        drawn={"frame": {"size": frame}, "seed": 1} if frame else {"as_imported": True},
    )


def make_connection(base_url="http://127.0.0.1:9/v1", **fields):
    fields = {"name": f"Connection {next(_counter)}", "model": "test-model", **fields}
    return Connection.objects.create(base_url=base_url, **fields)
