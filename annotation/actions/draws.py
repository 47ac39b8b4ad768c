"""Drawing a round: write it down in chunks, open it in one step, or leave it to the worker."""

import math
import time
from contextlib import suppress
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.actions.draw_plans import CannotDraw, Design, plan
from annotation.actions.relabels import relabel_plan
from annotation.arrays_stale import RELABEL
from annotation.filters import SampleFilter
from annotation.models import Assignment, Project, Round, RoundAnnotator, RoundItem, User
from synthlab.failpoints import failpoint, mutated
from synthlab.science.selection import mixture

CHUNK = 250
LEASE = timedelta(seconds=60)
BEING_DRAWN = gettext_lazy("This round is being drawn; it appears when all of it is written.")


class BeingDrawn(CannotDraw):
    """The same draw was asked for a moment ago and is still being written."""


class TakenAway(CannotDraw):
    """Another writer has begun this draw anew."""


def draw_round(
    project: Project, design: Design, created_by: User | None = None, *, wait: bool = True
) -> Round:
    """Draw and open a round. Asked twice with one key, it is one round; raises CannotDraw.

    The rows are written in short transactions while nobody sees the round. Without `wait`, a
    large one is left to the worker: it is still in the state `drawing`. If the writer dies, the
    worker begins anew what has a key; the rest is cleared away by the project's next draw.
    """
    if drawn := _drawn_already(project, design.key, wait):
        return drawn
    clear_abandoned_draws(project)
    planned = _planned(project, design, quick=not wait)
    later = not wait and (planned.drawn is None or planned.seats > settings.DRAW_AT_ONCE)
    round_ = _begin(project, design, planned, created_by, now() if later else now() + LEASE)
    if not later:
        _write(round_, planned)
        _open(round_)
    return round_


def _planned(project, design, quick=False):
    if design.strategy == RELABEL:
        return relabel_plan(design)
    return plan(project, design, quick=quick)


def _drawn_already(project, key, wait):
    """The round that was asked for by the same key; None: not yet, or in vain."""
    found = project.rounds.filter(draw_key=key).first() if key else None
    if found is None or (found.state == Round.State.DRAWING and found.drawing_until is None):
        return None
    if found.state == Round.State.DRAWING:
        if found.drawing_until > now() or not wait:
            raise BeingDrawn(BEING_DRAWN)
        _draw_again(found)
    return found


def clear_abandoned_draws(project: Project) -> None:
    """Take away what can no longer be drawn, what a writer that died has left, and the samples of
    draws that were given up after a look."""
    left = project.rounds.filter(state=Round.State.DRAWING)
    for round_ in left.filter(Q(drawing_until=None) | Q(draw_key=None, drawing_until__lt=now())):
        _clear(round_)
        if round_.parameters.get("dropped"):  # someone looked at it: that stays on record
            left.filter(pk=round_.pk).update(state=Round.State.DROPPED)
        else:
            round_.delete()


def _clear(round_):
    while items := list(round_.items.values_list("pk", flat=True)[:CHUNK]):
        began = time.monotonic()
        with transaction.atomic():
            round_.assignments.filter(round_item__in=items).delete()
            round_.items.filter(pk__in=items).delete()
        time.sleep(time.monotonic() - began)  # so that answers are never kept waiting


def work_on_due() -> bool:
    """Draw the round that has waited longest for the worker; False: none is due.

    It is planned anew, over the samples as they are now, and begun anew if its writer died.
    """
    due = Round.objects.filter(
        state=Round.State.DRAWING, draw_key__isnull=False, drawing_until__lte=now()
    )
    round_ = due.select_related("project", "codebook", "machine").order_by("drawing_until").first()
    if round_ is None:
        return False
    with suppress(CannotDraw):
        _draw_again(round_)
    return True


def _draw_again(round_):
    _hold(round_)
    _clear(round_)
    try:
        planned = _planned(round_.project, _design_of(round_))
    except CannotDraw as error:
        round_.parameters["problem"] = str(error)
        _hold(round_, until=None, parameters=round_.parameters)
        raise
    _hold(round_, **_outcome(round_.parameters, planned))
    _write(round_, planned)
    _open(round_)


def _design_of(round_):
    return Design(
        codebook=round_.codebook,
        strategy=round_.strategy,
        budget=round_.parameters["budget"],
        audit=round_.parameters["audit"],
        seed=round_.seed,
        options=round_.parameters.get("options", {}),
        machine=round_.machine,
        which=SampleFilter.of(round_.frame["filter"]),
        overlap=round_.overlap,
        annotators=tuple(User.objects.filter(pk__in=round_.seats.values("user"))),
    )


def _begin(project, design, planned, created_by, until):
    try:
        with transaction.atomic():
            round_ = Round.objects.create(
                project=project,
                state=Round.State.OPEN if mutated("draw_in_sight") else Round.State.DRAWING,
                name=design.name or _("Round %(n)d") % {"n": project.rounds.count() + 1},
                purpose=design.purpose,
                codebook=design.codebook,
                machine=design.machine,
                strategy=design.strategy,
                seed=design.seed,
                **_outcome(
                    {
                        "budget": design.budget,
                        "audit": design.audit,
                        "options": design.options,
                        "look": design.look,
                        "rerank_every": design.rerank_every,
                    },
                    planned,
                ),
                overlap=design.overlap,
                blind=design.blind,
                monitor=design.monitor,
                created_by=created_by,
                draw_key=design.key,
                drawing_until=until,
            )
            RoundAnnotator.objects.bulk_create(
                RoundAnnotator(round=round_, user=user) for user in design.annotators
            )
            return round_
    except IntegrityError as error:
        raise BeingDrawn(BEING_DRAWN) from error


def _outcome(parameters, planned):
    """What the plan adds to what was asked for."""
    return {
        "parameters": {
            **parameters,
            "samples": planned.samples,
            "audit_samples": planned.audit,
            "notes": [*planned.notes, *notes_on_neighbours(planned.drawn)],
            **({"learned": planned.learned} if planned.learned else {}),
        },
        "frame": {
            "filter": planned.which.stated(),
            "size": planned.frame.pool.size,
            "hash": planned.frame.hash,
        },
    }


def notes_on_neighbours(drawn: mixture.Mixture | None) -> list[str]:
    """What a reader must know where the strategy did not compare all pairs of samples."""
    if drawn is None or drawn.recall is None:
        return []
    said = _(
        "So many samples are not all compared with each other: the strategy went by an approximate"
        " graph that holds %(recall).1f %% of the nearest neighbours (measured on some by lot)."
    )
    return [said % {"recall": 100 * drawn.recall}]


def _write(round_, planned):
    drawn, parts = planned.drawn, planned.parts
    samples = planned.frame.samples[drawn.rows]
    for start in range(0, len(samples), CHUNK):
        began = time.monotonic()
        ranks = range(start, min(start + CHUNK, len(samples)))
        with transaction.atomic():
            _hold(round_)
            items = RoundItem.objects.bulk_create(
                RoundItem(
                    round=round_,
                    sample_id=int(samples[rank]),
                    rank=rank,
                    score=known(drawn.scores[rank]),
                    stratum=parts[rank],
                    inclusion=known(drawn.inclusion[rank]),
                )
                for rank in ranks
            )
            Assignment.objects.bulk_create(seats_at(round_, items))
        failpoint("draw.chunk")
        if ranks.stop < len(samples):
            time.sleep(time.monotonic() - began)  # so that answers are never kept waiting


def _hold(round_, until=LEASE, **columns):
    """Keep the lease, with other columns; who lost it (it slept, another one began) stops here."""
    mine = Round.objects.filter(
        pk=round_.pk, state=round_.state, drawing_until=round_.drawing_until
    )
    columns["drawing_until"] = until and now() + until
    if not mine.update(**columns):
        raise TakenAway(_("The draw took too long and was given up: draw again."))
    for name, value in columns.items():
        setattr(round_, name, value)


def known(number: float) -> float | None:
    """A number as the tables hold it: NaN is null."""
    return None if math.isnan(number) else float(number)


def seats_at(round_: Round, items: list[RoundItem]) -> list[Assignment]:
    """As many empty seats at each item as the round asks answers for."""
    return [
        Assignment(round=round_, round_item=item, seat=seat, priority=item.rank)
        for item in items
        for seat in range(1, round_.overlap + 1)
    ]


def _open(round_):
    state = Round.State.DRAWN if round_.parameters.get("look") else Round.State.OPEN
    _hold(round_, until=None, state=state)
