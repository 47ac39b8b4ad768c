"""Counting who sees figures before their round has all the answers that were planned."""

from collections.abc import Iterable
from dataclasses import replace

from annotation.models import Look, Round, User
from annotation.reports.plans import Plan, plans, subject


def look_at(rounds: Iterable[Round], user: User | None) -> list[Plan]:
    """The plans of these rounds, this look included.

    A look at a round that is not finished counts once for each number of answers: who loads the
    page again before anything changed has learned nothing new.
    """
    return [_seen(plan, user) for plan in plans(rounds)]


def _seen(plan, user):
    if plan.finished or not plan.answers:
        return plan
    round_ = plan.round
    _look, new = Look.objects.get_or_create(
        project_id=round_.project_id,
        subject=subject(round_),
        answers=plan.answers,
        defaults={"user": user},
    )
    return replace(plan, looks=plan.looks + new)
