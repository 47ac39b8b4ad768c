"""vote-k takes what a slow reading of the paper takes, ties and exact copies included."""

import math

import numpy as np
import pytest

from synthlab.science.neighbours import nearest
from synthlab.science.selection.base import Pool
from synthlab.science.selection.vote_k import Ballot, FastVoteK, VoteK, by_bucket, greedy


class Slowly:
    """The paper's rule word for word: every score from scratch, every time."""

    def __init__(self, graph, discount=10.0):
        self.votes = [set(row) for row in graph.tolist()]
        self.discount, self.taken = discount, []
        self.at_first = [self.score(u) for u in range(len(graph))]

    def score(self, u):
        voters = [v for v, for_whom in enumerate(self.votes) if u in for_whom]
        return math.fsum(
            self.discount ** -float(len(self.votes[v] & set(self.taken)))
            for v in voters
            if v not in self.taken
        )

    def take_best(self, among):
        best = max(among, key=lambda u: (self.score(u), self.at_first[u], -u))
        score = self.score(best)
        self.taken.append(best)
        return best, score

    def greedy(self, amount):
        picks = []
        while len(picks) < amount:
            left = [u for u in range(len(self.votes)) if u not in self.taken]
            if max(map(self.score, left)) == 0:
                return picks + [(u, 0.0) for u in left[: amount - len(picks)]]
            picks.append(self.take_best(left))
        return picks

    def by_bucket(self, confidence, amount):
        left = [u for u in range(len(self.votes)) if u not in self.taken]
        left.sort(key=lambda u: confidence[u])
        kept = len(left) - len(left) // 10
        left = left[:kept] if kept >= amount else left
        size, larger = divmod(len(left), amount)
        ends = np.cumsum([size + 1] * larger + [size] * (amount - larger))
        return [self.take_best(left[end - size - (i < larger) : end]) for i, end in enumerate(ends)]


def small_pool(seed):
    """Some apart, some on a grid (many ties), some with exact copies."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 45))
    if seed % 3 == 0:
        return rng.integers(-1, 2, size=(size, 3)).astype(float)
    vectors = rng.normal(size=(size, 4))
    return vectors if seed % 3 == 1 else vectors[rng.integers(0, size // 3 + 1, size=size)]


@pytest.mark.parametrize("seed", range(120))
def test_the_greedy_takes_what_the_slow_rule_takes(seed):
    vectors = small_pool(seed)
    graph = nearest(vectors, 1 + seed % 9)
    expected = Slowly(graph).greedy(len(vectors))
    for amount in (1, len(vectors) // 2, len(vectors)):
        rows, scores = greedy(Ballot(graph, 10.0), amount)
        assert list(zip(rows, scores, strict=True)) == expected[:amount]


@pytest.mark.parametrize("seed", range(60))
def test_the_buckets_give_what_the_slow_rule_gives(seed):
    vectors = small_pool(seed)
    graph = nearest(vectors, 1 + seed % 5)
    confidence = np.random.default_rng(seed).integers(0, 6, size=len(vectors)) / 6
    first = 1 + seed % 3 if len(vectors) > 8 else 1
    for amount in {1, (len(vectors) - first) // 3 or 1, len(vectors) - first}:
        slow, ballot = Slowly(graph), Ballot(graph, 10.0)
        assert greedy(ballot, first)[0] == [row for row, _ in slow.greedy(first)]
        expected = slow.by_bucket(confidence, amount)
        picks = by_bucket(ballot, confidence, amount)
        assert list(zip(*picks, strict=True)) == expected


def select(strategy, pool, k, seed=0):
    return strategy.select(pool, k, np.random.default_rng(seed))


@pytest.mark.parametrize("strategy", [FastVoteK(), VoteK()])
def test_no_sample_is_taken_twice_at_any_budget(strategy):
    # The published code fails this: 57 different samples of 60.
    vectors = np.random.default_rng(5).normal(size=(80, 6))
    pool = Pool(size=80, features=vectors, confidence=np.linspace(0.2, 1, 80))
    for k in (1, 9, 60, 72, 73, 79, 80, 500):
        rows = select(strategy, pool, k).rows
        assert len(set(rows)) == len(rows) == min(k, 80)


def test_one_sample_is_taken_from_each_group_before_a_second_from_any():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.eye(6), 20, axis=0) + rng.normal(scale=0.02, size=(120, 6))
    drawn = select(FastVoteK(neighbours=15), Pool(size=120, features=groups), 6)
    assert sorted(drawn.rows // 20) == [0, 1, 2, 3, 4, 5]
    assert (np.diff(drawn.scores) <= 0).all()


def test_votes_that_run_out_leave_the_rest_to_the_lot():
    # All vote for the same two; the one taken second has no voter left who counts.
    star = np.vstack([np.eye(30), np.full((1, 30), 1 / np.sqrt(30))])
    pool = Pool(size=31, features=star)
    draws = [select(FastVoteK(neighbours=1), pool, 12, seed) for seed in range(5)]
    assert all(drawn.rows[0] == 30 for drawn in draws)
    assert all((drawn.scores[2:] == 0).all() for drawn in draws)
    assert len({tuple(sorted(drawn.rows)) for drawn in draws}) == 5


def test_vote_k_leaves_out_the_most_confident_tenth_where_enough_remain():
    vectors = np.random.default_rng(3).normal(size=(200, 5))
    confidence = np.random.default_rng(4).permutation(200) / 200
    pool = Pool(size=200, features=vectors, confidence=confidence)
    drawn = select(VoteK(neighbours=10), pool, 40)
    later = confidence[drawn.rows[4:]]
    assert later.max() < 0.92
    assert (np.diff(later.reshape(6, 6).mean(axis=1)) > 0).all(), "from least to most confident"
    assert len(set((later * 0.999 * 36 / 0.92).astype(int))) > 25, "spread over all buckets"


def test_an_unknown_confidence_comes_before_all_known_ones():
    confidence = np.full(40, 0.9)
    confidence[[7, 11, 30]] = np.nan
    ballot = Ballot(nearest(np.random.default_rng(0).normal(size=(40, 3)), 5), 10.0)
    rows, scores = by_bucket(ballot, confidence, 12)
    assert rows[0] in {7, 11, 30}
    assert np.isfinite(scores).all()


def test_many_neighbours_and_a_strong_discount_are_refused_before_votes_vanish():
    with pytest.raises(ValueError, match="discount"):
        Ballot(nearest(np.random.default_rng(0).normal(size=(400, 3)), 399), 10.0)
    with pytest.raises(ValueError, match="discount"):
        Ballot(nearest(np.eye(3), 1), 1.0)


def test_no_neighbour_is_refused():
    with pytest.raises(ValueError, match="at least one neighbour"):
        select(FastVoteK(neighbours=0), Pool(size=3, features=np.eye(3)), 1)


@pytest.mark.parametrize("size", [0, 1, 2])
@pytest.mark.parametrize("strategy", [FastVoteK(), VoteK()])
def test_tiny_pools_are_drawn_whole(strategy, size):
    pool = Pool(size=size, features=np.ones((size, 3)), confidence=np.full(size, np.nan))
    assert sorted(select(strategy, pool, 5).rows) == list(range(size))
