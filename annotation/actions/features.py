"""Computing the vectors of a project's samples: once for the same texts, never in a request."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from django.conf import settings

from annotation.arrays_features import (
    CHUNK,
    TEXTS,
    computed,
    hash_of_texts,
    in_order,
    is_computed,
)
from annotation.models import FeatureTable, Project, Sample
from annotation.sentences import sentence_vectors
from synthlab.science.features import text_features


def make_features(project: Project) -> FeatureTable:
    """The vectors of all visible samples as they are now; computed only if they changed.

    Those of another source than the texts stand as long as they are of just these samples. Done
    twice at once it is work done twice, and one table. Older tables go with their files.
    """
    mark = hash_of_texts(project)
    for found in in_order(project.feature_tables.filter(hash=mark)):
        if (settings.FEATURE_DIR / found.path / "rows.npy").exists():
            return found
    samples = Sample.objects.visible().filter(project=project).order_by("pk")
    read = list(samples.values_list("pk", "text").iterator(chunk_size=CHUNK))
    rows = _vectors([text for pk, text in read])
    ids = np.array([pk for pk, text in read], dtype=np.int64)
    return keep_features(project, computed(), mark, ids, rows)


def _vectors(texts):
    folder = settings.SENTENCE_MODEL
    return text_features(texts) if folder is None else sentence_vectors(folder, texts)


def keep_features(
    project: Project, source: str, mark: str, ids: np.ndarray, rows: np.ndarray
) -> FeatureTable:
    """Store the vectors of a source for samples (ids, ascending) whose texts have this mark, in
    place of older ones. Those of another source than the texts become the project's."""
    kind = "" if source == TEXTS else f"-{source[-24:]}".replace(":", "-")
    path = _write(f"{project.pk}-{mark[:32]}{kind}", ids, rows)
    table, _created = FeatureTable.objects.update_or_create(
        project=project,
        source=source,
        hash=mark,
        defaults={"size": len(rows), "dimensions": rows.shape[1], "path": path},
    )
    older = FeatureTable.objects.filter(project=project, pk__lt=table.pk)
    _forget([other for other in older if is_computed(other.source) == is_computed(source)])
    return table


def forget_features(project: Project) -> None:
    """Let go of all vectors that are not computed from the texts."""
    bought = [table for table in project.feature_tables.all() if not is_computed(table.source)]
    _forget(bought)


def _write(path, ids, rows):
    """All of it or nothing: the folder gets its name when both files are in it."""
    settings.FEATURE_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
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


def _forget(tables):
    for left in tables:
        left.delete()
        shutil.rmtree(settings.FEATURE_DIR / left.path, ignore_errors=True)
