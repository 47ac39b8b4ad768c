"""manage.py agreement PROJECT [--round N ...] [--edition N] [--machine ID] [--keep] [--json]"""

from dataclasses import asdict

from django.core.management.base import CommandError

from annotation.actions.estimates import keep
from annotation.actions.looks import look_at
from annotation.management.base import ScriptCommand, project_named
from annotation.reports import agreement as reports
from annotation.reports.replacing import USUAL
from annotation.reports.scope import rounds_under, scope_of, usual_edition, usual_machine
from annotation.reports.words import METHODS, REASONS
from synthlab.science.alternative_annotator import EPSILON


class Command(ScriptCommand):
    help = "Hold people against a machine and against one another, with what each figure may claim."

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument("project", help="name or number")
        parser.add_argument("--round", type=int, action="append", default=[], help="number; all")
        parser.add_argument("--edition", type=int, help="number of the codebook edition; newest")
        parser.add_argument(
            "--effort", choices=EPSILON, default=USUAL, help="whose place the machine would take"
        )
        parser.add_argument("--keep", action="store_true", help="keep the figures as they are")
        parser.add_argument("--machine", type=int, help="number of the machine annotator; newest")

    def run(self, **options):
        project = project_named(options["project"])
        edition = self._edition(project, options["edition"])
        rounds = self._rounds(edition, options["round"])
        machine = self._machine(project, options["machine"])
        scope = scope_of(project, edition, rounds, machine)
        kept = {"kept": keep(scope)[0].pk} if options["keep"] else {}
        plans = {"plans": [_plan(plan) for plan in look_at(rounds, None)]}
        return _said(reports.report(scope, options["effort"])) | plans | kept

    def _edition(self, project, number):
        published = project.codebooks.published()
        edition = (
            published.filter(number=number).first()
            if number is not None
            else usual_edition(project)
        )
        if edition is None:
            raise CommandError("There is no such published edition of the codebook.")
        return edition

    def _rounds(self, edition, numbers):
        offered = rounds_under(edition)
        unknown = set(numbers) - {round_.pk for round_ in offered}
        if unknown:
            named = ", ".join(str(number) for number in sorted(unknown))
            raise CommandError(f"No round of edition {edition.number}: {named}.")
        rounds = [round_ for round_ in offered if not numbers or round_.pk in numbers]
        if not rounds:
            raise CommandError("Nothing to compare yet: draw a round and let people answer.")
        return rounds

    def _machine(self, project, number):
        if number is None:
            return usual_machine(project)
        machine = project.machines.standing().filter(pk=number).first()
        if machine is None:
            raise CommandError(f"“{project.name}” has no machine annotator {number}.")
        return machine

    def words(self, result):
        basis = result["basis"]
        lines = [
            f"{basis['answered']} samples answered blind, {basis['by_lot']} of them drawn by lot;"
            f" speaks for {basis['frame']} of {basis['size']} samples."
        ]
        for name, part in (("people against model", "model"), ("people against people", "people")):
            if result[part]:
                lines += ["", name, *(_line(row) for row in result[part]["measures"])]
        if reference := result["reference"]:
            for name, part in (("model", "model"), ("people", "people")):
                if reference[part]:
                    lines += ["", f"{name} against the reference labels"]
                    lines += [_line(row) for row in reference[part]["measures"]]
        return "\n".join(lines)


def _plan(plan):
    return {
        "round": plan.round.pk,
        "answers": plan.answers,
        "asked": plan.asked,
        "looks": plan.looks,
        "monitor": plan.round.monitor,
    }


def _line(row):
    corrected, naive = (_figure_in_words(row[side]) for side in ("corrected", "naive"))
    return f"  {row['label']}: {corrected} (naive: {naive})"


def _figure_in_words(figure):
    if figure["value"] is None:
        return f"not known: {REASONS.get(figure['reason'], figure['reason'])}"
    if figure["interval"] is None:
        return f"{figure['value']:.3f}, no interval"
    low, high = figure["interval"]
    method = METHODS.get(figure["method"], figure["method"])
    return f"{figure['value']:.3f}, 95 % {low:.3f} to {high:.3f}, n = {figure['n']}, {method}"


def _said(report):
    scope, people = report.scope, report.people
    return {
        "project": scope.project.pk,
        "edition": scope.edition.number,
        "rounds": [round_.pk for round_ in scope.rounds],
        "machine": scope.machine.pk if scope.machine else None,
        "basis": asdict(report.basis),
        "left_out": asdict(report.left_out),
        "bounds": asdict(report.bounds) if report.bounds else None,
        "model": _versus(report.model),
        "people": {
            "samples": people.samples,
            "by_lot": people.by_lot,
            "annotators": people.annotators,
            "measures": [_measure(row) for row in people.rows],
        },
        "pairs": [asdict(pair) for pair in report.pairs],
        "annotators": [asdict(person) for person in report.annotators],
        "assisted": asdict(report.assisted) if report.assisted else None,
        "replacing": asdict(report.replacing) if report.replacing else None,
        "periods": [asdict(period) for period in report.periods],
        "reference": {
            "samples": report.reference.samples,
            "model": _versus(report.reference.model),
            "people": _versus(report.reference.people),
        }
        if report.reference
        else None,
    }


def _measure(row):
    return {
        "name": row.name,
        "label": row.label,
        "corrected": asdict(row.corrected),
        "naive": asdict(row.naive),
    }


def _versus(found):
    if found is None:
        return None
    return {
        "samples": found.samples,
        "by_lot": found.by_lot,
        "measures": [_measure(row) for row in found.rows],
        "labels": [
            {
                "slug": row.rule.slug,
                "corrected": asdict(row.corrected),
                "naive": asdict(row.naive),
                "both": row.both,
                "people_only": row.people_only,
                "model_only": row.model_only,
            }
            for row in found.labels
        ],
        "counts": None if found.counts is None else found.counts.tolist(),
        "weighted": None if found.weighted is None else found.weighted.tolist(),
    }
