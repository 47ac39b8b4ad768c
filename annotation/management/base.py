"""What the commands share: one result, said in words or as JSON, and a non-zero exit on failure."""

import json

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder

from annotation.models import Project, User


class ScriptCommand(BaseCommand):
    """A command that scripts can read: `run` returns a dict, `words` says it to people.

    Exceptions named in `refusals` carry a message for the user; they end the command as a
    CommandError does, with exit code 1. With --json the error, too, is an object on stdout.
    A subclass that overrides `add_arguments` calls super's.
    """

    refusals = ()

    def add_arguments(self, parser):
        parser.add_argument("--json", action="store_true", help="print the result as one object")

    def handle(self, *args, **options):
        try:
            result = self.run(**options)
        except (CommandError, *self.refusals) as error:
            if options["json"]:
                self.stdout.write(as_json({"error": str(error)}))
            raise CommandError(str(error)) from error
        self.stdout.write(as_json(result) if options["json"] else self.words(result))

    def run(self, **options):
        """Do it and return what came of it as plain values."""
        raise NotImplementedError

    def words(self, result):
        """The result as people read it; unless overridden, one `name: value` a line."""
        return "\n".join(f"{name}: {value}" for name, value in result.items())


def as_json(result):
    return json.dumps(result, cls=DjangoJSONEncoder, ensure_ascii=False)


def project_named(text):
    """The project with this id, else the one with this name."""
    found = Project.objects.filter(pk=text) if text.isdecimal() else Project.objects.none()
    projects = list(found or Project.objects.filter(name=text).order_by("pk"))
    if not projects:
        raise CommandError(f"There is no project “{text}”: give its name or its number.")
    if len(projects) > 1:
        numbers = ", ".join(str(project.pk) for project in projects)
        raise CommandError(f"Several projects are named “{text}”: give a number ({numbers}).")
    return projects[0]


def member_named(project, text):
    """The user of this name who takes part in the project."""
    user = User.objects.filter(username=text, memberships__project=project).first()
    if user is None:
        raise CommandError(f"“{text}” takes no part in “{project.name}”: invite them first.")
    return user
