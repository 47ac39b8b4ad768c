"""Rows as numpy arrays, read in chunks: a million samples fit into some hundred megabytes."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from annotation.arrays_features import stored_features
from annotation.filters import SampleFilter
from annotation.models import Project
from synthlab.science.selection.base import Pool

CHUNK = 10_000
ID = [("id", np.int64)]
COLUMNS = ("confidence", "entropy", "margin")
Wanted = Collection[str]  # names of arrays of the Pool


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


def with_signals(frame: Frame, project: Project, which: SampleFilter, needs: Wanted) -> Frame:
    """The frame with the arrays that a strategy cannot do without, as `needs` names them.

    Raises NoFeatures where the samples' vectors are not computed yet.
    """
    more: dict[str, np.ndarray] = {}
    if "features" in needs:
        more["features"] = stored_features(project, frame.samples)
    if "strata" in needs:
        said = which.samples(project).order_by("pk").values_list("said_code", flat=True)
        codes = ["" if code is None else f"={code}" for code in said.iterator(chunk_size=CHUNK)]
        more["strata"] = np.unique(np.array(codes, dtype=str), return_inverse=True)[1]
    return replace(frame, pool=replace(frame.pool, **more)) if more else frame


def hash_of(ids: np.ndarray) -> str:
    digest = hashlib.sha256()
    for start in range(0, len(ids), CHUNK):
        digest.update("".join(f"{pk}\n" for pk in ids[start : start + CHUNK].tolist()).encode())
    return digest.hexdigest()
