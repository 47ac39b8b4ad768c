"""Label runs: planned, started, paused, resumed, cancelled, and brought to an end."""

import hashlib
import json

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotation.actions.rounds import route_low_confidence
from annotation.models import MachineAnnotator, Project, Sample, Suggestion
from generation import techniques
from generation.actions import connections, ledger
from generation.llm.base import Capabilities
from generation.llm.stand_in import WHAT_IT_IS
from generation.models import Run, Slot

CHUNK = 1000
STARTING = "starting"  # one request first: what is wrong with a connection costs one call
PROBING = "probing"  # after the breaker: the first failure opens it again


class RunRefused(Exception):
    """A run that cannot be started; the message says why and what to do."""

    code = "refused"


class TooManyRuns(RunRefused):
    """The project has as many runs open as it may have."""

    code = "too_many"


def machine_fields(connection, technique, codebook):
    """What makes a machine annotator this one and no other."""
    found = Capabilities.from_json(connection.capabilities)
    return {
        "kind": MachineAnnotator.Kind.LLM,
        "endpoint": connection.base_url,
        "model": connection.model,
        "technique": technique.name,
        "technique_version": technique.version,
        "codebook": codebook,
        "decoding": {
            "options": vars(technique),
            "json_schema": found.json_schema is True,
            "system_role": found.system_role is not False,
            "refused": sorted(found.refused),
        },
    }


def fingerprint(fields):
    plain = fields | {"codebook": fields["codebook"].pk}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def machine_for(connection, technique, codebook):
    """The machine annotator of this combination; one that never labelled is not saved yet."""
    fields = machine_fields(connection, technique, codebook)
    mark = fingerprint(fields)
    existing = codebook.project.machines.filter(fingerprint=mark).first()
    called = WHAT_IT_IS if connection.stand_in else connection.model
    name = f"{called} · {technique.name} · " + _("edition %(n)s") % {"n": codebook.number}
    return existing or MachineAnnotator(
        project=codebook.project, name=name[:200], fingerprint=mark, **fields
    )


def samples_for(project, machine, sample_filter):
    """The visible samples of a filter that lack a valid suggestion of this machine annotator."""
    samples = Sample.objects.visible().filter(project=project)
    if machine.pk:
        said = Suggestion.objects.filter(machine=machine, sample=OuterRef("pk"))
        samples = samples.filter(~Exists(said))
    if split := sample_filter.get("split"):
        samples = samples.filter(split=split)
    if words := sample_filter.get("q"):
        samples = samples.filter(text__icontains=words)
    if sample_filter.get("reference"):
        samples = samples.filter(reference_code__isnull=False)
    return samples


def obstacle(connection, technique, codebook):
    """Why such a run cannot be started, for its manager to read; "" if it can."""
    if codebook is None:
        return _("Publish an edition of the codebook first: models follow editions.")
    if why := connections.refusal(connection.base_url):
        return why
    found = Capabilities.from_json(connection.capabilities)
    if why := technique.offered(codebook.rules(), codebook.project.task, found):
        return f"{technique.label}: {why}"
    return ""


def check_cap(connection, cap_cost):
    """Raises RunRefused for a cap in money where the prices are unknown."""
    if cap_cost is not None and None in (connection.price_in, connection.price_out):
        raise RunRefused(
            _(
                "The prices of “%(name)s” are unknown, so that money cannot be capped. "
                "Enter its prices, or cap the tokens instead."
            )
            % {"name": connection.name}
        )


def start_run(
    connection, technique, codebook, created_by=None, sample_filter=None,
    cap_cost=None, cap_tokens=None, seed=0,
):  # fmt: skip
    """A new run that the workers take up; (run, True). The machine's open run, if it has one, is
    returned instead with False: a double click starts one."""
    if why := obstacle(connection, technique, codebook):
        raise RunRefused(why)
    check_cap(connection, cap_cost)
    machine = _stored(machine_for(connection, technique, codebook))
    try:
        with transaction.atomic():
            _check_room(machine)
            run = Run.objects.create(
                project=codebook.project,
                connection=connection,
                machine=machine,
                sample_filter=sample_filter or {},
                seed=seed,
                cap_cost=cap_cost,
                cap_tokens=cap_tokens,
                created_by=created_by,
            )
    except IntegrityError:
        return Run.objects.open().get(machine=machine), False
    return run, True


def _check_room(machine):
    """Raises TooManyRuns. The project is locked meanwhile (on SQLite everything is), so that a
    flood of requests is counted one by one."""
    Project.objects.select_for_update(no_key=True).get(pk=machine.project_id)
    others = Run.objects.open().filter(project=machine.project_id).exclude(machine=machine)
    if others.count() >= settings.MOST_OPEN_RUNS:
        text = ngettext(
            "This project has %(n)d run open, which is as many as it may have. "
            "Wait until it ends, or cancel it.",
            "This project has %(n)d runs open, which is as many as it may have. "
            "Wait until one ends, or cancel one.",
            settings.MOST_OPEN_RUNS,
        )
        raise TooManyRuns(text % {"n": settings.MOST_OPEN_RUNS})


def _stored(machine):
    if machine.pk:
        return machine
    fields = {f.attname: getattr(machine, f.attname) for f in machine._meta.concrete_fields[1:]}
    return MachineAnnotator.objects.get_or_create(
        project=machine.project, fingerprint=machine.fingerprint, defaults=fields
    )[0]


def plan(run_id):
    """Write the run's slots in chunks, then let it run. Doing it twice, or at once, is harmless."""
    while _plan_chunk(run_id):
        pass


@transaction.atomic
def _plan_chunk(run_id):
    run = (
        Run.objects.select_for_update(of=["self"])
        .select_related("machine", "project")
        .filter(pk=run_id, state=Run.State.PLANNING)
        .first()
    )
    if run is None:
        return False
    last = run.slots.order_by("-index").first()
    index, after = (last.index + 1, last.sample_id) if last else (0, 0)
    most = run.sample_filter.get("most")
    wanted = CHUNK if most is None else min(CHUNK, most - index)
    samples = samples_for(run.project, run.machine, run.sample_filter).filter(pk__gt=after)
    chosen = list(samples.order_by("pk").values_list("pk", flat=True)[: max(wanted, 0)])
    Slot.objects.bulk_create(
        Slot(run=run, index=index + offset, sample_id=pk) for offset, pk in enumerate(chosen)
    )
    if len(chosen) == CHUNK:
        return True
    _set(run, Run.State.PLANNING, state=Run.State.RUNNING, reason_code=STARTING,
         target=index + len(chosen), started_at=now())  # fmt: skip
    return False


def _set(run, before, **columns):
    """Change the run if it is still in this state; False: someone else was faster."""
    states = [before] if isinstance(before, str) else before
    return bool(Run.objects.filter(pk=run.pk, state__in=states).update(**columns))


def pause(run, reason, code="user", resume_at=None):
    """Stop sending; what is on its way is kept. With `resume_at` it goes on by itself."""
    return _set(run, Run.State.RUNNING, state=Run.State.PAUSED, reason=str(reason)[:500],
                reason_code=code, resume_at=resume_at)  # fmt: skip


def resume(run, code=STARTING):
    return _set(run, Run.State.PAUSED, state=Run.State.RUNNING, reason="", reason_code=code,
                resume_at=None)  # fmt: skip


@transaction.atomic
def cancel(run):
    """End it now. What is on its way is still kept; what was answered stays."""
    if not _set(run, [Run.State.PLANNING, Run.State.RUNNING, Run.State.PAUSED],
                state=Run.State.CANCELLED, ended_at=now(), resume_at=None, reason=""):  # fmt: skip
        return False
    run.slots.filter(state=Slot.State.PLANNED).update(state=Slot.State.CANCELLED)
    return True


@transaction.atomic
def set_cap(run, cap_cost, cap_tokens):
    """New caps; a run that a cap had paused goes on. Raises RunRefused as starting does."""
    check_cap(run.connection, cap_cost)
    Run.objects.filter(pk=run.pk).update(cap_cost=cap_cost, cap_tokens=cap_tokens)
    if run.reason_code == "budget":
        resume(run)


def start_without(run, parameter, created_by):
    """With the manager's consent: leave out what the endpoint refuses, in a run of its own, because
    a machine that is asked in another way is another machine."""
    connection = run.connection
    refused = {*connection.capabilities.get("refused", []), parameter}
    connection.capabilities = connection.capabilities | {"refused": sorted(refused)}
    connection.save(update_fields=["capabilities"])
    cancel(run)
    technique = techniques.make(run.machine.technique, run.machine.decoding["options"])
    return start_run(
        connection, technique, run.machine.codebook, created_by, run.sample_filter,
        run.cap_cost, run.cap_tokens, run.seed,
    )[0]  # fmt: skip


def is_capped(run):
    return run.cap_cost is not None or run.cap_tokens is not None


def budget_reason(run, spent, call):
    """Why the next request does not fit, in the units of the cap that it would break."""
    if run.cap_cost is not None and spent.cost + call.reserved_cost > run.cap_cost:
        amounts = (run.cap_cost, spent.cost, call.reserved_cost)
        cap, used, next_ = (f"{amount / 1e6:.6g} {run.connection.currency}" for amount in amounts)
    else:
        amounts = (run.cap_tokens, spent.tokens, call.reserved_tokens)
        cap, used, next_ = (f"{amount:,} " + _("tokens") for amount in amounts)
    return _(
        "The cap of %(cap)s is reached: %(used)s are spent or may be, and the next request can "
        "take up to %(next)s. Raise the cap to go on."
    ) % {"cap": cap, "used": used, "next": next_}


def wake():
    """Resume the runs whose pause ends by itself."""
    due = Run.objects.filter(state=Run.State.PAUSED, resume_at__lte=ledger.clock())
    return sum(resume(run, PROBING) for run in due)


def end_if_done(run):
    """Done, or done short and why, once no slot is open; then the routing policy sees it."""
    open_ = run.slots.filter(state__in=[Slot.State.PLANNED, Slot.State.ACTIVE])
    if open_.exists():
        return False
    rejected = run.slots.filter(state=Slot.State.REJECTED).count()
    columns = {"state": Run.State.DONE, "reason": ""}
    if rejected:
        text = ngettext(
            "%(n)s sample ended without a valid answer.",
            "%(n)s samples ended without a valid answer.",
            rejected,
        )
        columns = {"state": Run.State.DONE_SHORT, "reason": text % {"n": rejected}}
    elif not run.target:
        columns["reason"] = _("Every sample of the filter had a valid suggestion already.")
    ended = _set(run, Run.State.RUNNING, reason_code="", ended_at=now(), **columns)
    if ended:
        route(run)
    return ended


def route(run):
    """Once a run has ended: send what the machine is unsure of, or gave no valid answer to, to
    people, as the policy says."""
    rejected = run.slots.filter(state=Slot.State.REJECTED).order_by("index")
    route_low_confidence(run.machine, unanswered=rejected.values_list("sample", flat=True))
    Run.objects.filter(pk=run.pk, routed=False).update(routed=True)


def route_ended():
    """Runs that ended while their worker died before the routing."""
    ended = Run.objects.filter(
        state__in=[Run.State.DONE, Run.State.DONE_SHORT], routed=False, kind=Run.Kind.LABEL
    )
    for run in ended.select_related("machine__project"):
        route(run)
