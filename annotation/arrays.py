"""Rows as numpy arrays, read in chunks: a million samples fit into some hundred megabytes."""

import hashlib
from dataclasses import dataclass

import numpy as np

from annotation.filters import SampleFilter
from annotation.models import Project
from synthlab.science.selection.base import Pool

CHUNK = 10_000
ID = [("id", np.int64)]
COLUMNS = ("confidence", "entropy", "margin")


@dataclass(frozen=True)
class Frame:
    """The samples that a draw may take, in the order of their ids, as they were at one moment.

    `hash` is sha256 over the ids in decimal, ascending, each with a line feed.
    """

    samples: np.ndarray
    pool: Pool
    hash: str


def frame(project: Project, which: SampleFilter) -> Frame:
    """What the filter lets through, with the columns of its machine where it names one."""
    samples = which.samples(project).order_by("pk")
    columns = () if which.machine is None else COLUMNS
    rows = samples.values_list("pk", *(f"said_{name}" for name in columns))
    kinds = np.dtype(ID + [(name, np.float64) for name in columns])
    read = np.fromiter(rows.iterator(chunk_size=CHUNK), dtype=kinds)
    ids = read["id"]
    known = {name: read[name].copy() for name in columns}
    pool = Pool(size=len(ids), multiple=project.task.multiple, **known)
    return Frame(ids.copy(), pool, hash_of(ids))


def hash_of(ids: np.ndarray) -> str:
    digest = hashlib.sha256()
    for start in range(0, len(ids), CHUNK):
        digest.update("".join(f"{pk}\n" for pk in ids[start : start + CHUNK].tolist()).encode())
    return digest.hexdigest()
