"""The loop: what people answer in a round changes which of its samples come next."""

import numpy as np
from django.db import IntegrityError, transaction
from django.db.models import Case, IntegerField, Sum, Value, When

from annotation.actions.draw_plans import predicted_errors
from annotation.actions.features import make_features
from annotation.models import Assignment, Round, RoundRanking
from synthlab.science.selection.mixture import AUDIT

CHUNK = 250


def rerank_due() -> bool:
    """Order the open seats of one round anew; False: no round is due."""
    due = Round.objects.open().filter(parameters__rerank_every__gt=0, machine__isnull=False)
    for round_ in due.select_related("project", "machine__project", "codebook"):
        answers = round_.seats.aggregate(n=Sum("done"))["n"] or 0
        last = round_.rankings.order_by("-answers").values_list("answers", flat=True).first()
        if answers - (last or 0) >= round_.parameters["rerank_every"]:
            _rerank(round_, answers)
            return True
    return False


def _rerank(round_, answers):
    """Deal the places of the open seats out again, the likeliest error first.

    The same places are dealt, to the same seats but the audit's: those stay spread over the round,
    so that a round left half done still has its share of them. Seats that someone took meanwhile
    stay as they are. Doing it twice changes nothing more.
    """
    make_features(round_.project)
    seats = _open_seats(round_)
    samples = np.unique(np.array([sample for *_, sample in seats], dtype=np.int64))
    error, _known, learned = predicted_errors(round_.machine, round_.codebook, round_.seed, samples)
    chance = dict(zip(samples.tolist(), error.tolist(), strict=True))
    # Stable: seats of one sample stay together, and samples alike in chance keep their order.
    order = sorted(seats, key=lambda seat: -chance[seat[2]])
    places = sorted(priority for _, priority, _ in seats)
    moves = {
        pk: place
        for (pk, priority, _), place in zip(order, places, strict=True)
        if place != priority
    }
    moved = _deal(moves)
    try:
        with transaction.atomic():
            RoundRanking.objects.create(round=round_, answers=answers, learned=learned, moved=moved)
    except IntegrityError:  # another worker did the same at the same time
        return


def _open_seats(round_):
    """(id, priority, sample) of the seats that may be moved, in their order."""
    seats = Assignment.objects.open().filter(round=round_).exclude(round_item__stratum=AUDIT)
    return list(
        seats.order_by("priority", "pk").values_list("pk", "priority", "round_item__sample")
    )


def _deal(moves):
    """Seats that are still open get their places; how many did."""
    pks, moved = list(moves), 0
    for start in range(0, len(pks), CHUNK):
        chunk = pks[start : start + CHUNK]
        places = Case(
            *(When(pk=pk, then=Value(moves[pk])) for pk in chunk), output_field=IntegerField()
        )
        moved += Assignment.objects.open().filter(pk__in=chunk).update(priority=places)
    return moved
