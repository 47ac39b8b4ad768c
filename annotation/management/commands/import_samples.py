"""manage.py import_samples PROJECT FILE --map id=..,text=..,text=..,reference=.."""

import re
from functools import partial
from pathlib import Path

from django.core.management.base import CommandError

from annotation.actions import imports
from annotation.actions.imports_work import work_until_rest
from annotation.imports.mapping import Mapping, mapping_from
from annotation.management.base import ScriptCommand, project_named
from annotation.models import SampleImport

State = SampleImport.State
ROLES = ("id", "text", "optional", "meta", "reference", "split")
ONCE = ("id", "reference", "split")
BLOCK = 1 << 20
SHOWN = 200  # refused rows that the report lists; the page has them all
YES_NO = {"yes": True, "no": False}


class Command(ScriptCommand):
    help = "Import samples from a file, and print which rows were refused and why."
    refusals = (imports.CannotImport, OSError)

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument("project", help="name or number")
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--map",
            default="",
            help="role=column, separated by commas: id, text (in order, may be repeated), optional "
            "(a text that may be empty), meta (repeated; all others unless given), reference, "
            "split. Without it the columns are guessed from their names.",
        )
        parser.add_argument("--separator", help="between several labels in a reference cell")
        parser.add_argument("--format", choices=("csv", "tsv", "json", "jsonl", "parquet", "xlsx"))
        parser.add_argument("--encoding", help="such as utf-8 or cp1252; found out unless given")
        parser.add_argument("--delimiter", help=r"one character; \t is a tab")
        parser.add_argument("--header", choices=YES_NO, help="does the first row name columns?")
        parser.add_argument("--sheet", help="of a workbook")
        parser.add_argument("--records", help="where the list is in a JSON file: data.items")
        parser.add_argument("--keep-duplicates", action="store_true")
        parser.add_argument(
            "--unknown",
            choices=("refuse", "without"),
            default="refuse",
            help="rows whose reference label is not in the codebook: refuse them, or import them "
            "without it",
        )
        parser.add_argument(
            "--refused",
            choices=("nothing", "good-rows"),
            default="nothing",
            help="what to import when some rows are refused",
        )

    def handle(self, *args, **options):
        self.failure = ""
        super().handle(*args, **options)
        if self.failure:
            raise CommandError(self.failure)

    def run(self, **options):
        project = project_named(options["project"])
        with options["file"].open("rb") as file:
            found = imports.receive(
                project, options["file"].name, iter(partial(file.read, BLOCK), b"")
            )
        try:
            self.failure = self._import(found, options)
            return self._report(found)
        finally:
            if found.state != State.DONE:
                imports.discard(found)

    def _import(self, found, options):
        """Why nothing was imported, or "" when something was."""
        if said := _said(options):
            imports.look(found, said)
        if found.error:
            return found.error
        imports.choose(found, _mapping(found, options))
        work_until_rest(found)
        if found.state == State.FAILED:
            return found.error
        if problem := _problem(found, options):
            return problem
        imports.decide(found, options["keep_duplicates"], options["unknown"] == "without")
        work_until_rest(found)
        if found.state == State.DONE and not found.rows_written:
            return "Nothing was imported: every row is a duplicate or was refused."
        return found.error

    def _report(self, found):
        match = imports.match_of(found)
        refused = found.refused.values_list("row_number", "reason")[:SHOWN]
        return {
            "import": found.pk,
            "file": found.file_name,
            "imported": found.rows_written if found.state == State.DONE else 0,
            "rows": found.rows_read,
            "good": found.rows_good,
            "refused": found.rows_refused,
            "duplicates_in_file": found.duplicates_in_file,
            "duplicates_in_project": found.duplicates_in_project,
            "known_ids": found.report.get("known_ids", 0),
            "read_as": found.preview.get("detection", {}),
            "notes": found.preview.get("notes", []),
            "mapping": found.mapping,
            "known_references": match.known if match else None,
            "unknown_references": dict(match.values) if match else None,
            "refused_rows": [{"row": row, "reason": reason} for row, reason in refused],
            "error": self.failure,
        }

    def words(self, result):
        shown = {name: value for name, value in result.items() if value not in ("", [], {}, None)}
        rows = shown.pop("refused_rows", [])
        lines = [f"{name}: {_plain(value)}" for name, value in shown.items() if name != "error"]
        lines += [f"row {row['row']}: {row['reason']}" for row in rows]
        if len(rows) < result["refused"]:
            lines.append(f"... {result['refused'] - len(rows)} more refused rows")
        return "\n".join(lines)


def _plain(value):
    if isinstance(value, dict):
        stated = {name: part for name, part in value.items() if part not in (None, [], "")}
        return ", ".join(f"{name} {_plain(part)!r}" for name, part in stated.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _said(options):
    """What the options say about the file, for the reader."""
    said = {name: options[name] for name in ("format", "encoding", "sheet", "records")}
    said["delimiter"] = "\t" if options["delimiter"] == r"\t" else options["delimiter"]
    said["header"] = YES_NO.get(options["header"])
    return {name: value for name, value in said.items() if value is not None}


def _mapping(found, options):
    if not options["map"]:
        return mapping_from({**found.mapping, **_separator(options)})
    columns = {role: [] for role in ROLES}
    texts = []
    # A comma inside a name is no separator: one stands before the next role.
    for part in re.split(rf",(?=(?:{'|'.join(ROLES)})=)", options["map"]):
        role, equals, column = part.partition("=")
        if not equals or role not in ROLES:
            raise CommandError(f"“{part}”: --map takes role=column; roles are {', '.join(ROLES)}.")
        columns[role].append(column)
        if role in ("text", "optional"):
            texts.append(column)
    for role in ONCE:
        if len(columns[role]) > 1:
            raise CommandError(f"--map has {role} twice.")
    return Mapping(
        text=tuple(texts),
        optional=tuple(columns["optional"]),
        meta=tuple(columns["meta"]) or None,
        **{role: columns[role][0] for role in ONCE if columns[role]},
        **_separator(options),
    )


def _separator(options):
    return {"separator": options["separator"]} if options["separator"] else {}


def _problem(found, options):
    """Why the rows are not imported as they are."""
    if not found.rows_good:
        return "Nothing was imported: no row is good."
    match = imports.match_of(found)
    strangers = match.unknown if match and options["unknown"] == "refuse" else 0
    if options["refused"] == "nothing" and found.rows_refused + strangers:
        parts = [f"{found.rows_refused:,} refused"] if found.rows_refused else []
        parts += [f"{strangers:,} with an unknown reference label"] if strangers else []
        way = "--unknown without or " if strangers else ""
        return (
            f"Nothing was imported: of {found.rows_read:,} rows, {' and '.join(parts)}. Correct "
            f"them, or use {way}--refused good-rows."
        )
    return ""
