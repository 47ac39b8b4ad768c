"""Seats and their leases: who works on what now.

A claim is one atomic statement, and the database's clock judges every lease. What keeps a
sample from going to too many people is the row a seat, UNIQUE(round item, annotator) and the
version, never a lock that only some databases have.
"""

from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from annotation.models import Assignment, Round, RoundAnnotator, User
from synthlab.failpoints import mutated

LEASES = 2  # the sample on the screen, and the one fetched ahead

# The first open seat at an item that this person never had, skipped or answered as an extra.
FREE = """
SELECT seat.id FROM annotation_assignment seat
WHERE seat.round_id = %(round)s AND seat.state = 'open' {where}
  AND NOT EXISTS (SELECT 1 FROM annotation_assignment had
    WHERE had.round_item_id = seat.round_item_id AND had.annotator_id = %(user)s)
  AND NOT EXISTS (SELECT 1 FROM annotation_annotation said
    WHERE said.round_item_id = seat.round_item_id AND said.annotator_id = %(user)s
      AND said.supersedes_id IS NULL)
ORDER BY seat.priority, seat.id LIMIT 1"""
HELD = """
FROM annotation_assignment held WHERE held.annotator_id = %(user)s
  AND held.round_id = %(round)s AND held.closed_at IS NULL AND held.state = 'leased'"""
# Before what I hold there is nothing left for me: someone who works alone in a round with
# overlap would otherwise walk over every second seat of all that they have answered.
FROM_HELD = FREE.format(where=f"AND seat.priority >= (SELECT MAX(held.priority) {HELD})")
FROM_START = FREE.format(where="")
TAKE = f"""
UPDATE annotation_assignment SET state = 'leased', annotator_id = %(user)s,
  leased_at = {{now}}, lease_until = {{until}}, version = version + 1
WHERE state = 'open' AND (SELECT COUNT(*) {HELD}) < %(most)s
  AND EXISTS (SELECT 1 FROM annotation_round r WHERE r.id = %(round)s AND r.state = 'open')
  AND id {{chosen}}
RETURNING id"""
CLOCK = "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now'"
# MATERIALIZED: chosen once, so that one row is locked. SKIP LOCKED: nobody waits in line.
LOCK = "FOR UPDATE OF seat SKIP LOCKED"
ELSE_FROM_START = FREE.format(where="AND NOT EXISTS (SELECT 1 FROM first)")


def _sqlite(first):
    return TAKE.format(
        now=f"{CLOCK})",
        until=f"{CLOCK}, '+' || %(seconds)s || ' seconds')",
        chosen=f"= COALESCE(({first}), ({FROM_START}))",
    )


def _postgresql(first):
    chosen = f"""
WITH first AS MATERIALIZED ({first} {LOCK}),
  second AS MATERIALIZED ({ELSE_FROM_START} {LOCK})"""
    return chosen + TAKE.format(
        now="clock_timestamp()",
        until="clock_timestamp() + %(seconds)s * interval '1 second'",
        chosen="IN (SELECT id FROM first UNION ALL SELECT id FROM second)",
    )


# By database, and by whether seats may have come free before those that I hold.
CLAIM = {
    (vendor, swept): statement(FROM_START if swept else FROM_HELD)
    for vendor, statement in (("sqlite", _sqlite), ("postgresql", _postgresql))
    for swept in (False, True)
}


def sweep(round_: Round, but: User) -> int:
    """Give expired leases back, but one's own: that one stays until someone else needs it."""
    moment = timezone.now() if mutated("own_clock") else Now()
    expired = Assignment.objects.filter(
        round=round_, state=Assignment.State.LEASED, lease_until__lt=moment
    )
    return expired.exclude(annotator=but).reopen()


def claim(round_: Round, user: User, most: int = LEASES, swept: bool = False) -> int | None:
    """Lease the next seat, unless the user holds `most` already; its id, or None."""
    parameters = {
        "round": round_.pk,
        "user": user.pk,
        "most": most,
        "seconds": settings.LEASE_SECONDS,
    }
    if mutated("claim_apart"):
        return _claim_apart(parameters)
    statement = CLAIM[connection.vendor, swept]
    try:
        return _run(statement, parameters)
    except IntegrityError:  # two tabs of one person reached for two seats of one item
        return _run(statement, parameters)


def _run(statement, parameters):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row = cursor.fetchone()
    return row and row[0]


def _claim_apart(parameters):
    with connection.cursor() as cursor:
        cursor.execute(FROM_START, parameters)
        if row := cursor.fetchone():
            Assignment.objects.filter(pk=row[0]).update(
                state="leased", annotator=parameters["user"], version=F("version") + 1
            )
    return row and row[0]


def leases(round_: Round, user: User) -> list[Assignment]:
    """What the user works on now, and next: claimed if need be. Nothing is left if it is empty."""
    swept = sweep(round_, but=user) > 0
    mine = (
        Assignment.objects.held_by(user)
        .filter(round=round_)
        .select_related("round_item__sample")
        .order_by("leased_at", "pk")
    )
    held = []
    with transaction.atomic():
        _one_tab_at_a_time(round_, user)
        while len(held) < LEASES:
            got = claim(round_, user, swept=swept)
            held = list(mine[:LEASES])
            if got is None:
                break
    return held


def _one_tab_at_a_time(round_, user):
    """Tabs that reach for seats at once get the same ones. SQLite's transactions wait anyway."""
    if connection.features.has_select_for_update:
        place = RoundAnnotator.objects.select_for_update().filter(round=round_, user=user)
        place.values_list("pk").first()


def extend(round_: Round, user: User) -> int:
    """Keep what the user holds for another term, however late, if nobody took it meanwhile."""
    mine = Assignment.objects.held_by(user).filter(round=round_)
    return mine.update(lease_until=Now() + timedelta(seconds=settings.LEASE_SECONDS))


def release(round_: Round, user: User) -> int:
    """Give back what the user holds, so that others need not wait for the lease to end."""
    return Assignment.objects.held_by(user).filter(round=round_).reopen()
