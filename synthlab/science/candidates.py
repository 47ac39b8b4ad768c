"""Who may be among the nearest: pairs of rows with their cosine, each pair one number.

Sorting the numbers puts the candidates of a row together, the most alike last.
"""

import numpy as np

from synthlab.science.features import unit_rows

BLOCK = 1024  # rows that are looked at together: 10 bits
MOST = 2**22  # columns: 22 bits; between the two, 32 for the cosine
ROW, COSINE = np.uint64(54), np.uint64(22)


def short_unit_rows(vectors: np.ndarray, order: np.ndarray | None = None) -> np.ndarray:
    """Each row divided by its length, in this order, in float32, never all of them in float64."""
    order = np.arange(len(vectors)) if order is None else order
    rows = np.empty((len(order), vectors.shape[1]), dtype=np.float32)
    for start in range(0, len(rows), BLOCK):
        rows[start : start + BLOCK] = unit_rows(vectors[order[start : start + BLOCK]])
    return rows


def hits(cosines: np.ndarray, least: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and values of the cosines that are not below `least`, row by row."""
    flags = (cosines >= least).reshape(-1)
    if flags.size % 8:
        found = np.flatnonzero(flags)
    else:  # hits are rare: eight flags are looked at in one
        words = flags.view(np.uint64)
        some = np.flatnonzero(words != 0)
        bits = np.flatnonzero(words[some].view(bool))
        found = some[bits >> 3] * 8 + (bits & 7)
    row, column = np.divmod(found.astype(np.int32), np.int32(cosines.shape[1]))
    return row, column, cosines.reshape(-1)[found]


def pack(row: np.ndarray, column: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """Candidates as uint64; cosines are float32, whose bits are turned so that they rise."""
    bits = cosine.view(np.int32)
    rising = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).astype(np.int64) + 2**31
    packed = (row.astype(np.uint64) << ROW) | (rising.astype(np.uint64) << COSINE)
    return np.asarray(packed | column.astype(np.uint64))


def row_of(packed: np.ndarray) -> np.ndarray:
    return (packed >> ROW).astype(np.intp)


def cosine_of(packed: np.ndarray) -> np.ndarray:
    bits = ((packed >> COSINE).astype(np.uint32) ^ np.uint32(2**31)).view(np.int32)
    return (bits ^ ((bits >> 31) & 0x7FFFFFFF)).view(np.float32)


def column_of(packed: np.ndarray) -> np.ndarray:
    return (packed & np.uint64(MOST - 1)).astype(np.int32)


def ends(packed: np.ndarray, size: int) -> np.ndarray:
    """Where the candidates of each of so many rows end, when they are sorted."""
    return np.cumsum(np.bincount(row_of(packed), minlength=size))


def guess(rows: np.ndarray, sample: np.ndarray, expected: float) -> np.ndarray:
    """A cosine for each row that about `expected` of the sample exceed, seldom fewer: -inf where
    the sample is too small to say."""
    rank = int(np.ceil(expected + 3 * np.sqrt(expected) + 2))  # one of them may be itself
    if rank >= len(sample):
        return np.full(len(rows), -np.inf, dtype=np.float32)
    place = len(sample) - rank
    return np.asarray(np.partition(rows @ sample.T, place, axis=1)[:, place])
