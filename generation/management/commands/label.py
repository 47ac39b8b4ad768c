"""A label run by command; the page starts the same."""

import sys
import time

from django.core.management.base import CommandError

from annotation.management.base import ScriptCommand, project_named
from generation import techniques
from generation.actions import runs, slots, upkeep, work
from generation.models import Connection, Run
from generation.reports import run_progress


class Command(ScriptCommand):
    help = "Let a model label the samples that have no valid suggestion of this machine annotator."
    refusals = (runs.RunRefused, techniques.OptionsError)

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument("project", help="its name or number")
        parser.add_argument("--connection", required=True)
        parser.add_argument("--technique", required=True, choices=list(techniques.TECHNIQUES))
        parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
        parser.add_argument("--rationale", action="store_true")
        parser.add_argument("--cap-cost", type=float, help="in the connection's currency")
        parser.add_argument("--cap-tokens", type=int)
        parser.add_argument("--edition", type=int, help="number of an edition or trial; newest")
        parser.add_argument("--split", choices=["pool", "dev", "test"])
        parser.add_argument("--most", type=int, help="at most so many samples")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--wait", action="store_true", help="do the work in this process")

    def run(self, project, connection, technique, wait, **options):
        found = Connection.objects.filter(name=connection).first()
        if found is None:
            raise CommandError(f"There is no connection “{connection}”: make one with connect.")
        cap_cost = options["cap_cost"]
        run, _new = runs.start_run(
            found,
            techniques.make(technique, _options(technique, options)),
            _edition(project_named(project), options["edition"]),
            sample_filter={k: options[k] for k in ("split", "most") if options[k] is not None},
            cap_cost=None if cap_cost is None else round(cap_cost * 1_000_000),
            cap_tokens=options["cap_tokens"],
            seed=options["seed"],
        )
        if wait:
            self._drive(run)
        run.refresh_from_db()
        if wait and run.state not in {Run.State.DONE, Run.State.DONE_SHORT}:
            raise CommandError(f"Run {run.pk} is {run.get_state_display()}: {run.reason}")
        return self._result(run)

    def _result(self, run):
        progress = run_progress(run)
        return {
            "run": run.pk,
            "machine": run.machine_id,
            "state": run.state,
            "reason": run.reason,
            "target": run.target,
            "done": progress.done,
            "rejected": progress.rejected,
            "cost_micro_units": progress.spend.cost,
            "tokens": progress.spend.tokens,
        }

    def _drive(self, run):
        """The worker's own actions, here; other workers may help."""
        runs.plan(run.pk)
        while True:
            slots.replay_journals()
            slots.sweep()
            runs.wake()
            did_something = work.work_on(run.pk, seconds=2)
            run.refresh_from_db()
            self._say(run)
            waits = run.state == Run.State.RUNNING or run.resume_at is not None
            if not waits:
                return
            if not did_something:
                time.sleep(upkeep.BEAT_SECONDS / 10)
                runs.end_if_done(run)

    def _say(self, run):
        progress = run_progress(run)
        line = f"run {run.pk}: {progress.done} done, {progress.rejected} rejected of {run.target}"
        print(f"{line} ({run.state}) {run.reason}".rstrip(), file=sys.stderr, flush=True)


def _edition(project, number):
    """The newest edition, or the edition or trial of this number: texts that never change."""
    if number is None:
        return project.edition()
    found = project.codebooks.filter(number=number).first()
    if found is None or found.is_draft:
        raise CommandError(f"“{project.name}” has no edition or trial {number}.")
    return found


def _options(technique, options):
    """NAME=VALUE pairs as the technique's own types; `make` names those that it does not have."""
    types = {option["name"]: option["type"] for option in techniques.options_of(technique)}
    typed = {"rationale": True} if options["rationale"] else {}
    for pair in options["option"]:
        name, _equals, value = pair.partition("=")
        read = _yes if types.get(name) is bool else types.get(name, str)
        try:
            typed[name] = read(value)
        except ValueError:
            raise CommandError(f"--option {pair}: “{value}” is not of its type.") from None
    return typed


def _yes(value):
    if value not in {"yes", "no", "true", "false"}:
        raise ValueError(value)
    return value in {"yes", "true"}
