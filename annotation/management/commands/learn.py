"""manage.py learn PROJECT [--machine ID] [--json]"""

from django.core.management.base import CommandError

from annotation.actions.students import CannotLearn, start_student, work_on_due
from annotation.management.base import ScriptCommand, project_named
from annotation.reports.scope import usual_machine
from annotation.reports.students import student_of


class Command(ScriptCommand):
    help = "Let a student learn from people's answers where a machine is wrong; waits until it has."
    refusals = (CannotLearn,)

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument("project", help="name or number")
        parser.add_argument("--machine", type=int, help="number of the machine annotator; newest")

    def run(self, **options):
        project, number = project_named(options["project"]), options["machine"]
        machine = project.machines.filter(pk=number).first() if number else usual_machine(project)
        if machine is None:
            raise CommandError(f"“{project.name}” has no such machine annotator.")
        student = start_student(machine)
        while not student_of(student).is_done and work_on_due():
            pass
        found = student_of(student)
        return {
            "machine": student.pk,
            "learned_from": machine.pk,
            "answers": found.answers,
            "said": found.said,
            "corrected": found.corrected,
        }
