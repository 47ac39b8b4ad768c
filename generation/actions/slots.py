"""Slots: claimed with a lease, finished with a fence, returned when their worker is gone."""

from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from annotation.models import Suggestion
from generation.actions import journal, ledger
from generation.llm.completion import read_completion
from generation.models import Attempt, Call, Run, Slot
from generation.techniques.base import Judgement, Rejection, StepReading
from generation.techniques.labelling import Labelling
from synthlab.failpoints import mutated

UNKNOWN_RESEND = 1  # a call whose outcome is unknown is sent again at most so often
SWEEP_AT_ONCE = 500
DETAIL_LENGTH = 500
REASON_LENGTH = 40


@dataclass(eq=False)
class Held:
    """A slot that this worker holds, and how far its labelling is."""

    slot: Slot
    labelling: Labelling
    attempts: dict[int, int] = field(default_factory=dict)  # step: id of its open attempt
    asked: set[int] = field(default_factory=set)  # steps whose request is out
    waiting: dict[int, float] = field(default_factory=dict)  # step: not before this moment
    unknowns: dict[int, int] = field(default_factory=dict)  # step: calls of unknown outcome
    failures: int = 0


@dataclass(frozen=True)
class Ending:
    """How a slot ends: with a judgement, or with the reason why there is none."""

    held: Held
    result: Judgement | Rejection


def lease():
    return ledger.clock() + timedelta(seconds=settings.WORK_LEASE_SECONDS)


def claim(run, count):
    """Up to so many due slots of the run, now active for this worker. Call it holding the run."""
    free = [Slot.State.PLANNED]
    if mutated("claim_unseen"):
        free.append(Slot.State.ACTIVE)
    due = Slot.objects.filter(run=run, state__in=free, due_at__lte=ledger.clock())
    due = due.order_by("due_at", "index")
    chosen = list(due.values_list("pk", flat=True)[:count])
    Slot.objects.filter(pk__in=chosen, state__in=free).update(
        state=Slot.State.ACTIVE, lease_until=lease(), version=F("version") + 1
    )
    return list(Slot.objects.filter(pk__in=chosen).select_related("sample").order_by("index"))


def restore(helds):
    """Take up what earlier workers paid for: replies that are stored are read, at no cost."""
    again = {held.slot.pk: held for held in helds if held.slot.version > 1}
    attempts = Attempt.objects.filter(slot__in=again).order_by("step", "number")
    for attempt in attempts.prefetch_related("calls"):
        held = again[attempt.slot_id]
        held.labelling.conclusion()  # brings the follow-up step, once all others are read
        if attempt.step < len(held.labelling.steps):
            _restore_step(held, attempt)


def _restore_step(held, attempt):
    labelling, step = held.labelling, attempt.step
    held.attempts[step] = attempt.pk
    calls = list(attempt.calls.all())
    held.failures += sum(call.was_a_failed_try() for call in calls)
    held.unknowns[step] = sum(call.outcome == Call.Outcome.UNKNOWN for call in calls)
    settled = next((call for call in calls if call.outcome == Call.Outcome.SETTLED), None)
    if settled is not None:
        labelling.read(step, read_completion(settled.reply))
        if labelling.number(step) > attempt.number:
            held.attempts.pop(step)
    elif attempt.state == Attempt.State.REJECTED:
        labelling.results[step] = Rejection(attempt.reason, attempt.detail)
    elif held.unknowns[step] > UNKNOWN_RESEND:
        labelling.results[step] = unknown_outcome()


def unknown_outcome():
    return Rejection("unknown_outcome", _("No answer was stored for either of two requests."))


def owned(helds):
    """Which of these slots are still this worker's; the others were given to someone else."""
    if mutated("no_fence"):
        return {held.slot.pk for held in helds}
    versions = {held.slot.pk: held.slot.version for held in helds}
    rows = Slot.objects.select_for_update().filter(pk__in=versions, state=Slot.State.ACTIVE)
    return {pk for pk, version in rows.values_list("pk", "version") if versions[pk] == version}


def renew(slot_ids):
    Slot.objects.filter(pk__in=slot_ids, state=Slot.State.ACTIVE).update(lease_until=lease())


def record(attempt_id, result):
    """What became of an attempt's reply."""
    columns = {"state": Attempt.State.REJECTED}
    if isinstance(result, StepReading):
        columns = {"state": Attempt.State.VALID, "reading": result.as_json()}
    else:
        columns |= {"reason": result.code[:REASON_LENGTH], "detail": result.detail[:DETAIL_LENGTH]}
    Attempt.objects.filter(pk=attempt_id, state=Attempt.State.OPEN).update(**columns)


def finish(run, endings):
    """Write suggestions and rejections for slots that were found to be still owned."""
    good = [ending for ending in endings if isinstance(ending.result, Judgement)]
    suggestions = _suggest(run, good)
    for ending in endings:
        slot, result = ending.held.slot, ending.result
        columns = {"state": Slot.State.REJECTED}
        if isinstance(result, Judgement):
            suggestion = suggestions[slot.sample_id]
            columns = {"state": Slot.State.DONE, "suggestion_id": suggestion.pk}
        else:
            columns |= {
                "reason": result.code[:REASON_LENGTH],
                "detail": result.detail[:DETAIL_LENGTH],
            }
        _fenced(slot).update(
            **columns,
            lease_until=None,
            tries=max(1, ending.held.failures),
            version=F("version") + 1,
        )


def _fenced(slot):
    mine = Slot.objects.filter(pk=slot.pk)
    if mutated("no_fence"):
        return mine
    return mine.filter(version=slot.version, state=Slot.State.ACTIVE)


def _suggest(run, endings):
    """The suggestions of these samples; one that another run has written meanwhile stands."""
    samples = [ending.held.slot.sample_id for ending in endings]
    existing = {s.sample_id: s for s in run.machine.suggestions.filter(sample__in=samples)}
    new = [
        _suggestion(run, ending) for ending in endings if ending.held.slot.sample_id not in existing
    ]
    return existing | {s.sample_id: s for s in Suggestion.objects.bulk_create(new)}


def _suggestion(run, ending):
    judgement, belief = ending.result, ending.result.belief
    return Suggestion(
        machine=run.machine,
        sample_id=ending.held.slot.sample_id,
        value=belief.value,
        code=run.project.task.code(belief.value),
        probabilities=judgement.probabilities,
        source=judgement.source,
        covered_mass=judgement.covered_mass,
        confidence=belief.confidence,
        entropy=belief.entropy,
        margin=belief.margin,
        rationale=judgement.rationale,
        votes=[vars(vote) for vote in judgement.votes] or None,
    )


def release(run, slots):
    """Give slots back that are not finished; those of a cancelled run end."""
    over = run.state == Run.State.CANCELLED
    state = Slot.State.CANCELLED if over else Slot.State.PLANNED
    for slot in slots:
        Slot.objects.filter(pk=slot.pk, version=slot.version, state=Slot.State.ACTIVE).update(
            state=state, lease_until=None, version=F("version") + 1
        )


def replay_journals():
    """Settle what dead workers had received, end their leases, and free what they never sent; how
    many replies there were."""
    replayed = 0
    for orphan in journal.orphans():
        ledger.settle({entry["call"]: entry["columns"] for entry in orphan.entries})
        # A call that is still reserved shows that nobody else has taken its slot meanwhile.
        theirs = Call.objects.filter(pk__in=orphan.reserved, outcome=Call.Outcome.RESERVED)
        Slot.objects.filter(state=Slot.State.ACTIVE, attempts__calls__in=theirs).update(
            lease_until=ledger.clock()
        )
        ledger.give_up(orphan.never_sent)
        replayed += len(orphan.entries)
        orphan.forget()
    return replayed


@transaction.atomic
def sweep():
    """Return the slots of dead workers; calls that they had reserved are of unknown outcome."""
    expired = Slot.objects.filter(state=Slot.State.ACTIVE, lease_until__lt=ledger.clock())
    if not expired.exists():
        return 0
    rows = list(expired.select_for_update().values_list("pk", "run__state")[:SWEEP_AT_ONCE])
    ledger.doubt_calls(Call.objects.filter(attempt__slot__in=[pk for pk, _state in rows]))
    cancelled = [pk for pk, state in rows if state == Run.State.CANCELLED]
    for ids, state in (
        (cancelled, Slot.State.CANCELLED),
        ([pk for pk, _state in rows if pk not in set(cancelled)], Slot.State.PLANNED),
    ):
        Slot.objects.filter(pk__in=ids).update(
            state=state, lease_until=None, version=F("version") + 1
        )
    return len(rows)
