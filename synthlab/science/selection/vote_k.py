"""vote-k: every sample votes for its nearest neighbours; the best supported are taken in turn."""

import heapq
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from synthlab.science.nearby import graph
from synthlab.science.selection.base import Drawn, Pool, affordable
from synthlab.science.selection.options import Option, option

Picks = tuple[list[int], list[float]]  # rows and the votes they had when they were taken
SMALLEST = 1e-280  # a vote may become so weak, but never nothing
TAKEN = 0
HALF = 2.0**27 + 1  # splits a float into two of 26 bits, whose products with counts are exact
NEIGHBOURS = Option(
    "Neighbours that each sample votes for", "The paper takes 150.", least=1, most=250
)
DISCOUNT = Option(
    "Discount of a vote",
    "Each sample taken makes the votes of those around it count so many times less.",
    least=1.01,
    most=13,  # to the power of 250 neighbours it is not yet beyond the range of numbers
)


class Ballot:
    """Who votes for whom, and how much each vote still counts.

    A vote loses a factor of `discount` with each sample taken that its voter voted for, and a
    sample that was taken no longer votes.
    """

    def __init__(self, graph: np.ndarray, discount: float) -> None:
        size, k = graph.shape
        if discount <= 1 or discount ** -float(k) < SMALLEST:
            raise ValueError("A discount lies above 1; with many neighbours it must be smaller.")
        votes = (np.ones(graph.size, dtype=np.int8), graph.ravel(), np.arange(size + 1) * k)
        given = sparse.csr_array(votes, shape=(size, size))
        received = given.tocsc()
        self.voters, self.ends = received.indices, received.indptr
        # TAKEN: votes no longer; 1: votes in full; 2: voted for one that was taken; and so on.
        self.level = np.ones(size, dtype=np.intp)
        weights = np.append(0, discount ** -np.arange(k + 1, dtype=float))
        upper = weights * HALF - (weights * HALF - weights)
        self.halves = list(zip(upper.tolist(), (weights - upper).tolist(), strict=True))
        self.rank = np.empty(size, dtype=int)  # by votes at first, then by row
        self.rank[np.argsort(-np.diff(self.ends), kind="stable")] = np.arange(size)

    @property
    def free(self) -> np.ndarray:
        """Which samples were not taken yet."""
        return np.asarray(self.level != TAKEN)

    def of(self, row: int) -> np.ndarray:
        voters: np.ndarray = self.voters[self.ends.item(row) : self.ends.item(row + 1)]
        return voters

    def score(self, row: int) -> float:
        """The votes that this sample has now, rounded once: the order of voters does not matter."""
        at_level = np.bincount(self.level.take(self.of(row))).tolist()
        parts = []
        for voters, (upper, lower) in zip(at_level, self.halves, strict=False):
            parts += [voters * upper, voters * lower]
        return math.fsum(parts)

    def take(self, row: int) -> None:
        voters = self.of(row)
        self.level[voters] += self.level[voters] != TAKEN
        self.level[row] = TAKEN


def greedy(ballot: Ballot, amount: int) -> Picks:
    """The best supported sample, again and again; ties go to who had more votes at first.

    Scores only fall, so that a stale one is an upper bound: the top of the queue is scored anew
    and goes back if it fell. Once no sample has a vote left, the rest is taken in row order.
    """
    rows: list[int] = []
    scores: list[float] = []
    free = ballot.free
    queue = [
        (-float(votes), int(ballot.rank[row]), row)
        for row, votes in enumerate(np.diff(ballot.ends))
        if votes and free[row]
    ]
    heapq.heapify(queue)
    while queue and len(rows) < amount:
        stale, rank, row = queue[0]
        score = ballot.score(row)
        if score < -stale:
            heapq.heapreplace(queue, (-score, rank, row))
            continue
        if score == 0:
            break
        heapq.heappop(queue)
        ballot.take(row)
        rows.append(row)
        scores.append(score)
    rest = np.flatnonzero(ballot.free)[: amount - len(rows)].tolist()
    for row in rest:
        ballot.take(row)
    return rows + rest, scores + [0.0] * len(rest)


def by_bucket(ballot: Ballot, confidence: np.ndarray, amount: int) -> Picks:
    """Of those left, from the least confident to the most: the best supported of each of `amount`
    buckets of equal size. The most confident tenth is left out where enough others remain.

    An unknown confidence counts as the lowest. Ties in confidence fall in row order, ties in votes
    to who had more at first.
    """
    left = np.flatnonzero(ballot.free)
    known = np.where(np.isnan(confidence[left]), -np.inf, confidence[left])
    left = left[np.argsort(known, kind="stable")]
    if (kept := len(left) - len(left) // 10) >= amount:
        left = left[:kept]
    rows: list[int] = []
    scores: list[float] = []
    for bucket in np.array_split(left, amount) if amount else []:
        score, _, row = max((ballot.score(row), -ballot.rank[row], row) for row in bucket.tolist())
        ballot.take(row)
        rows.append(row)
        scores.append(score)
    return rows, scores


@dataclass(frozen=True)
class _Opened:
    ballot: Ballot
    order: np.ndarray  # which row of the pool each row of the ballot is: ties fall by lot
    recall: float | None

    def drawn(self, picks: Picks) -> Drawn:
        rows, scores = picks
        return Drawn(
            self.order[np.array(rows, dtype=int)], np.array(scores, float), recall=self.recall
        )


def _opened(pool: Pool, neighbours: int, discount: float, rng: np.random.Generator) -> _Opened:
    order = rng.permutation(pool.size)
    if neighbours < 1:
        raise ValueError("Every sample votes for at least one neighbour.")
    linked = graph(pool.vectors(), neighbours, order, rng)
    return _Opened(Ballot(linked.neighbours, discount), order, linked.recall)


@dataclass(frozen=True)
class FastVoteK:
    """What it does: links every sample to its nearest neighbours and takes the samples with the
    most votes in turn; a vote for what is already well covered counts a tenth as much each time.
    Above some 100,000 samples not all pairs are compared: the round says how many of the nearest
    neighbours were found.

    Source: Su et al. (2023), "Selective Annotation Makes Language Models Better Few-Shot
    Learners", ICLR, section 2 and its variant fast vote-k. When no sample left has a vote, the
    rest is drawn by lot (the paper names no rule).
    Use when: people should label a diverse, representative set: demonstrations for a prompt, or
    the first labels to train a student on.
    Not when: wrong labels should be found: for correcting it is no better than chance. No
    probability sample either: add an audit part.
    """

    name: ClassVar[str] = "fast_vote_k"
    label: ClassVar[str] = "Fast vote-k: diverse and representative samples"
    needs: ClassVar[tuple[str, ...]] = ("features",)
    by_chance: ClassVar[bool] = False
    ranks: ClassVar[bool] = False

    neighbours: int = option(150, NEIGHBOURS)
    discount: float = option(10.0, DISCOUNT)

    def select(self, pool: Pool, k: int, rng: np.random.Generator) -> Drawn:
        k = affordable(k, pool.size)
        opened = _opened(pool, self.neighbours, self.discount, rng)
        return opened.drawn(greedy(opened.ballot, k))


@dataclass(frozen=True)
class VoteK:
    """What it does: takes a tenth as fast vote-k does, then cuts the rest by the machine's
    confidence into buckets, leaves out the most confident tenth, and takes from each bucket the
    sample with the most votes.

    Source: Su et al. (2023), "Selective Annotation Makes Language Models Better Few-Shot
    Learners", ICLR, section 2, algorithm 1; the machine's confidence stands for that of a model
    prompted with the first tenth. The first part is at least one sample.
    Use when: a diverse set should also span easy and hard: demonstrations, training a student.
    Not when: wrong labels should be found: for correcting it is no better than chance. No
    probability sample either: add an audit part.
    """

    name: ClassVar[str] = "vote_k"
    label: ClassVar[str] = "vote-k: diverse samples over all levels of confidence"
    needs: ClassVar[tuple[str, ...]] = ("features", "probabilities")
    by_chance: ClassVar[bool] = False
    ranks: ClassVar[bool] = False

    neighbours: int = option(150, NEIGHBOURS)
    discount: float = option(10.0, DISCOUNT)

    def select(self, pool: Pool, k: int, rng: np.random.Generator) -> Drawn:
        k = affordable(k, pool.size)
        confidence = pool.column("confidence")
        opened = _opened(pool, self.neighbours, self.discount, rng)
        first, scores = greedy(opened.ballot, min(max(1, k // 10), k))
        second, more = by_bucket(opened.ballot, confidence[opened.order], k - len(first))
        return opened.drawn((first + second, scores + more))
