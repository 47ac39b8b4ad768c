"""How far the parts of rounds are that were drawn by lot, and how often their figures were seen.

A fixed number of answers was planned when the round was drawn, and the intervals of the pages hold
for one look when it is reached. Who looks earlier and stops because of what they see is misled.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count

from annotation.models import Assignment, Look, Round

DONE, WAITING = Assignment.State.DONE, {Assignment.State.OPEN, Assignment.State.LEASED}


@dataclass(frozen=True)
class Plan:
    """One round: the answers asked for on its part drawn by lot, those given, and the looks."""

    round: Round
    answers: int
    asked: int  # answered, or still waiting for someone
    looks: int = 0

    @property
    def finished(self) -> bool:
        return self.answers == self.asked

    @property
    def stopped(self) -> bool:
        """Closed before all answers had come."""
        return not self.finished and self.round.state == Round.State.CLOSED


def subject(round_: Round) -> str:
    """What a Look at the figures of a round is about."""
    return f"round {round_.pk}"


def plans(rounds: Iterable[Round]) -> list[Plan]:
    """Of those rounds that drew something by lot, by two queries."""
    rounds = list(rounds)
    by_lot = Assignment.objects.filter(round__in=rounds, round_item__inclusion__isnull=False)
    seats: dict[int, dict[str, int]] = defaultdict(dict)
    for round_id, state, n in by_lot.values_list("round", "state").annotate(n=Count("pk")):
        seats[round_id][state] = n
    looks = _looks(rounds)
    return [
        Plan(round_, given := found.get(DONE, 0), given + _waiting(found), looks.get(round_.pk, 0))
        for round_ in rounds
        if (found := seats.get(round_.pk))
    ]


def _waiting(found):
    return sum(n for state, n in found.items() if state in WAITING)


def _looks(rounds):
    named = {subject(round_): round_.pk for round_ in rounds}
    seen = Look.objects.filter(project__in={round_.project_id for round_ in rounds})
    counted = seen.filter(subject__in=named).order_by().values_list("subject")
    return {named[name]: n for name, n in counted.annotate(n=Count("pk"))}
