"""Reading a whole upload in the confined child, and the report that a person decides by."""

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from annotation.actions.imports import gone, limits, said, upload_of
from annotation.actions.imports_hold import CHUNK, batches, fail, hold, let_go
from annotation.imports import process
from annotation.imports.contracts import Options
from annotation.imports.mapping import mapping_from
from annotation.imports.reasons import ImportRefused
from annotation.imports.references import parts_of
from annotation.imports.staging import MOST_REFERENCES
from annotation.models import RefusedRow, Sample, SampleImport
from synthlab.failpoints import failpoint

PAUSE = 1  # seconds between two signs of life
SHOWN_IDS = 20


def stage(held: SampleImport) -> None:
    """Read every row, report, and wait for a decision."""
    directory = settings.UPLOAD_DIR / f"{Path(held.path).stem}.staged{held.version}"
    progress = _Progress(held)
    try:
        staged = _read(held, directory, progress)
    except ImportRefused as error:
        fail(held, said(error.reason))
        return
    except FileNotFoundError:
        fail(held, gone())
        return
    failpoint("import.staged")
    if staged.references is None:
        fail(held, _no_labels(held))
        return
    known = _known(held, staged.samples_path, progress)
    _keep_refused(held, staged.refused_path)
    let_go(
        held,
        SampleImport.State.STAGED,
        rows_read=staged.rows,
        rows_good=staged.good,
        rows_refused=staged.refused,
        duplicates_in_file=staged.duplicates,
        duplicates_in_project=known.texts,
        report={
            "directory": directory.name,
            "references": _counted(held, staged.references),
            "known_ids": known.ids,
            "ids": known.some_ids,
        },
    )
    _remove_others(held, directory)


def _read(held, directory, progress):
    options, mapping = Options(**held.options), mapping_from(held.mapping)
    return process.stage(
        upload_of(held), held.file_name, options, mapping, limits(), directory, progress
    )


def _counted(held, references):
    """The labels that cells name, with how many rows; cells that name none are left out."""
    multiple = held.project.task.multiple
    named = ((parts_of(reference, multiple), rows) for reference, rows in references)
    return [(parts, rows) for parts, rows in named if parts is not None]


def _remove_others(held, directory):
    for other in settings.UPLOAD_DIR.glob(f"{Path(held.path).stem}.staged*"):
        if other != directory:
            shutil.rmtree(other, ignore_errors=True)


def _no_labels(held):
    return _(
        "The column “%(column)s” has more than %(n)s different values, so it holds no labels. "
        "Start again and map it to meta, or say how several labels in one cell are separated."
    ) % {"column": held.mapping["reference"], "n": f"{MOST_REFERENCES:,}"}


class _Progress:
    """Tells the row how far it is, once a second; raises Lost, which ends the child."""

    def __init__(self, held: SampleImport) -> None:
        self.held, self.due = held, 0.0

    def __call__(self, rows: int | None = None) -> None:
        if time.monotonic() >= self.due:
            hold(self.held, **({} if rows is None else {"rows_read": rows}))
            self.due = time.monotonic() + PAUSE


def _known(held, path, progress):
    """What the project has already: how many of the texts, and which ids with another text."""
    found = _Known()
    visible = Sample.objects.visible().filter(project=held.project_id)
    if not visible.exists():
        return found
    with path.open(encoding="utf-8") as file:
        first = (line for line in map(json.loads, file) if line["repeats"] is None)
        for lines in batches(first, CHUNK):
            found.add(lines, visible)
            progress()
    return found


@dataclass
class _Known:
    texts: int = 0
    ids: int = 0
    some_ids: list[str] = field(default_factory=list)

    def add(self, lines: list[dict], visible) -> None:
        hashes = {line["hash"] for line in lines}
        there = visible.filter(content_hash__in=hashes)
        texts = set(there.values_list("content_hash", flat=True))
        self.texts += len(texts)
        if ids := {line["id"] for line in lines if line["id"] and line["hash"] not in texts}:
            taken = visible.filter(external_id__in=ids).values_list("external_id", flat=True)
            self.ids += len(set(taken))
            self.some_ids += sorted(set(taken))[: SHOWN_IDS - len(self.some_ids)]


def refused_lines(path: Path) -> Iterator[dict]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _keep_refused(held, path):
    """The report's rows, also after the files are gone; those of an earlier reading go."""
    held.refused.all().delete()
    for lines in batches(refused_lines(path), CHUNK):
        rows = [
            RefusedRow(
                sample_import=held,
                row_number=line["row"],
                reason=said(process.refused_from(line).reason)[:500],
                excerpt=line["excerpt"][:300],
            )
            for line in lines
        ]
        began = time.monotonic()
        with transaction.atomic():
            hold(held)
            RefusedRow.objects.bulk_create(rows)
        time.sleep(time.monotonic() - began)  # so that answers are never kept waiting
