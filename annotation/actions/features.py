"""Computing the vectors of a project's samples: once for the same texts, never in a request."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from django.conf import settings

from annotation.arrays_features import CHUNK, TEXTS, hash_of_texts
from annotation.models import FeatureTable, Project, Sample
from synthlab.science.features import text_features


def make_features(project: Project) -> FeatureTable:
    """The vectors of all visible samples as they are now; computed only if they changed.

    Done twice at once it is work done twice, and one table. Older tables go with their files.
    """
    mark = hash_of_texts(project)
    found = project.feature_tables.filter(source=TEXTS, hash=mark).first()
    if found and (settings.FEATURE_DIR / found.path / "rows.npy").exists():
        return found
    samples = Sample.objects.visible().filter(project=project).order_by("pk")
    read = list(samples.values_list("pk", "text").iterator(chunk_size=CHUNK))
    rows = text_features([text for pk, text in read])
    path = _write(project, mark, np.array([pk for pk, text in read], dtype=np.int64), rows)
    table, _created = FeatureTable.objects.update_or_create(
        project=project,
        source=TEXTS,
        hash=mark,
        defaults={"size": len(rows), "dimensions": rows.shape[1], "path": path},
    )
    _forget_older(table)
    return table


def _write(project, mark, ids, rows):
    """All of it or nothing: the folder gets its name when both files are in it."""
    settings.FEATURE_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = f"{project.pk}-{mark[:32]}"
    target = settings.FEATURE_DIR / path
    unfinished = Path(tempfile.mkdtemp(prefix=".", dir=settings.FEATURE_DIR))
    np.save(unfinished / "ids.npy", ids)
    np.save(unfinished / "rows.npy", rows)
    if not (target / "rows.npy").exists():
        shutil.rmtree(target, ignore_errors=True)  # what is left of a folder that lost its rows
    try:
        unfinished.rename(target)
    except OSError:  # another worker was faster; the same texts give the same rows
        shutil.rmtree(unfinished)
    return path


def _forget_older(table):
    older = FeatureTable.objects.filter(project=table.project, source=table.source, pk__lt=table.pk)
    for left in older:
        left.delete()
        shutil.rmtree(settings.FEATURE_DIR / left.path, ignore_errors=True)
