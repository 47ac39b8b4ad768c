"""One turn of a slice of work: store what was read, hand out what comes next, in one transaction.

Nothing of the worker's own state changes before the transaction is committed, so that a turn can be
repeated when the database was busy.
"""

import time
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction

from annotation.task_types.base import Rules
from generation.actions import ledger, runs, slots
from generation.actions.busy import patiently
from generation.actions.journal import Journal
from generation.actions.slots import Ending, Held
from generation.llm.base import Capabilities, Request
from generation.llm.wire import Ask, Wire
from generation.models import Attempt, Call, Run, Slot
from generation.models.ledger import Spend
from generation.techniques.base import Technique
from generation.techniques.labelling import Labelling
from synthlab.failpoints import failpoint, mutated

IDLE_SECONDS = 0.5
AHEAD = 3  # windows of intents: on its way, being stored, and ready to be sent


@dataclass(eq=False)
class Step:
    """One request of a slot, on the wire or to be reserved."""

    held: Held
    index: int
    request: Request
    ask: Ask | None = None


@dataclass(eq=False)
class Slice:
    """What one worker has in its hands while it works on a run."""

    run: Run
    technique: Technique
    rules: Rules
    capabilities: Capabilities
    wire: Wire
    journal: Journal
    factor: float = 1.0  # how far estimates of prompts fell short on this connection
    helds: dict[int, Held] = field(default_factory=dict)  # by slot
    out: dict[int, Step] = field(default_factory=dict)  # by call
    results: list[tuple[Held, int, object]] = field(default_factory=list)  # held, attempt, reading
    spent: Spend = field(default_factory=Spend)  # when the slice began
    closing: bool = False
    looked_at: float = 0.0
    renewed_at: float = field(default_factory=time.monotonic)

    def labelling(self, slot: Slot) -> Labelling:
        """The seed comes from the text, so that equal samples are asked about equally."""
        seed = self.run.seed ^ int(slot.sample.content_hash[:12], 16)
        task = self.run.project.task
        return Labelling(self.technique, self.rules, task, slot.sample.fields, seed)

    def hungry(self) -> bool:
        """Fewer requests than a whole window are ready to be sent."""
        unsent = len(self.out) - self.wire.in_flight
        return not self.closing and unsent < self.wire.limits.width

    def must_look(self, moment: float) -> bool:
        """Is there anything to store, or can there be anything new to hand out?"""
        waits = (at for held in self.helds.values() for at in held.waiting.values())
        due = any(self.looked_at < at <= moment for at in waits)
        return bool(self.results) or due or moment - self.looked_at >= IDLE_SECONDS


@dataclass(eq=False)
class Turn:
    """What one transaction did."""

    run: Run
    owned: set[int]
    ended: list[Ending]
    in_flight: list[int]
    claimed: list[Held] = field(default_factory=list)
    steps: list[tuple[Step, Call]] = field(default_factory=list)
    renewed: bool = False
    budget: str = ""  # why nothing more can be reserved


def take_turn(work: Slice) -> Turn | None:
    """None when there was nothing to do."""
    moment = time.monotonic()
    if not work.must_look(moment):
        return None
    work.looked_at = moment
    turn = patiently(_transact, work)
    if turn.ended:
        failpoint("slot.finished")
    if turn.steps:
        failpoint("intent.committed")
    _take_over(work, turn)
    return turn


@transaction.atomic
def _transact(work):
    run = ledger.hold(work.run.pk)
    run.machine, run.project = work.run.machine, work.run.project
    turn = Turn(run, slots.owned(work.helds.values()), [], ledger.in_flight(run.connection))
    for held, attempt, reading in work.results:
        if held.slot.pk in turn.owned:
            slots.record(attempt, reading)
    for held in work.helds.values():
        if held.slot.pk in turn.owned and (result := held.labelling.conclusion()) is not None:
            turn.ended.append(Ending(held, result))
    slots.finish(run, turn.ended)
    if time.monotonic() - work.renewed_at > settings.WORK_LEASE_SECONDS / 3:
        slots.renew(turn.owned)
        turn.renewed = True
    if run.reason_code in {runs.STARTING, runs.PROBING} and not work.wire.limits.careful:
        Run.objects.filter(pk=run.pk, reason_code=run.reason_code).update(reason_code="")
    if run.state == Run.State.RUNNING and work.hungry():
        _reserve(work, turn)
    return turn


def _reserve(work, turn):
    """Intents for as many requests as the connection, its pace and the budget have room for."""
    run, connection = turn.run, turn.run.connection
    requests, tokens = ledger.pace(connection)
    paced = connection.requests_per_minute or connection.tokens_per_minute
    most = connection.concurrency * (1 if paced else AHEAD)
    spent = Spend.of(run) if runs.is_capped(run) and not mutated("check_apart") else work.spent
    for step in _due(work, turn, min(most - len(turn.in_flight), requests)):
        call = ledger.intent(run, step.request, work.factor)
        after = spent.with_reserved(call)
        if not after.within(run):
            turn.budget = runs.budget_reason(run, spent, call)
            break
        if call.reserved_tokens > tokens:
            break
        spent, tokens = after, tokens - call.reserved_tokens
        turn.steps.append((step, call))
    _write_intents(turn)


def _due(work, turn, room) -> Iterator[Step]:
    """Steps to ask: those that wait first, then those of newly claimed slots."""
    ended = {ending.held.slot.pk for ending in turn.ended}
    moment = time.monotonic()
    mine = [h for pk, h in work.helds.items() if pk in turn.owned and pk not in ended]
    while room > 0:
        for held in mine:
            for index in held.labelling.missing():
                if index not in held.asked and held.waiting.get(index, 0.0) <= moment and room > 0:
                    room -= 1
                    step = held.labelling.steps[index]
                    request = step.request(turn.run.machine.model, work.capabilities)
                    yield Step(held, index, request)
        each = len(next(iter(mine)).labelling.steps) if mine else 1
        if room <= 0 or not (mine := _claim(work, turn, max(1, room // each))):
            return


def _claim(work, turn, count):
    claimed = slots.claim(turn.run, count)
    fresh = [Held(slot, work.labelling(slot)) for slot in claimed]
    slots.restore(fresh)
    turn.claimed += fresh
    return fresh


def _write_intents(turn):
    """An attempt for each new try, and a call for each request, before anything is sent."""
    new = [
        Attempt(slot=step.held.slot, number=step.held.labelling.number(step.index), step=step.index)
        for step, _call in turn.steps
        if step.index not in step.held.attempts
    ]
    made = {(a.slot_id, a.step): a.pk for a in Attempt.objects.bulk_create(new)}
    for step, call in turn.steps:
        known = step.held.attempts.get(step.index)
        call.attempt_id = known or made[step.held.slot.pk, step.index]
    Call.objects.bulk_create(call for _step, call in turn.steps)


def _take_over(work, turn):
    """What the transaction did becomes this worker's own state, and the requests go out."""
    work.results.clear()
    if turn.renewed:
        work.renewed_at = time.monotonic()
    for pk in {*(ending.held.slot.pk for ending in turn.ended), *(set(work.helds) - turn.owned)}:
        del work.helds[pk]
    work.helds |= {held.slot.pk: held for held in turn.claimed}
    others = sorted(set(turn.in_flight) - set(work.out))
    for step, call in turn.steps:
        step.held.attempts[step.index] = call.attempt_id
        step.held.asked.add(step.index)
        step.held.waiting.pop(step.index, None)
        step.ask = Ask(call.pk, step.request, slot=f"{call.attempt_id}")
        work.out[call.pk] = step
    for step in work.out.values():
        step.ask.before = bisect_left(others, step.ask.call_id)
    if (blocked := turn.run.connection.blocked_until) is not None:
        work.wire.wait_for((blocked - ledger.clock()).total_seconds())
    work.journal.reserved(call.pk for _step, call in turn.steps)
    work.wire.send(step.ask for step, _call in turn.steps)
