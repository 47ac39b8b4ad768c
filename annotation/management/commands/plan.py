"""manage.py plan PROJECT --budget 15% --audit 5% --target 95 [--machine ID] [--edition N]"""

from dataclasses import asdict

from django.core.management.base import CommandError
from django.http import QueryDict

from annotation.actions import forecasts
from annotation.forms_planner import PlannerForm
from annotation.management.base import ScriptCommand, project_named
from annotation.models import Forecast
from annotation.reports import planner, planner_outcome
from annotation.reports import planner_words as words
from annotation.reports.scope import rounds_under, scope_of

ASKED = ("machine", "edition", "budget", "audit", "overlap", "target", "seconds", "wage")


class Command(ScriptCommand):
    help = "Say what labelling would bring, before anybody works, and what came of it."

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument("project", help="name or number")
        parser.add_argument("--machine", type=int, help="number of the machine annotator; newest")
        parser.add_argument("--edition", type=int, help="number of the codebook edition; newest")
        parser.add_argument("--budget", help="200 or 15%%")
        parser.add_argument("--audit", help="part drawn by lot: 50 or 5%%")
        parser.add_argument("--overlap", type=int, help="people a sample; 1")
        parser.add_argument("--target", type=float, help="per cent that should be right; 95")
        parser.add_argument("--seconds", type=float, help="an answer takes; as measured")
        parser.add_argument("--wage", type=float, help="cost of an hour")
        parser.add_argument(
            "--new", action="store_true", help="make a new forecast even if nothing has changed"
        )

    def run(self, **options):
        project = project_named(options["project"])
        form = self._form(project, options)
        machine, edition = form.chosen()
        if edition is None:
            raise CommandError("There is no such published edition of the codebook.")
        if machine is None:
            raise CommandError(f"“{project.name}” has no machine annotator: start a label run.")
        found = planner.newest(machine, edition)
        if options["new"] or found is None or planner.since(found):
            found = forecasts.ask(machine, edition, wait=True)
        if found.state != Forecast.State.DONE:
            raise CommandError(found.error or "Another worker is at it: ask again in a minute.")
        return self._said(found, form)

    def _form(self, project, options):
        sent = QueryDict(mutable=True)
        sent.update({name: str(options[name]) for name in ASKED if options[name] is not None})
        form = PlannerForm(project, sent)
        errors = [f"--{name}: {error}" for name, found in form.errors.items() for error in found]
        if errors:
            raise CommandError(" ".join(errors))
        return form

    def _said(self, found, form):
        wish = form.wish(found.result["counts"]["free"])
        said = {
            "forecast": found.pk,
            "made": found.finished_at,
            "project": found.project_id,
            "machine": wish.machine.pk,
            "edition": wish.edition.number,
            "inputs": found.inputs,
            "result": found.result,
        }
        if not planner.has_curves(found):
            return said | {"next": words.problem(found.result["reason"], form.project, wish).words}
        plan = planner.plan(found, wish)
        scope = scope_of(form.project, wish.edition, rounds_under(wish.edition), wish.machine)
        came = planner_outcome.outcome(scope)
        return said | {
            "basis": words.basis(found.result),
            "warnings": words.warnings(found.result),
            "remarks": words.remarks(found.result),
            "headline": words.headline(plan),
            "now": plan.now,
            "round": {"samples": plan.drawn, "budget": wish.budget, "audit": wish.audit},
            "effort": asdict(plan.effort),
            "cost": plan.cost,
            "strategies": [asdict(row) for row in plan.rows],
            "outcome": [asdict(point) for point in came.points] if came else [],
        }

    def words(self, result):
        if "strategies" not in result:
            return result["next"]
        lines = [result["basis"], *result["warnings"], result["headline"]]
        for row in result["strategies"]:
            share, band = row["accuracy"]["value"], ""
            if row["accuracy"]["low"] is not None:
                band = f" ({row['accuracy']['low']:.1%} to {row['accuracy']['high']:.1%})"
            lines.append(f"{' = '.join(row['strategies'])}: {share:.1%} right{band}")
        return "\n".join(lines)
