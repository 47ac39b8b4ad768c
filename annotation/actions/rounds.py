"""Rounds after their draw: routing into them, closing them, who works in them, their seats."""

import time
from collections.abc import Iterable

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, Max, OuterRef, Q
from django.utils.timezone import now
from django.utils.translation import gettext as _

from annotation.actions.draws import CHUNK, clear_abandoned_draws, seats_at
from annotation.models import (
    Assignment,
    MachineAnnotator,
    Membership,
    Project,
    Round,
    RoundAnnotator,
    RoundItem,
    Sample,
    User,
)

ROUTING = "confidence_threshold"


class Refused(ValueError):
    """It cannot be done now; the message says why."""


def default_annotators(project: Project) -> list[User]:
    """Who is asked unless a manager says otherwise: the annotators, else every member."""
    members = User.objects.filter(memberships__project=project).order_by("pk")
    annotators = members.filter(
        memberships__project=project, memberships__role=Membership.Role.ANNOTATOR
    )
    return list(annotators or members)


def route_low_confidence(machine: MachineAnnotator, unanswered: Iterable[int] = ()) -> int:
    """Send what the machine is too unsure of to its review queue; how many seats were added.

    The project's policy says what is too unsure. A missing confidence is, on purpose, and so is
    a sample that the machine was asked about in vain: `unanswered`, by id. Samples that are in a
    routed round already are left alone, so doing it twice changes nothing.
    """
    project = machine.project
    if project.route_below is None or not machine.codebook.is_published:
        return 0  # people follow published editions only: no queue for a tried draft
    due = [(sample, None) for sample in _in_vain(machine, list(unanswered))]
    due += _unrouted(machine, project.route_below)
    added = 0
    for start in range(0, len(due), CHUNK):
        began = time.monotonic()
        added += _append(machine, due[start : start + CHUNK])
        if start + CHUNK < len(due):
            time.sleep(time.monotonic() - began)  # so that answers are never kept waiting
    return added


def _in_vain(machine, asked):
    """Those of the samples that the machine still says nothing about and people were not asked."""
    answered = machine.suggestions.filter(sample=OuterRef("pk"))
    for start in range(0, len(asked), CHUNK):
        chunk = Sample.objects.filter(pk__in=asked[start : start + CHUNK], split=Sample.Split.POOL)
        yield from chunk.filter(~Exists(answered), ~Exists(_routed("pk"))).values_list(
            "pk", flat=True
        )


def _routed(sample):
    return RoundItem.objects.filter(sample=OuterRef(sample), round__routed=True)


def _unrouted(machine, threshold):
    """Pairs of sample id and confidence, the least sure first."""
    unsure = Q(confidence__lt=threshold) | Q(confidence=None)
    return (
        machine.suggestions.filter(
            unsure, ~Exists(_routed("sample")), sample__split=Sample.Split.POOL
        )
        .order_by(F("confidence").asc(nulls_first=True), "pk")
        .values_list("sample", "confidence")
    )


@transaction.atomic
def _append(machine, due):
    """Add samples to the machine's open queue; what another worker has just added stays single."""
    round_ = _review_queue(machine)
    last = round_.items.aggregate(last=Max("rank"))["last"]
    first = 0 if last is None else last + 1
    RoundItem.objects.bulk_create(
        (
            RoundItem(
                round=round_,
                sample_id=sample,
                rank=first + place,
                score=None if confidence is None else 1 - confidence,
                stratum=ROUTING,
            )
            for place, (sample, confidence) in enumerate(due)
        ),
        ignore_conflicts=True,
    )
    items = round_.items.filter(sample__in=[sample for sample, confidence in due], assignments=None)
    seats = seats_at(round_, list(items))
    Assignment.objects.bulk_create(seats, ignore_conflicts=True)
    return len(seats)


def _review_queue(machine):
    """The open routed round of this machine, made when there is none."""
    project = machine.project
    round_, created = Round.objects.get_or_create(
        project=project,
        machine=machine,
        routed=True,
        state=Round.State.OPEN,
        defaults={
            "name": (_("Review queue: %(machine)s") % {"machine": machine.name})[:200],
            "codebook": machine.codebook,
            "strategy": ROUTING,
            "parameters": {"route_below": project.route_below},
            "seed": 0,
            "frame": {"filter": {"split": Sample.Split.POOL, "machine": machine.pk}},
            "overlap": project.route_overlap,
        },
    )
    if created:
        add_annotators(round_, default_annotators(project))
    return round_


def set_policy(project: Project, route_below: float | None, route_overlap: int) -> None:
    """From now on, label runs that end route by this; None switches routing off."""
    project.route_below, project.route_overlap = route_below, route_overlap
    project.save(update_fields=["route_below", "route_overlap"])


def add_annotators(round_: Round, users: list[User]) -> None:
    """Ask these people too. Whoever is asked already stays so."""
    rows = [RoundAnnotator(round=round_, user=user) for user in users]
    RoundAnnotator.objects.bulk_create(rows, ignore_conflicts=True)


def open_drawn(round_: Round, monitor: dict[str, float] | None = None) -> bool:
    """Ask people into a round that was only looked at so far, to be judged at any time by this
    monitor, else at its end. False: that was done already."""
    drawn = Round.objects.filter(pk=round_.pk, state=Round.State.DRAWN)
    return bool(drawn.update(state=Round.State.OPEN, monitor=monitor))


def discard_drawn(round_: Round) -> bool:
    """Take back a draw that nobody was asked into. False: people have been asked meanwhile.

    Its samples are free again; that it was drawn, how and by whom, stays on record.
    """
    drawn = Round.objects.filter(pk=round_.pk, state=Round.State.DRAWN)
    round_.parameters["dropped"] = True
    back = {"draw_key": None, "drawing_until": None, "parameters": round_.parameters}
    if not drawn.update(state=Round.State.DRAWING, **back):
        return False
    clear_abandoned_draws(round_.project)
    return True


def close_round(round_: Round) -> None:
    """Nobody gets a new sample of it. What someone is working on is still taken."""
    Round.objects.open().filter(pk=round_.pk).update(state=Round.State.CLOSED, closed_at=now())


def reopen_round(round_: Round) -> None:
    closed = Round.objects.filter(pk=round_.pk, state=Round.State.CLOSED)
    try:
        with transaction.atomic():
            closed.update(state=Round.State.OPEN, closed_at=None)
    except IntegrityError as error:
        raise Refused(_("This machine has a newer review queue: close that one first.")) from error


def release_seat(seat: Assignment) -> bool:
    """Give a leased seat back to the queue. False: it was answered or released meanwhile."""
    held = Assignment.objects.filter(
        pk=seat.pk, state=Assignment.State.LEASED, version=seat.version
    )
    return bool(held.reopen())


@transaction.atomic
def offer_to_someone_else(seat: Assignment) -> bool:
    """Open a new seat for a skipped one. False: that was done already; raises Refused."""
    seats = list(Assignment.objects.filter(round_item=seat.round_item).values_list("state", "seat"))
    if not is_owed(seat.round, [state for state, number in seats]):
        return False
    had = Assignment.objects.filter(round_item=seat.round_item, annotator=OuterRef("user"))
    if not seat.round.seats.filter(~Exists(had)).exists():
        raise Refused(_("Everyone in this round has had this sample: add an annotator first."))
    return Assignment.objects.get_or_create(
        round_item=seat.round_item,
        seat=max(number for state, number in seats) + 1,
        defaults={"round": seat.round, "priority": seat.priority},
    )[1]


def is_owed(round_: Round, states: list[str]) -> bool:
    """Does an item whose seats are in these states still lack a seat for an asked answer?"""
    skipped = sum(state == Assignment.State.SKIPPED for state in states)
    return len(states) - skipped < round_.overlap
