"""`manage.py create_project NAME --task-type single_label --codebook FILE [--json]`."""

from pathlib import Path

from django.core.management.base import CommandError
from django.utils.translation import gettext_lazy

from annotation.actions.codebooks import CannotPublish
from annotation.actions.projects import create_project_with_codebook
from annotation.forms import ProjectForm
from annotation.imports.codebook_source import BadCodebook
from annotation.imports.codebooks import read_codebook
from annotation.management.base import ScriptCommand
from annotation.models import User
from annotation.task_types import TASK_TYPES

ONCE_THERE_ARE_SAMPLES = gettext_lazy(
    "Once the samples are imported, import this file again on the codebook's page: the draft then "
    "holds these examples' texts, to be published as the next edition."
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

    def run(self, **options):
        read = _codebook(options["codebook"], TASK_TYPES[options["task_type"]])
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
            "remarks": [*read.remarks, *([str(ONCE_THERE_ARE_SAMPLES)] if read.unknown else [])],
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
