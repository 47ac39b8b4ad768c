"""The nearest neighbours of every sample by cosine: exact, tile by tile, never all pairs at once.

Cosines are reckoned in float32, those of two tiles once for both. What float32 cannot decide is
reckoned again in float64, so that the answer is that of float64.
"""

import threading

import numpy as np

from synthlab.science.candidates import (
    BLOCK,
    MOST,
    column_of,
    cosine_of,
    ends,
    guess,
    hits,
    pack,
    row_of,
    short_unit_rows,
)
from synthlab.science.cores import in_parallel
from synthlab.science.features import unit_rows

CROWD = 8  # candidates, in neighbours wanted, above which a sample's are found by counting
SAMPLED = 512  # others, at least, from which it is guessed how alike the k-th neighbour is
ROUNDING = 1e-6  # more than a cosine plus 2 can move when it is rounded to float32
PANEL = 2**20  # cosines in float64 held at one time
GATHERED = 2**20  # entries of vectors gathered at one time


def nearest(vectors: np.ndarray, k: int, tile: int = BLOCK) -> np.ndarray:
    """(samples, k) int32: the rows of the k most alike others of each sample, in row order.

    k is at most the number of other samples. A sample is never its own neighbour, but its exact
    copy is. Likenesses that are equal to six places count as ties, which the earlier row wins. A
    row of zeros is as little like all others as if it stood at a right angle to them. For at most
    MOST samples. `tile` (at most BLOCK) samples are compared at one time: memory, not results.
    """
    if k < 0:
        raise ValueError("A sample cannot have fewer than no neighbours.")
    if len(vectors) > MOST:
        raise ValueError(f"All pairs of more than {MOST} samples are too many to compare.")
    k = max(min(k, len(vectors) - 1), 0)
    if k == 0:
        return np.empty((len(vectors), 0), dtype=np.int32)
    search = _Search(vectors, k, min(tile, BLOCK))
    parts = range(len(search.tiles))
    in_parallel(search.compare, [(i, j) for i in parts for j in parts[i:]])
    _count(vectors, np.flatnonzero(search.undecided), search.found)
    return search.found


def slack(dimensions: int) -> float:
    """More than a cosine of unit rows can be wrong by in float32: a rounding for each product and
    those of the rows (Higham 2002, "Accuracy and Stability of Numerical Algorithms", 3.1)."""
    return (dimensions + 4) * 2.0**-24


class _Tile:
    """Some rows, from `first` on, and who may be among their neighbours."""

    def __init__(self, first: int, least: np.ndarray, others: int) -> None:
        self.first = first
        self.least = least  # a cosine below this is passed over; inf: too many are above it
        self.others = others  # tiles that it was not yet compared with
        self.candidates = [np.empty(0, dtype=np.uint64)]
        self.lock = threading.Lock()

    def put_aside(self, packed: np.ndarray, k: int) -> bool:
        """Keep the candidates from one other tile; True: that was the last."""
        with self.lock:
            self.candidates.append(packed)
            self.others -= 1
            if sum(map(len, self.candidates)) > CROWD * k * len(self.least):
                self._leave_out_the_crowded(k)
            return self.others == 0

    def _leave_out_the_crowded(self, k: int) -> None:
        packed = np.concatenate(self.candidates)
        row = row_of(packed)
        self.least[np.bincount(row, minlength=len(self.least)) > CROWD * k] = np.inf
        self.candidates = [packed[np.isfinite(self.least)[row]]]


class _Search:
    """The rows in tiles, and what is found of them, tile by tile."""

    def __init__(self, vectors: np.ndarray, k: int, size: int) -> None:
        self.vectors, self.k = vectors, k
        self.rows = short_unit_rows(vectors)
        least = _least(self.rows, k)
        starts = range(0, len(vectors), size)
        self.tiles = [_Tile(at, least[at : at + size], len(starts)) for at in starts]
        # Cosines that differ by less may be in the wrong order.
        self.doubt = 2 * slack(vectors.shape[1]) + ROUNDING
        self.found = np.empty((len(vectors), k), dtype=np.int32)
        self.undecided = np.zeros(len(vectors), dtype=bool)

    def compare(self, i: int, j: int) -> None:
        """Put aside who may be neighbours: of one tile in the other, and the other way round."""
        one, other = self.tiles[i], self.tiles[j]
        cosines = self._of(one) @ self._of(other).T
        if i == j:
            np.fill_diagonal(cosines, -np.inf)
        else:
            column, row, cosine = hits(cosines, other.least[None, :])
            self._put_aside(other, pack(row, column + one.first, cosine))
        row, column, cosine = hits(cosines, one.least[:, None])
        self._put_aside(one, pack(row, column + other.first, cosine))

    def _of(self, tile: _Tile) -> np.ndarray:
        return self.rows[tile.first : tile.first + len(tile.least)]

    def _put_aside(self, tile: _Tile, packed: np.ndarray) -> None:
        if tile.put_aside(packed, self.k):
            self._decide(tile)

    def _decide(self, tile: _Tile) -> None:
        """Find the neighbours of a tile that all others were compared with."""
        packed, k = np.sort(np.concatenate(tile.candidates)), self.k
        tile.candidates = []
        end = ends(packed, len(tile.least))
        amount = np.diff(end, prepend=0)
        row = np.flatnonzero(amount >= k)
        last = cosine_of(packed[end[row] - k])
        # Who was passed over must be less alike than the k-th, whatever float32 makes of it.
        sure = tile.least[row] <= last - self.doubt
        row, last = row[sure], last[sure]
        self.undecided[tile.first : tile.first + len(tile.least)] = True
        self.undecided[tile.first + row] = False
        chosen = column_of(packed[end[row, None] - np.arange(1, k + 1)])
        self.found[tile.first + row] = np.sort(chosen, axis=1)
        follower = np.where(amount[row] > k, cosine_of(packed[end[row] - k - 1]), -np.inf)
        close = np.flatnonzero(last - follower <= self.doubt)
        among = [packed[end[r] - amount[r] : end[r]] for r in row[close].tolist()]
        if among:
            self._settle(tile.first + row[close], last[close], among)

    def _settle(self, rows: np.ndarray, last: np.ndarray, among: list[np.ndarray]) -> None:
        """Find the neighbours of rows with candidates so close to the k-th that float32 may have
        them in the wrong order."""
        owner = np.repeat(np.arange(len(rows)), [len(packed) for packed in among])
        packed = np.concatenate(among)
        column, above = column_of(packed), cosine_of(packed) - last[owner]
        taken = above > self.doubt
        missing = self.k - np.bincount(owner[taken], minlength=len(rows))
        close = np.flatnonzero(np.abs(above) <= self.doubt)
        likeness = _likeness(self.vectors, rows[owner[close]], column[close])
        close = close[np.lexsort((column[close], -likeness, owner[close]))]
        counts = np.bincount(owner[close], minlength=len(rows))
        place = np.arange(len(close)) - np.repeat(np.cumsum(counts) - counts, counts)
        taken[close[place < missing[owner[close]]]] = True
        self.found[rows] = np.sort(column[taken].reshape(-1, self.k), axis=1)


def _least(rows: np.ndarray, k: int) -> np.ndarray:
    """For each row a cosine that its k-th neighbour's hardly falls short of, from a sample."""
    least = np.empty(len(rows), dtype=np.float32)
    size = min(len(rows), max(SAMPLED, len(rows) // 64))
    sample = rows[np.random.default_rng(0).choice(len(rows), size, replace=False)]

    def of_block(start: int) -> None:
        some = slice(start, start + BLOCK)
        least[some] = guess(rows[some], sample, k * size / len(rows))

    in_parallel(of_block, [(start,) for start in range(0, len(rows), BLOCK)])
    return least


def _likeness(vectors: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The cosines of pairs of rows, plus 2: rounded, so that exact copies are exactly as alike
    wherever they stand, and plus 2, so that it is to the same place for all."""
    likeness = np.empty(len(one), dtype=np.float32)
    step = max(1, GATHERED // vectors.shape[1])
    for start in range(0, len(one), step):
        pairs = slice(start, start + step)
        rows, others = unit_rows(vectors[one[pairs]]), unit_rows(vectors[other[pairs]])
        likeness[pairs] = np.einsum("ij,ij->i", rows, others) + 2
    return likeness


def _count(vectors: np.ndarray, which: np.ndarray, found: np.ndarray) -> None:
    """Find the neighbours of these rows by looking at all others: for a few, or many ties."""
    if not len(which):
        return
    k, unit = found.shape[1], unit_rows(vectors)
    step = max(1, PANEL // len(unit))
    for start in range(0, len(which), step):
        rows = which[start : start + step]
        likeness = (unit[rows] @ unit.T + 2).astype(np.float32)
        likeness[np.arange(len(rows)), rows] = -np.inf
        last = np.partition(likeness, len(unit) - k, axis=1)[:, [len(unit) - k]]
        taken, ties = likeness > last, likeness == last
        missing = k - taken.sum(axis=1, keepdims=True)
        taken |= ties & (np.cumsum(ties, axis=1, dtype=np.int32) <= missing)
        found[rows] = np.nonzero(taken)[1].reshape(-1, k)
