"""The nearest neighbours of every sample by cosine: exact, in blocks, never all pairs at once."""

import numpy as np

from synthlab.science.features import unit_rows

BLOCK = 1024
SLICE = 4096  # with BLOCK: 32 MB of cosines
WAITING = 3  # candidates put aside, in neighbours wanted, before the best of them are sorted out
ROUNDING = 1e-6  # more than a cosine plus 2 can move when it is rounded to float32


def nearest(vectors: np.ndarray, k: int, block: int = BLOCK, among: int = SLICE) -> np.ndarray:
    """(samples, k) int32: the rows of the k most alike others, most alike first.

    k is at most the number of other samples. A sample is never its own neighbour, but its exact
    copy is. Likenesses that are equal to six places count as ties, which the earlier row wins. A
    row of zeros is as little like all others as if it stood at a right angle to them. Neighbours
    are looked for of `block` samples at one time, `among` so many: memory and speed, not results.
    """
    if k < 0:
        raise ValueError("A sample cannot have fewer than no neighbours.")
    rows = unit_rows(vectors)
    k = max(min(k, len(rows) - 1), 0)
    found = np.empty((len(rows), k), dtype=np.int32)
    buffer = np.empty((min(block, len(rows)), min(among, len(rows))))
    for start in range(0, len(rows) if k else 0, block):
        part = rows[start : start + block]
        found[start : start + block] = _nearest_to(start, part, rows, k, buffer)
    return found


def _nearest_to(
    first: int, part: np.ndarray, rows: np.ndarray, k: int, buffer: np.ndarray
) -> np.ndarray:
    """The neighbours of a part of the rows, which begins at row `first`, by one walk over all.

    Whoever is less like than the k-th best so far is passed over, which is nearly everyone.
    """
    among = buffer.shape[1]
    best = _Best(len(part), k)
    for start in range(0, len(rows), among):
        others = rows[start : start + among]
        cosines = np.matmul(part, others.T, out=buffer[: len(part), : len(others)])
        own = np.arange(max(first, start), min(first + len(part), start + len(others)))
        cosines[own - first, own - start] = -np.inf
        if start == 0 and len(others) > k:
            best.least = np.partition(cosines, -k, axis=1)[:, -k] - ROUNDING
        row, column = np.divmod(np.flatnonzero(cosines >= best.least[:, None]), len(others))
        best.put_aside(row, column + start, cosines[row, column])
    best.sort_out()
    return best.columns


class _Best:
    """The k most alike columns so far for each row of a block, and who may be among them."""

    def __init__(self, size: int, k: int) -> None:
        self.k = k
        self.values = np.empty((size, 0), dtype=np.float32)
        self.columns = np.empty((size, 0), dtype=np.int32)
        self.least = np.full(size, -np.inf)  # a cosine below this is not among the best
        self.waiting: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def put_aside(self, row: np.ndarray, column: np.ndarray, cosine: np.ndarray) -> None:
        # Rounded, so that exact copies are exactly as alike wherever they stand; plus 2, so that
        # it is to the same place for all: a float32 has many more places near 0.
        value = (cosine + 2).astype(np.float32)
        self.waiting.append((row.astype(np.uint16), column.astype(np.int32), value))
        if sum(len(row) for row, _, _ in self.waiting) > WAITING * self.k * len(self.values):
            self.sort_out()

    def sort_out(self) -> None:
        """Keep the k best; columns came in ascending order, so that a stable sort keeps ties so."""
        row, column, value = (np.concatenate(arrays) for arrays in zip(*self.waiting, strict=True))
        self.waiting = [(row[:0], column[:0], value[:0])]
        order = np.argsort(row, kind="stable")
        row, column, value = row[order], column[order], value[order]
        counts = np.bincount(row, minlength=len(self.values))
        had = self.values.shape[1]
        place = had + np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        values = np.full((len(counts), had + counts.max()), -np.inf, dtype=np.float32)
        columns = np.zeros(values.shape, dtype=np.int32)
        values[:, :had], columns[:, :had] = self.values, self.columns
        values[row, place], columns[row, place] = value, column
        kept = np.argsort(-values, axis=1, kind="stable")[:, : self.k]
        self.values = np.take_along_axis(values, kept, axis=1)
        self.columns = np.take_along_axis(columns, kept, axis=1)
        if self.values.shape[1] == self.k:
            self.least = self.values[:, -1].astype(float) - 2 - ROUNDING
