"""Vectors from a sentence-transformers model that lies on this machine: an optional extra.

The package is large and slow to load, so it is loaded by whoever computes vectors first, never by
a process that only shows pages. Nothing is downloaded.
"""

import hashlib
import os
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np

from synthlab.science.features import unit_rows

BATCH = 64  # texts at a time


def sentence_vectors(folder: Path, texts: list[str]) -> np.ndarray:
    """(texts, dimensions) float32 rows of length 1; a text without a visible character is zeros."""
    model = _model(folder)
    rows = np.zeros((len(texts), model.get_embedding_dimension() or 1), dtype=np.float32)
    seen = [place for place, text in enumerate(texts) if text.strip()]
    if seen:
        found = model.encode(
            [texts[place] for place in seen], batch_size=BATCH, show_progress_bar=False
        )
        rows[seen] = unit_rows(np.asarray(found))
    return rows


@cache
def name_of(folder: Path) -> str:
    """A short mark of the model: its files by name and size, and the small ones by content."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()} {size}\n".encode())
        if size < 100_000:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def _model(folder: Path):
    os.environ["HF_HUB_OFFLINE"] = "1"  # read when the package is loaded
    package = import_module("sentence_transformers")
    return package.SentenceTransformer(str(folder), device="cpu", local_files_only=True)
