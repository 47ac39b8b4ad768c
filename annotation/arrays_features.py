"""Stored vectors of samples, read from their file."""

import hashlib

import numpy as np
from django.conf import settings

from annotation.models import FeatureTable, Project, Sample

CHUNK = 10_000
TEXTS = "tfidf_svd:1"  # synthlab.science.features; a changed algorithm gets a new number


class NoFeatures(LookupError):
    """Nothing is stored for these samples as they are now."""


def hash_of_texts(project: Project) -> str:
    """sha256 over the id and the content hash of every visible sample, by id."""
    digest = hashlib.sha256()
    rows = Sample.objects.visible().filter(project=project).order_by("pk")
    for pk, content in rows.values_list("pk", "content_hash").iterator(chunk_size=CHUNK):
        digest.update(f"{pk} {content}\n".encode())
    return digest.hexdigest()


def stored_features(project: Project, samples: np.ndarray) -> np.ndarray:
    """The vectors of these samples, (samples, dimensions) as float32, aligned with their ids.

    Raises NoFeatures where none were computed yet, or not for all of them.
    """
    table = FeatureTable.objects.filter(project=project, source=TEXTS).order_by("-pk").first()
    if table is None:
        raise NoFeatures
    try:
        ids, rows = load(table)
    except FileNotFoundError as error:
        raise NoFeatures from error
    places = np.searchsorted(ids, samples)
    if len(samples) and (places.max() >= len(ids) or (ids[places] != samples).any()):
        raise NoFeatures
    return np.asarray(rows[places])


def load(table: FeatureTable) -> tuple[np.ndarray, np.ndarray]:
    """The ids, ascending, and the rows, which stay on disk until they are asked for."""
    folder = settings.FEATURE_DIR / table.path
    return np.load(folder / "ids.npy"), np.load(folder / "rows.npy", mmap_mode="r")
