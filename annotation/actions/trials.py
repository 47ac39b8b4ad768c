"""Trying a draft: its text is frozen as a trial edition, so that a machine can follow it now."""

from django.db import transaction
from django.utils.translation import gettext as _

from annotation.actions.codebooks import (
    TEXTS,
    CannotPublish,
    StaleDraft,
    next_number,
    publication,
    write_labels,
)
from annotation.models import Codebook, User


class CannotTry(CannotPublish):
    """The draft cannot be tried as it is. `messages` say what to do."""


@transaction.atomic
def try_draft(draft: Codebook, tried_by: User | None = None) -> Codebook:
    """The trial that froze the draft's text, made now unless there is one.

    The trial takes the draft's number, the draft the next one. Raises CannotTry, or StaleDraft
    where the draft was published or discarded meanwhile.
    """
    # Held until the trial is written, so that nobody saves another text in between.
    held = Codebook.objects.drafts().select_for_update().filter(pk=draft.pk).first()
    if held is None:
        raise StaleDraft
    if messages := obstacles(held):
        raise CannotTry(messages)
    if tried := held.as_tried():
        return tried
    number = held.number
    Codebook.objects.filter(pk=held.pk).update(number=next_number(held.project))
    kept = {name: getattr(held, name) for name in (*TEXTS, "project", "parent", "change")}
    trial = Codebook.objects.create(
        number=number, state=Codebook.State.TRIAL, created_by=tried_by, **kept
    )
    write_labels(trial, held.rules().labels)
    return trial


def obstacles(draft: Codebook) -> list[str]:
    """Why the draft cannot be tried yet, and what to do; empty where it can."""
    if draft.parent_id is None:
        return [_("Publish the first edition first: there is none yet to compare a draft with.")]
    return list(publication(draft).lacks)
