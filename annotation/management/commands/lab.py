"""manage.py lab PROJECT [--try] [--compare FIRST SECOND] [--split dev] --json"""

from django.core.management.base import CommandError

from annotation.actions.codebooks import StaleDraft
from annotation.actions.lab import answers_to, looks_at_test, subject_of, take_look
from annotation.actions.trials import CannotTry, try_draft
from annotation.arrays_lab import answered_editions, is_intact, truths
from annotation.management.base import ScriptCommand, member_named, project_named
from annotation.models import Sample
from annotation.reports import lab_page, lab_words
from annotation.reports.lab import compared, usual_judge


class Command(ScriptCommand):
    help = "The codebook lab: freeze the draft as a trial, compare two machines on a locked split."
    refusals = (CannotTry, StaleDraft)

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument("project", help="name or number")
        parser.add_argument("--try", action="store_true", dest="tries", help="freeze the draft")
        parser.add_argument("--compare", nargs=2, type=int, metavar=("FIRST", "SECOND"))
        parser.add_argument("--split", choices=["dev", "test"], default="dev")
        parser.add_argument("--as", dest="user", help="who looks at the test split: it is counted")

    def run(self, **options):
        project = project_named(options["project"])
        if options["tries"]:
            return self._tried(project)
        if options["compare"]:
            return self._compared(project, options)
        state = lab_page.stale_state(project.edition())
        return {
            "splits": {
                split.name: {
                    "locked": split.locked is not None,
                    "size": split.size,
                    "answered": split.answered,
                    "intact": split.intact,
                }
                for split in lab_page.split_states(project)
            },
            "trials": [trial.number for trial in lab_page.trials_of(project)],
            "looks": looks_at_test(project).count(),
            "stale": state.stale.answers if state else 0,
            "to_relabel": state.due if state else 0,
        }

    def _tried(self, project):
        draft = project.codebooks.drafts().first()
        if draft is None:
            raise CommandError("There is no draft: write one first.")
        trial = try_draft(draft)
        return {"trial": trial.number, "codebook": trial.pk}

    def _compared(self, project, options):
        pair = tuple(self._machine(project, number) for number in options["compare"])
        locked = project.locked_splits.filter(split=options["split"]).first()
        if locked is None:
            raise CommandError(f"Lock the {options['split']} split first, in the lab.")
        if not is_intact(locked):
            raise CommandError("The samples of this split are not those that it was locked with.")
        judge = usual_judge(list(pair), answered_editions(locked))
        if judge is None:
            raise CommandError("Nobody has labelled this split yet.")
        looks = 0
        if locked.split == Sample.Split.TEST:
            if not options["user"]:
                raise CommandError("A look at the test split is counted: say --as USER.")
            user = member_named(project, options["user"])
            answers = sum(answers_to(locked, pair))
            take_look(project, subject_of(pair, judge), answers, user)
            looks = looks_at_test(project).count()
        return _said(compared(*pair, truths(judge, locked), max(looks, 1)), looks)

    def _machine(self, project, number):
        machine = project.machines.select_related("codebook").filter(pk=number).first()
        if machine is None:
            raise CommandError(f"“{project.name}” has no machine annotator {number}.")
        return machine


def _said(found, looks):
    words, figure = lab_words.verdict(found), found.paired.difference
    return {
        **found.counts,
        "difference": figure.value,
        "interval": figure.interval,
        "p": found.paired.test.p,
        "level": found.paired.level,
        "looks": looks,
        "meaning": words.meaning,
        "basis": words.basis,
        "cautions": list(words.cautions),
    }
