"""The nearest neighbours of every sample by cosine: exact, in blocks, never all pairs at once."""

import numpy as np

from synthlab.science.features import unit_rows

PANEL = 2**24  # likenesses held at one time (64 MB)
SLICE = 4096  # columns computed at one time
FIRST = 4  # the first quarter of the samples tells what the rest has to beat


def nearest(vectors: np.ndarray, k: int) -> np.ndarray:
    """(samples, k) int32: the rows of the k most alike others, most alike first.

    k is at most the number of other samples. A sample is never its own neighbour, but its exact
    copy is. Likenesses that are equal to six places count as ties, which the earlier row wins. A
    row of zeros is as little like all others as if it stood at a right angle to them.
    """
    if k < 0:
        raise ValueError("A sample cannot have fewer than no neighbours.")
    rows = unit_rows(vectors)
    size = len(rows)
    k = max(min(k, size - 1), 0)
    found = np.empty((size, k), dtype=np.int32)
    if not k:
        return found
    block = max(1, min(512, PANEL // size))
    panel = np.empty((block, size), dtype=np.float32)
    for start in range(0, size, block):
        part = rows[start : start + block]
        likeness = _likeness(part, rows, panel[: len(part)])
        likeness[np.arange(len(part)), np.arange(start, start + len(part))] = -np.inf
        found[start : start + block] = _best(likeness, k)
    return found


def _likeness(part: np.ndarray, rows: np.ndarray, panel: np.ndarray) -> np.ndarray:
    """The cosines plus 2, computed in float64 and rounded to float32.

    Rounded, so that exact copies are exactly as alike wherever they stand; plus 2, so that it is
    to the same place for all: a float32 has many more places near 0.
    """
    for start in range(0, len(rows), SLICE):
        panel[:, start : start + SLICE] = part @ rows[start : start + SLICE].T + 2
    return panel


def _best(likeness: np.ndarray, k: int) -> np.ndarray:
    """The columns of the k highest in each row, highest first, ties by column."""
    width = max(k, likeness.shape[1] // FIRST)
    bound = np.partition(likeness[:, :width], width - k, axis=1)[:, width - k, None]
    reach = likeness >= bound
    # A column that only ties with the bound loses against k columns before it.
    reach[:, width:] &= likeness[:, width:] > bound
    row, column = np.divmod(np.flatnonzero(reach), likeness.shape[1])
    counts = np.bincount(row, minlength=len(likeness))
    place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    values = np.full((len(likeness), counts.max()), np.inf, dtype=np.float32)
    columns = np.zeros(values.shape, dtype=np.int32)
    values[row, place] = -likeness[row, column]
    columns[row, place] = column
    order = np.argsort(values, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(columns, order, axis=1)
