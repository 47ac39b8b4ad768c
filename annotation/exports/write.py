"""An export from beginning to end: one moment of the database, and never half a file."""

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connections, transaction
from django.utils.timezone import now

from annotation.exports.facts import Facts, Marks, gather
from annotation.exports.formats import WRITERS
from annotation.exports.manifest import RULE, Tally, manifest
from annotation.exports.rows import chunks
from annotation.exports.tables import Layout
from annotation.exports.wanted import Wanted, check_limits
from annotation.models import Project
from synthlab.failpoints import failpoint, mutated

MANIFEST = "manifest.json"
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the same state of a project gives the same bytes

Progress = Callable[[int, int], None]  # samples looked at, samples in all


def export(
    project: Project,
    wanted: Wanted,
    target: Path,
    *,
    marks: Marks | None = None,
    packed: bool = False,
    progress: Progress = lambda done, total: None,
) -> dict[str, Any]:
    """Write the file, or the folder of a data set (`packed` as a ZIP), and give its manifest.

    The name `target` appears when everything is on disk, not before. What `progress` raises
    ends the export and leaves nothing. Raises ExportRefused for what the format cannot hold.
    """
    part = target if mutated("no_part") else target.with_name(f".{target.name}.part")
    remove(part)
    try:
        with one_moment() as using:
            moment = now()
            check_limits(project, wanted, using)
            facts = gather(project, wanted, using, marks)
            tally = _write_rows(facts, part, progress)
            files = _files(part, target)
            made = manifest(facts, moment, tally, files)
        _finish(part, target, made, packed)
    finally:
        if part != target:
            remove(part)
    return made


@contextmanager
def one_moment() -> Iterator[str]:
    """The alias of a connection that sees one moment of the database until the end.

    On PostgreSQL numbers are handed out before they are committed. The lock waits for annotations
    that are under way, so that the moment holds every annotation up to its highest number.
    """
    if mutated("no_moment"):
        yield "default"
        return
    with transaction.atomic(using="snapshot"):
        with transaction.atomic():
            if connections["default"].vendor == "postgresql":
                with connections["default"].cursor() as cursor:
                    cursor.execute("LOCK TABLE annotation_annotation IN SHARE MODE")
            with connections["snapshot"].cursor() as cursor:
                cursor.execute("SELECT max(id) FROM annotation_annotation")  # begins the moment
                cursor.fetchone()
        yield "snapshot"


def _write_rows(facts: Facts, part: Path, progress: Progress) -> Tally:
    """Every chunk into the writer; the file is complete and closed afterwards."""
    tally, done = Tally(), 0
    writer = WRITERS[facts.wanted.format](part, layout(facts))
    try:
        for looked_at, rows in chunks(facts):
            writer.write(rows)
            tally.add(rows)
            done += looked_at
            progress(done, facts.total)
            failpoint("export.chunk")
    except BaseException:
        writer.abandon()
        raise
    writer.close()
    return tally


def layout(facts: Facts) -> Layout:
    project = facts.project
    editions = [str(codebook.number) for codebook in facts.editions.values()]
    texts = {
        "description": project.description,
        "task": f"Task: {project.task.label}. Editions of the codebook: {', '.join(editions)}.",
        "rule": f"`final_label`: {RULE}",
        "columns": "Each row names the edition that its label followed, what people and machines "
        "said, and the probability with which it was drawn for review.",
    }
    return Layout(
        fields=facts.fields,
        multiple=project.task.multiple,
        raw=facts.wanted.raw,
        title=project.name,
        language=project.language,
        texts={name: text for name, text in texts.items() if text},
    )


def _files(part: Path, target: Path) -> list[dict[str, Any]]:
    """The files with their hashes; those of a folder by their path in it."""
    if part.is_dir():
        paths = sorted(path for path in part.rglob("*") if path.is_file())
        return [_file(path, path.relative_to(part).as_posix()) for path in paths]
    return [_file(part, target.name)]


def _file(path: Path, name: str) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": name, "bytes": path.stat().st_size, "sha256": digest}


def _finish(part: Path, target: Path, made: dict[str, Any], packed: bool) -> None:
    """To disk for good, then under the final names; the file last: where it is, all is there."""
    text = json.dumps(made, ensure_ascii=False, indent=2) + "\n"
    if part.is_dir() and packed:
        folder = part.with_name(part.name + ".folder")
        remove(folder)
        part.rename(folder)
        _pack(folder, part)
        remove(folder)
        # A folder's files are hashed one by one; what is downloaded is the ZIP.
        made["packed"] = _file(part, target.name)
        text = json.dumps(made, ensure_ascii=False, indent=2) + "\n"
    if part.is_dir():
        (part / MANIFEST).write_text(text, encoding="utf-8")
        for path in part.rglob("*"):
            _to_disk(path)
    else:
        beside = manifest_path(target)
        beside_part = beside.with_name(f".{beside.name}.part")
        beside_part.write_text(text, encoding="utf-8")
        _to_disk(beside_part)
        beside_part.replace(beside)
    _to_disk(part)
    part.rename(target)
    _to_disk(target.parent)


def manifest_path(target: Path) -> Path:
    """Where the manifest of a file lies; that of a folder lies in it."""
    if target.is_dir():
        return target / MANIFEST
    return target.with_name(f"{target.name}.{MANIFEST}")


def _pack(folder: Path, target: Path) -> None:
    """Parquet is compressed already, so the ZIP only holds it together."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = path.relative_to(folder).as_posix()
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            with path.open("rb") as file, archive.open(entry, "w", force_zip64=True) as packed:
                shutil.copyfileobj(file, packed, 1 << 20)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """What an export that broke off left behind, if anything."""
    for left in (path, path.with_name(path.name + ".folder")):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink(missing_ok=True)
