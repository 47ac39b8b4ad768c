"""Stored vectors of samples, read from their file."""

import hashlib
from contextlib import suppress

import numpy as np
from django.conf import settings
from django.db.models import QuerySet

from annotation.models import FeatureTable, Project, Sample
from annotation.sentences import name_of

CHUNK = 10_000
TEXTS = "tfidf_svd:1"  # synthlab.science.features; a changed algorithm gets a new number
SENTENCES = "sentences:"  # and a mark of the model


class NoFeatures(LookupError):
    """Nothing is stored for these samples as they are now."""


def computed() -> str:
    """The source of the vectors that are computed here: a sentence model, where one is set."""
    folder = settings.SENTENCE_MODEL
    return TEXTS if folder is None else SENTENCES + name_of(folder)


def is_computed(source: str) -> bool:
    """Is it computed on this machine, and not bought?"""
    return source == TEXTS or source.startswith(SENTENCES)


def hash_of_texts(project: Project) -> str:
    """sha256 over the id and the content hash of every visible sample, by id."""
    digest = hashlib.sha256()
    rows = Sample.objects.visible().filter(project=project).order_by("pk")
    for pk, content in rows.values_list("pk", "content_hash").iterator(chunk_size=CHUNK):
        digest.update(f"{pk} {content}\n".encode())
    return digest.hexdigest()


def stored_features(project: Project, samples: np.ndarray) -> np.ndarray:
    """The vectors of these samples, (samples, dimensions) as float32, aligned with their ids.

    They are those that `make_features` gives. Raises NoFeatures where none were computed yet, or
    not for all of these samples.
    """
    tables = in_order(project.feature_tables.all())
    if len(tables) > 1:  # another source's stand as long as they are of just these samples
        mark = hash_of_texts(project)
        tables = [table for table in tables if is_computed(table.source) or table.hash == mark]
    ids, rows = _first_of(tables)
    places = np.searchsorted(ids, samples)
    if len(samples) and (places.max() >= len(ids) or (ids[places] != samples).any()):
        raise NoFeatures
    return np.asarray(rows[places])


def _first_of(tables):
    for table in tables:
        with suppress(FileNotFoundError):
            return load(table)
    raise NoFeatures


def in_order(tables: QuerySet[FeatureTable]) -> list[FeatureTable]:
    """The table that stands first: a bought one, then the newest of what is computed here now."""
    here = computed()
    standing = [table for table in tables if table.source == here or not is_computed(table.source)]
    return sorted(standing, key=lambda table: (table.source == here, -table.pk))


def load(table: FeatureTable) -> tuple[np.ndarray, np.ndarray]:
    """The ids, ascending, and the rows, which stay on disk until they are asked for."""
    folder = settings.FEATURE_DIR / table.path
    return np.load(folder / "ids.npy"), np.load(folder / "rows.npy", mmap_mode="r")
