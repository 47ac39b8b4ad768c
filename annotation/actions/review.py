"""Taking answers, so that none is lost, none is counted twice and none is overwritten."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Subquery
from django.db.models.functions import Now

from annotation.actions.rounds import is_owed
from annotation.models import Annotation, Assignment, Round, RoundAnnotator, Suggestion, User
from annotation.task_types.base import Value
from synthlab.failpoints import mutated

State = Assignment.State
TAKEN = {"state": State.DONE, "closed_at": Now(), "lease_until": None, "skip_reason": ""}


@dataclass(frozen=True)
class Answer:
    """What a person sent: the answer, and what the page knows about how it came to be."""

    value: Value
    code: str
    client_key: UUID
    version: int = 0  # of the lease that it was given under
    seconds: float | None = None
    flag: bool = False
    comment: str = ""


class NeverHeld(Exception):
    """The seat is not, and was not, this person's."""


class Conflict(Exception):
    """This person has said something else about the sample meanwhile. Both answers are kept."""

    def __init__(self, stored: Annotation, sent: Answer):
        super().__init__()
        self.stored, self.sent = stored, sent


def client_key(user_id: int, noun: str, pk: int, version: int = 0) -> UUID:
    """The key of one submission. Everyone who shows the same form shows the same key, so that
    two tabs, a double click and the back button are one submission; and nobody can make one
    for a lease that they never had."""
    return _keys(user_id, noun, pk, version)[0]


def _keys(user_id, noun, pk, version):
    words = f"review {user_id} {noun} {pk} {version}".encode()
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    digests = [hmac.digest(secret.encode(), words, hashlib.sha256) for secret in secrets]
    return [UUID(bytes=digest[:16], version=4) for digest in digests]


def record_answer(assignment: Assignment, user: User, answer: Answer) -> Annotation:
    """Store the answer to a seat: in it, in another free one, or as an extra, but store it.

    Sent again, it is the same annotation. Raises Conflict where the person has said something
    else, and NeverHeld where the seat was never theirs.
    """
    round_, item = assignment.round, assignment.round_item
    seen = None if round_.blind else assignment.suggestion_id
    try:
        with transaction.atomic():
            if _take(assignment, user, answer):
                return _store(round_, item, user, answer, assignment=assignment, seen=seen)
            if earlier := _said(item, user, answer):
                return earlier
            seat, late = _late_seat(assignment, user, answer)
            how = {"assignment": seat, "extra": seat is None, "late": late, "seen": seen}
            return _store(round_, item, user, answer, **how)
    except IntegrityError:  # another tab was faster by a hair
        if earlier := _said(item, user, answer):
            return earlier
        raise


def revise(annotation: Annotation, user: User, answer: Answer) -> Annotation:
    """Say something else, or the same after having seen the suggestion, in a new row."""
    item = annotation.round_item
    suggestion = suggestion_for(item.round, annotation.sample_id)
    how = {
        "assignment": annotation.assignment,
        "extra": annotation.extra,
        "supersedes": annotation,
        "seen": suggestion and suggestion.pk,  # it was on the screen before, or came after
    }
    try:
        with transaction.atomic():
            return _store(item.round, item, user, answer, **how)
    except IntegrityError:
        if earlier := _said(item, user, answer):
            return earlier
        raise


@transaction.atomic
def skip(assignment: Assignment, user: User, version: int, reason: str, note: str = "") -> bool:
    """Leave the sample to others, and say why. False: it was not, or no longer, the user's."""
    held = Assignment.objects.held_by(user).filter(pk=assignment.pk, version=version)
    closed = {**TAKEN, "state": State.SKIPPED, "skip_reason": reason, "skip_note": note}
    if not held.update(**closed):
        return False
    _count(assignment.round, user, skipped=1)
    return True


def last_decision(round_: Round, user: User) -> Annotation | Assignment | None:
    """What the user did last in the round, an answer or a skip, if it may still be undone."""
    since = Now() - timedelta(seconds=settings.UNDO_SECONDS)
    answered = Annotation.objects.of_round(round_, user).filter(created_at__gt=since).first()
    skipped = Assignment.objects.skipped_by(round_, user).filter(closed_at__gt=since).first()
    if answered and skipped:
        return answered if answered.created_at >= skipped.closed_at else skipped
    return answered or skipped


def _take(assignment, user, answer):
    held = Assignment.objects.filter(pk=assignment.pk)
    if not mutated("no_lease_version"):
        held = held.held_by(user).filter(version=answer.version)
    if not held.update(**TAKEN, annotator=user):
        return False
    _count(assignment.round, user, done=1)
    return True


def _said(item, user, answer):
    """What was stored for this submission, or says the same, or None; raises Conflict."""
    if mutated("no_replay"):
        return None
    answers = Annotation.objects.filter(round_item=item, annotator=user)
    same = answers.filter(client_key=answer.client_key).first()
    stored = answers.current().first()
    for earlier in filter(None, (same, stored)):
        if earlier.code == answer.code and answer.comment in ("", earlier.comment):
            return earlier
    if stored:
        raise Conflict(stored, answer)
    return None


def _late_seat(assignment, user, answer):
    """A seat for an answer whose lease is gone, perhaps None, and whether the answer is late."""
    round_, seats = assignment.round, Assignment.objects.filter(round_item=assignment.round_item)
    mine = seats.filter(annotator=user)
    if mine.filter(state=State.LEASED).update(**TAKEN):
        _count(round_, user, done=1)
        return mine.get(), False
    if skipped := mine.filter(state=State.SKIPPED).first():
        return _unskip(round_, skipped, seats, user), False
    if answer.client_key not in _keys(user.pk, "assignment", assignment.pk, answer.version):
        raise NeverHeld
    free = seats.open().order_by("seat").values("pk")[:1]
    taken = seats.open().filter(pk=Subquery(free))
    if not taken.update(**TAKEN, annotator=user, version=F("version") + 1):
        return None, True
    _count(round_, user, done=1)
    return mine.get(), True


def _unskip(round_, skipped, seats, user):
    """The skipped seat, now done, unless someone else was asked in its place."""
    if not is_owed(round_, list(seats.values_list("state", flat=True))):
        return None
    Assignment.objects.filter(pk=skipped.pk).update(**TAKEN, skip_note="")
    _count(round_, user, done=1, skipped=-1)
    return skipped


def _store(round_, item, user, answer, *, seen, **how):
    return Annotation.objects.create(
        project=round_.project,
        sample=item.sample,
        round_item=item,
        annotator=user,
        codebook=round_.codebook,
        value=answer.value,
        code=answer.code,
        seconds=answer.seconds,
        blind=seen is None,
        suggestion_id=seen,
        flag=answer.flag,
        comment=answer.comment,
        client_key=answer.client_key,
        **how,
    )


def suggestion_for(round_: Round, sample_id: int) -> Suggestion | None:
    """What the round's machine annotator said about the sample."""
    if round_.machine_id is None:
        return None
    return Suggestion.objects.filter(machine=round_.machine_id, sample=sample_id).first()


def _count(round_, user, done=0, skipped=0):
    RoundAnnotator.objects.filter(round=round_, user=user).update(
        done=F("done") + done, skipped=F("skipped") + skipped, seen_codebook=round_.codebook_id
    )
