"""Most of the nearest neighbours of every sample, for pools too large to compare all pairs.

An inverted file (Jegou, Douze & Schmid 2011, "Product Quantization for Nearest Neighbor Search",
section 4): k-means puts the samples into cells, and each is compared with all others in the cells
whose centres are most like it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

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
from synthlab.science.neighbours import nearest, slack

EXACT = 1.3e12  # samples squared times (dimensions + OVERHEAD), up to which all are compared
OVERHEAD = 64  # what looking at a cosine costs, in dimensions
LOOK = 12_000  # others that a sample is compared with, at least
SHARE = 6.4  # or so many divided by (dimensions + OVERHEAD) of the pool: of 64, a twentieth
CELL = 512  # samples in a cell, about
ROUNDS, TRAINED_ON = 6, 40  # of k-means, by so many samples for each cell
SAMPLED = 4096  # others from which it is guessed how alike the neighbours are
WAITING = 2  # candidates put aside, in neighbours wanted, before the best are sorted out
DEEPER = 1.5  # guess the cosine of so many times as many neighbours: not all are met
RECALLED = 400  # samples whose neighbours are compared with the true ones


@dataclass(frozen=True)
class Graph:
    """The neighbours of each sample, (samples, k) int32, and which share of the k nearest they
    hold, measured on a sample of the samples; None: all, since all pairs were compared."""

    neighbours: np.ndarray
    recall: float | None


def graph(
    vectors: np.ndarray,
    k: int,
    order: np.ndarray,
    rng: np.random.Generator,
    exact: float = EXACT,
) -> Graph:
    """Who is nearest to whom among these rows of the vectors, numbered as they are in `order`.

    Exact up to 100,000 samples of 64 dimensions or 54,000 of 384, approximate above; `exact` moves
    that. A neighbour is never the sample itself, but may be its copy.
    """
    size, cost = len(order), vectors.shape[1] + OVERHEAD
    if size * size * cost <= exact or k >= size:
        return Graph(nearest(vectors[order], k), None)
    look = max(LOOK, int(size * SHARE / cost))
    found = nearby(vectors, k, order, look, rng)
    return Graph(found, recall(vectors, order, found, rng))


def nearby(
    vectors: np.ndarray, k: int, order: np.ndarray, look: int, rng: np.random.Generator
) -> np.ndarray:
    """(rows in the order, k) int32: the k most alike among about `look` others, in row order."""
    if not 0 < k < len(order) <= MOST:
        raise ValueError(f"A sample has at least one neighbour, and at most {MOST} others.")
    search = _Search(vectors, k, order, look, rng)
    in_parallel(search.find, [(start,) for start in range(0, len(order), BLOCK)])
    return search.found


def recall(
    vectors: np.ndarray, order: np.ndarray, found: np.ndarray, rng: np.random.Generator
) -> float:
    """The share of the nearest that was found, on some rows by lot; who is as alike as the k-th
    nearest, as far as float32 can tell, counts as found."""
    rows = rng.choice(len(order), min(RECALLED, len(order)), replace=False)
    mine = short_unit_rows(vectors, order[rows])
    cosines = np.empty((len(rows), len(order)), dtype=np.float32)

    def compare(start: int) -> None:
        others = short_unit_rows(vectors, order[start : start + BLOCK])
        cosines[:, start : start + BLOCK] = mine @ others.T

    in_parallel(compare, [(start,) for start in range(0, len(order), BLOCK)])
    cosines[np.arange(len(rows)), rows] = -np.inf
    place = len(order) - found.shape[1]
    shares = []
    for of_one, neighbours in zip(cosines, found[rows], strict=True):
        last = np.partition(of_one, place)[place]
        shares.append((of_one[neighbours] >= last - 2 * slack(vectors.shape[1])).mean())
    return float(np.mean(shares))


class _Cells:
    """k-means by cosine (Dhillon & Modha 2001, "Concept Decompositions for Large Sparse Text Data
    Using Clustering"); cells with few samples are given up, so that none is small."""

    def __init__(self, vectors: np.ndarray, order: np.ndarray, rng: np.random.Generator) -> None:
        amount = max(1, len(order) // CELL)
        trained_on = min(len(order), TRAINED_ON * amount)
        some = short_unit_rows(vectors, order[rng.choice(len(order), trained_on, replace=False)])
        self.centres = some[:amount]
        everything = np.arange(len(some))
        for _ in range(ROUNDS):
            self.centres = _means(some, self._nearest_to(some, everything))
        cell = self._nearest_to(vectors, order)
        least = min(CELL // 4, len(order) // 2)
        self.centres = self.centres[np.bincount(cell, minlength=len(self.centres)) >= least]
        cell = self._nearest_to(vectors, order)
        self.rows = np.argsort(cell, kind="stable").astype(np.int32)
        self.end = np.cumsum(np.bincount(cell, minlength=len(self.centres)))

    def _nearest_to(self, vectors: np.ndarray, order: np.ndarray) -> np.ndarray:
        cell = np.empty(len(order), dtype=np.int32)

        def of_block(start: int) -> None:
            rows = short_unit_rows(vectors, order[start : start + BLOCK])
            cell[start : start + BLOCK] = (rows @ self.centres.T).argmax(axis=1)

        in_parallel(of_block, [(start,) for start in range(0, len(order), BLOCK)])
        return cell


def _means(rows: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """The directions of the cells' means; a cell without samples is given up."""
    order = np.argsort(cell, kind="stable")
    start = np.unique(cell[order], return_index=True)[1]
    return unit_rows(np.add.reduceat(rows[order], start, axis=0)).astype(np.float32)


class _Search:
    """The rows, those of a cell side by side, and what is found of them, block by block."""

    def __init__(
        self,
        vectors: np.ndarray,
        k: int,
        order: np.ndarray,
        look: int,
        rng: np.random.Generator,
    ) -> None:
        self.k, self.cells = k, _Cells(vectors, order, rng)
        self.rows = short_unit_rows(vectors, order[self.cells.rows])
        amount = len(self.cells.end)
        enough = -(-(k + 1) // np.diff(self.cells.end, prepend=0).min())
        self.asked = min(amount, max(-(-look * amount // len(order)), enough))
        self.most = max(2 * look, k + 1)  # where a cell is huge, only so many of it are looked at
        self.sample = self.rows[rng.choice(len(order), min(len(order), SAMPLED), replace=False)]
        self.found = np.empty((len(order), k), dtype=np.int32)

    def find(self, start: int) -> None:
        """Find the neighbours of a block of rows; where the guess was too high, without it."""
        rows = np.arange(start, min(start + BLOCK, len(self.rows)))
        share = DEEPER * self.k / len(self.rows)
        least = guess(self.rows[rows], self.sample, share * len(self.sample))
        short = self._find(rows, least)
        if len(short):
            self._find(short, np.full(len(short), -np.inf, dtype=np.float32))

    def _find(self, rows: np.ndarray, least: np.ndarray) -> np.ndarray:
        """Write down the neighbours of these rows; gives those of which too few were met."""
        best = _Best(self.k, least)
        mine = self.rows[rows]
        for who, first, last in self._meetings(mine):
            cosines = mine[who] @ self.rows[first:last].T
            own = np.flatnonzero((rows[who] >= first) & (rows[who] < last))
            cosines[own, rows[who[own]] - first] = -np.inf
            row, column, cosine = hits(cosines, best.least[who, None])
            best.put_aside(pack(who[row], column + first, cosine))
        packed, full = best.sorted_out()
        columns = self.cells.rows[column_of(packed[np.isin(row_of(packed), full)])]
        found = np.sort(columns.reshape(-1, self.k), axis=1)
        self.found[self.cells.rows[rows[full]]] = found
        return np.delete(rows, full)

    def _meetings(self, mine: np.ndarray) -> Iterator[tuple[np.ndarray, int, int]]:
        """Which of the rows are compared with which stretch of a cell, like cells first."""
        scores = mine @ self.cells.centres.T
        place = len(self.cells.end) - self.asked
        asks = (scores >= np.partition(scores, place, axis=1)[:, [place]]).T
        met = np.zeros(len(mine), dtype=int)
        for cell in np.argsort(-scores.max(axis=0), kind="stable").tolist():
            first, end = (self.cells.end[cell - 1] if cell else 0), self.cells.end[cell]
            for at in range(first, end, 2 * CELL):
                who = np.flatnonzero(asks[cell] & (met < self.most))
                if len(who):
                    last = min(at + 2 * CELL, end)
                    met[who] += last - at
                    yield who, at, last


class _Best:
    """The most alike so far of each row of a block, and who may be among them."""

    def __init__(self, k: int, least: np.ndarray) -> None:
        self.k, self.least = k, least
        self.candidates: list[np.ndarray] = []
        self.waiting = 0

    def put_aside(self, packed: np.ndarray) -> None:
        self.candidates.append(packed)
        self.waiting += len(packed)
        if self.waiting > WAITING * self.k * len(self.least):
            self.sorted_out()

    def sorted_out(self) -> tuple[np.ndarray, np.ndarray]:
        """The best of each row, sorted, and the rows that have as many as wanted."""
        packed = np.sort(np.concatenate(self.candidates))
        end = ends(packed, len(self.least))
        full = np.flatnonzero(np.diff(end, prepend=0) >= self.k)
        worst = cosine_of(packed[end[full] - self.k])
        self.least[full] = np.nextafter(worst, np.float32(np.inf))  # later ties are left out
        packed = packed[end[row_of(packed)] - np.arange(len(packed)) <= self.k]
        self.candidates, self.waiting = [packed], len(packed)
        return packed, full
