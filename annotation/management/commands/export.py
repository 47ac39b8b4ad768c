"""Export a project: manage.py export PROJECT --format parquet --out letters.parquet"""

import json
import time
from pathlib import Path

from django.core.management.base import CommandError

from annotation.exports.facts import Marks
from annotation.exports.wanted import ExportRefused, Wanted
from annotation.exports.write import export, manifest_path
from annotation.management.base import ScriptCommand, project_named
from annotation.models import Release, Sample


class Command(ScriptCommand):
    help = "Write a project as one file (or a folder, for --format dataset) with a manifest."
    refusals = (ExportRefused, OSError)
    requires_system_checks = ()  # they load every page with its libraries: half the memory

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument("project", help="name or number")
        parser.add_argument("--format", choices=Release.Format.values, help="from --out's name")
        parser.add_argument("--out", required=True, type=Path, help="the file, or a new folder")
        parser.add_argument("--raw", action="store_true", help="CSV: no guard against formulas")
        parser.add_argument(
            "--names", action="store_true", help="user names in place of pseudonyms"
        )
        parser.add_argument("--final", action="store_true", help="only what has a final label")
        parser.add_argument("--split", choices=Sample.Split.values, default="")
        parser.add_argument("--origin", choices=Sample.Origin.values, default="")
        parser.add_argument("--machine", type=int, help="number of the machine annotator; newest")
        parser.add_argument(
            "--uncorrected", action="store_true", help="the machine's labels, not its student's"
        )
        parser.add_argument(
            "--again", type=Path, metavar="MANIFEST", help="the moment and options of this manifest"
        )

    def run(self, *, out, again, **options):
        project = project_named(options["project"])
        marks = None
        if again:
            wanted, marks = self._as_before(project, again)
        else:
            wanted = self._wanted(project, out, options)
        if wanted.format == Release.Format.DATASET and out.exists():
            raise CommandError(f"{out} exists already. Name a folder that does not.")
        if not out.resolve().parent.is_dir():
            raise CommandError(f"There is no folder {out.resolve().parent}.")
        began = time.monotonic()
        made = export(project, wanted, out.resolve(), marks=marks)
        files = made["files"]
        return {
            "out": str(out),
            "manifest": str(manifest_path(out)),
            "rows": made["counts"]["rows"],
            "by_source": made["counts"]["by_source"],
            "bytes": sum(file["bytes"] for file in files),
            "sha256": {file["name"]: file["sha256"] for file in files},
            "sequence": made["sequence"],
            "seconds": round(time.monotonic() - began, 2),
        }

    def _wanted(self, project, out, options):
        format_ = options["format"] or out.suffix.removeprefix(".")
        if format_ not in Release.Format.values:
            raise CommandError("Choose a --format: the name of --out does not say one.")
        machine = options["machine"]
        if machine and not project.machines.standing().filter(pk=machine).exists():
            raise CommandError(f"“{project.name}” has no machine annotator {machine}.")
        return Wanted(
            format=format_,
            only_final=options["final"],
            split=options["split"],
            origin=options["origin"],
            machine=machine,
            raw=options["raw"],
            names=options["names"],
            corrected=not options["uncorrected"],
        )

    def _as_before(self, project, manifest):
        try:
            before = json.loads(manifest.read_text(encoding="utf-8"))
            wanted, marks = Wanted(before["format"], **before["options"]), Marks(**before["marks"])
            of = before["project"]["id"]
        except (ValueError, KeyError, TypeError) as error:
            raise CommandError(f"{manifest} is no manifest of an export: {error}") from error
        if of != project.pk:
            raise CommandError(f"{manifest} is of project {of}, not of {project.pk}.")
        return wanted, marks
