"""manage.py draw PROJECT --strategy least_confidence --budget 15% --audit 5% --overlap 2"""

import secrets

from django.core.management.base import CommandError

from annotation.actions.draws import CannotDraw, Design, draw_round
from annotation.actions.rounds import default_annotators
from annotation.filters import SampleFilter
from annotation.management.base import ScriptCommand, member_named, project_named
from annotation.models import Round, Sample
from synthlab.science.selection import STRATEGIES
from synthlab.science.selection.options import OptionsError, checked, options_of


class Command(ScriptCommand):
    help = "Draw samples for people to label, and open the round."
    refusals = (CannotDraw,)

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument("project", help="name or number")
        parser.add_argument("--strategy", choices=STRATEGIES, default="uniform")
        parser.add_argument(
            "--option", action="append", default=[], help="of the strategy: neighbours=100; repeat"
        )
        parser.add_argument("--budget", required=True, help="200, 15%% or confidence<0.8")
        parser.add_argument("--audit", default="", help="part drawn by lot: 50 or 5%%")
        parser.add_argument("--overlap", type=int, default=1, help="people a sample")
        parser.add_argument("--machine", type=int, help="number of the machine annotator; newest")
        parser.add_argument(
            "--annotator", action="append", default=[], help="user name, may be repeated; all"
        )
        parser.add_argument(
            "--rerank-every", type=int, default=0, help="answers; order open seats anew"
        )
        parser.add_argument(
            "--monitor", type=float, help="target such as 0.9: judged at any time; else at its end"
        )
        parser.add_argument("--alpha", type=float, default=0.05, help="the monitor's risk")
        parser.add_argument("--seed", type=int, help="the same seed draws the same samples")
        parser.add_argument("--name", default="")
        parser.add_argument("--purpose", choices=Round.Purpose.values, default="review")
        parser.add_argument("--split", choices=[*Sample.Split.values, "all"], default="pool")
        parser.add_argument("--again", action="store_true", help="also samples of earlier rounds")
        parser.add_argument(
            "--shown", action="store_true", help="show the suggestion first: measures nothing"
        )

    def run(self, **options):
        project = project_named(options["project"])
        if options["overlap"] < 1:
            raise CommandError("--overlap is at least 1.")
        named = [member_named(project, name) for name in dict.fromkeys(options["annotator"])]
        seed = options["seed"]
        design = Design(
            codebook=project.edition(),
            strategy=options["strategy"],
            options=_options(options["strategy"], options["option"]),
            budget=options["budget"],
            audit=options["audit"],
            machine=self._machine(project, options["machine"]),
            which=SampleFilter(
                split="" if options["split"] == "all" else options["split"],
                drawn=None if options["again"] else False,
            ),
            name=options["name"],
            purpose=options["purpose"],
            overlap=options["overlap"],
            blind=not options["shown"],
            rerank_every=max(options["rerank_every"], 0),
            monitor=_monitor(options["monitor"], options["alpha"]),
            annotators=tuple(named or default_annotators(project)),
            seed=secrets.randbelow(2**31) if seed is None else seed,
        )
        return _said(draw_round(project, design), design)

    def _machine(self, project, number):
        machines = project.machines.standing().order_by("-pk")
        if number is None:
            return machines.first()
        machine = machines.filter(pk=number).first()
        if machine is None:
            raise CommandError(f"“{project.name}” has no machine annotator {number}.")
        return machine


def _options(strategy, pairs):
    """What `name=value` says, as the strategy takes it."""
    known = {option.name: option for option in options_of(STRATEGIES[strategy])}
    given = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise CommandError(f"--option “{pair}”: write name=value, such as neighbours=100.")
        try:
            given[name] = checked(known[name], value) if name in known else value
        except OptionsError as error:
            raise CommandError(f"--option {name}: {error}") from error
    return given


def _monitor(target, alpha):
    return None if target is None else {"target": target, "alpha": alpha}


def _said(round_, design):
    return {
        "round": round_.pk,
        "name": round_.name,
        "strategy": round_.strategy,
        "options": round_.parameters["options"],
        "samples": round_.parameters["samples"],
        "audit": round_.parameters["audit_samples"],
        "seats": round_.parameters["samples"] * round_.overlap,
        "overlap": round_.overlap,
        "machine": round_.machine_id,
        "edition": round_.codebook.number,
        "seed": round_.seed,
        "monitor": round_.monitor,
        "frame": round_.frame,
        "notes": round_.parameters["notes"],
        "annotators": [user.username for user in design.annotators],
    }
