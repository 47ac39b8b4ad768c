"""`manage.py create_project NAME --task-type single_label --codebook FILE [--json]`."""

from pathlib import Path

from django.core.management.base import CommandError
from django.utils.translation import gettext_lazy

from annotation.actions.codebooks import CannotPublish
from annotation.actions.projects import create_project_with_codebook
from annotation.forms import ProjectForm
from annotation.imports.codebook_source import BadCodebook
from annotation.imports.codebooks import named_examples, read_codebook
from annotation.management.base import ScriptCommand
from annotation.models import User
from annotation.task_types import TASK_TYPES

# An edition is published at once and for ever, so nothing may be missing from it unnoticed.
WITHOUT_SAMPLES = gettext_lazy(
    "These examples are ids of samples, and a new project has no samples: %(examples)s. Write the "
    "texts themselves into the file; or go on with --leave-out-examples, and import the same file "
    "on the codebook's page once the samples are there, where it brings their texts."
)


class Command(ScriptCommand):
    help = "Make a project whose first codebook edition is published from a file."
    refusals = (BadCodebook, CannotPublish)

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument("name")
        parser.add_argument("--task-type", required=True, choices=list(TASK_TYPES))
        parser.add_argument("--codebook", required=True, help="JSON or Markdown")
        parser.add_argument("--language", default="en", help="of the samples: en, zh, ar ...")
        parser.add_argument("--description", default="")
        parser.add_argument("--manager", help="username; default: the only superuser")

        parser.add_argument(
            "--leave-out-examples",
            action="store_true",
            help="go on without the examples that are given as ids of samples",
        )

    def run(self, **options):
        read = _codebook(options["codebook"], TASK_TYPES[options["task_type"]])
        if read.unknown and not options["leave_out_examples"]:
            raise CommandError(WITHOUT_SAMPLES % {"examples": named_examples(read.unknown)})
        form = ProjectForm(options)
        if not form.is_valid():
            wrong = (f"{name}: {' '.join(texts)}" for name, texts in form.errors.items())
            raise CommandError("\n".join(wrong))
        project, edition = create_project_with_codebook(
            read.rules, created_by=_manager(options["manager"]), **form.cleaned_data
        )
        return {
            "project": project.pk,
            "name": project.name,
            "codebook": edition.pk,
            "edition": edition.number,
            "labels": list(read.rules.slugs),
            "remarks": list(read.remarks),
        }


def _manager(username):
    if username:
        if user := User.objects.filter(username=username, is_active=True).first():
            return user
        raise CommandError(f"There is no user “{username}”.")
    superusers = list(User.objects.filter(is_superuser=True, is_active=True)[:2])
    if len(superusers) != 1:
        how_many = "no superuser" if not superusers else "more than one superuser"
        raise CommandError(f"There is {how_many}: say --manager USERNAME.")
    return superusers[0]


def _codebook(path, task):
    try:
        return read_codebook(Path(path).read_bytes(), task, lambda ids: {})
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
