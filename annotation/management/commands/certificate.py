"""manage.py certificate PROJECT --error 0.05 --confidence 0.95 [--machine ID] [--edition N]"""

from dataclasses import asdict

from django.core.management.base import CommandError

from annotation.actions.looks import look_at
from annotation.management.base import ScriptCommand, project_named
from annotation.reports import certificate_words as words
from annotation.reports.certificate import report
from annotation.reports.certificate_audits import Asked
from annotation.reports.scope import scope_of, usual_edition, usual_machine


class Command(ScriptCommand):
    help = "Say which labels may be released unseen, and what that promises."

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument("project", help="name or number")
        parser.add_argument("--error", type=float, default=0.05, help="share that may be wrong")
        parser.add_argument("--confidence", type=float, default=0.95, help="0.5 to 0.999")
        parser.add_argument("--edition", type=int, help="number of the codebook edition; newest")
        parser.add_argument("--machine", type=int, help="number of the machine annotator; newest")

    def run(self, **options):
        if not 0 <= options["error"] <= 0.5:
            raise CommandError("--error is a share from 0 to 0.5.")
        if not 0.5 <= options["confidence"] <= 0.999:
            raise CommandError("--confidence is a share from 0.5 to 0.999.")
        scope = self._scope(project_named(options["project"]), options)
        found = report(Asked(scope, options["error"], options["confidence"]))
        look_at([found.audit.round] if found.audit else [], None)  # it counts right and wrong
        return _said(found)

    def _scope(self, project, options):
        number, machine = options["edition"], options["machine"]
        published = project.codebooks.published()
        edition = usual_edition(project)
        if number is not None:
            edition = published.filter(number=number).first()
        if edition is None:
            raise CommandError("There is no such published edition of the codebook.")
        found = usual_machine(project)
        if machine is not None:
            found = project.machines.standing().filter(pk=machine).first()
            if found is None:
                raise CommandError(f"“{project.name}” has no machine annotator {machine}.")
        return scope_of(project, edition, [], found)

    def words(self, result):
        promise, lines = result["promise"], []
        if result["certified"]:
            lines.append(
                f"Accept without a person what is at or above confidence"
                f" {promise['threshold']:.6g}: {promise['accepted']} samples; people label the rest"
                f" ({promise['to_label']})."
            )
        else:
            lines.append(f"Not certifiable yet: {result['reason']}")
        lines += [f"{name}: {why}" for name, why in result["refused"].items()]
        return "\n".join([*lines, result["together"], result["next"]]).strip()


def _said(found):
    scope, audit, step = found.asked.scope, found.audit, words.next_step(found)
    return {
        "project": scope.project.pk,
        "edition": scope.edition.number,
        "machine": scope.machine.pk if scope.machine else None,
        "error": found.asked.error,
        "confidence": found.asked.confidence,
        "certified": found.certified,
        "why": found.reason,
        "reason": str(words.REASONS.get(found.reason, "")),
        "promise": asdict(found.promise) if found.promise else None,
        "audit": _audit(audit) if audit else None,
        "refused": {each.round.name: str(words.REFUSED[each.reason]) for each in found.refused},
        "looks": found.looks,
        "together": words.over_all_looks(found),
        "planned": {"draw": found.plan.draw, **asdict(found.plan)} if found.plan else None,
        "next": step.words if step else "",
    }


def _audit(audit):
    return {
        "round": audit.round.pk,
        "frame": len(audit.frame),
        "released": audit.released,
        "may_be_wrong": audit.allowed,
        "drawn": audit.size,
        "right": audit.right,
        "wrong": audit.wrong,
        "waiting": audit.waiting,
        "unsettled": audit.unsettled,
        "survives": audit.survives,
    }
