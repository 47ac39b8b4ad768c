"""Dev and test splits: drawn by lot from the pool, or taken as they came, and locked for ever."""

from typing import Any

import numpy as np
from django.db import transaction
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from annotation import arrays
from annotation.actions.draw_plans import POOL
from annotation.filters import SampleFilter
from annotation.models import LockedSplit, Project, Round, Sample, SampleImport, User

CHUNK = 1_000
LARGEST = 50_000  # drawn in one transaction: people's answers wait no longer than a second
SPLITS = (Sample.Split.DEV, Sample.Split.TEST)


class CannotLock(ValueError):
    """The split cannot be locked now; the message says what to do."""


@transaction.atomic
def lock_split(
    project: Project, split: str, size: int | None = None, seed: int = 0, by: User | None = None
) -> LockedSplit:
    """Lock a dev or test split; raises CannotLock.

    Where samples came with the split, they are it. Else `size` samples are drawn by lot, from
    those of the pool that no round has drawn: what a round measured keeps its frame, because a
    frame is read as of the moment of its draw (see SampleFilter.samples).
    """
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    _check(project, split)
    came = arrays.frame(project, SampleFilter(split=split)).samples
    if len(came):
        return _locked(project, split, came, {"as_imported": True}, by)
    frame = arrays.frame(project, POOL)
    drawn = _by_lot(frame, size, seed)
    for start in range(0, len(drawn), CHUNK):
        chunk = drawn[start : start + CHUNK].tolist()
        Sample.objects.filter(pk__in=chunk).update(split=split)
    how = {
        "frame": {"filter": POOL.stated(), "size": frame.pool.size, "hash": frame.hash},
        "seed": seed,
    }
    return _locked(project, split, drawn, how, by)


def _check(project, split):
    if split not in SPLITS:
        raise CannotLock(_("Only the dev and the test split can be locked."))
    if project.locked_splits.filter(split=split).exists():
        raise CannotLock(_("The %(split)s split is locked already.") % {"split": split})
    if project.imports.filter(state=SampleImport.State.WRITING).exists():
        raise CannotLock(_("An import is being written: wait until it is done."))
    drawing = project.rounds.filter(state=Round.State.DRAWING, drawing_until__isnull=False)
    if drawing.exists():
        raise CannotLock(_("A round is being drawn: wait until it is written."))


def _by_lot(frame, size, seed):
    there = frame.pool.size
    if size is None or size < 1:
        raise CannotLock(_("Say how many samples the split shall have."))
    if size > min(there, LARGEST):
        text = _("At most %(n)s samples can be drawn: so many in the pool are in no round yet.")
        if there > LARGEST:
            text = _("A split has at most %(n)s samples.")
        raise CannotLock(text % {"n": number_format(min(there, LARGEST), force_grouping=True)})
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(frame.samples, size, replace=False))


def _locked(project, split, ids: np.ndarray, how: dict[str, Any], by):
    return LockedSplit.objects.create(
        project=project,
        split=split,
        size=len(ids),
        hash=arrays.hash_of(ids),
        drawn=how,
        locked_by=by,
    )
