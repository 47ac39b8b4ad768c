"""Rows as numpy arrays, read in chunks: a million samples fit into some hundred megabytes."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from annotation.arrays_features import stored_features
from annotation.arrays_strata import strata_of
from annotation.arrays_votes import votes_of
from annotation.filters import SampleFilter
from annotation.models import MachineAnnotator, Project
from synthlab.science.selection.base import Pool, Strategy
from synthlab.science.selection.stratified import Stratified

CHUNK = 10_000
ID = [("id", np.int64)]
COLUMNS = ("confidence", "entropy", "margin")


@dataclass(frozen=True)
class Frame:
    """The samples that a draw may take, in the order of their ids, as they were at one moment.

    `hash` is sha256 over the ids in decimal, ascending, each with a line feed. `strata` are the
    names of the pool's strata, `notes` what a manager should know about them.
    """

    samples: np.ndarray
    pool: Pool
    hash: str
    strata: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


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


def with_signals(frame: Frame, project: Project, which: SampleFilter, strategy: Strategy) -> Frame:
    """The frame with the arrays that the strategy cannot do without.

    Raises NoFeatures where the samples' vectors are not computed yet, NoStrata where nothing
    divides the samples as it asks.
    """
    if "features" in strategy.needs:
        features = stored_features(project, frame.samples)
        frame = replace(frame, pool=replace(frame.pool, features=features))
    if "votes" in strategy.needs:
        machine = MachineAnnotator.objects.select_related("codebook").get(pk=which.machine)
        votes = votes_of(machine.pk, frame.samples, machine.codebook.rules().slugs)
        frame = replace(frame, pool=replace(frame.pool, votes=votes))
    if isinstance(strategy, Stratified):
        cut = strata_of(project, which, frame.samples, strategy)
        pool = replace(frame.pool, strata=cut.codes)
        frame = replace(frame, pool=pool, strata=cut.names, notes=cut.notes)
    return frame


def hash_of(ids: np.ndarray) -> str:
    digest = hashlib.sha256()
    for start in range(0, len(ids), CHUNK):
        digest.update("".join(f"{pk}\n" for pk in ids[start : start + CHUNK].tolist()).encode())
    return digest.hexdigest()
