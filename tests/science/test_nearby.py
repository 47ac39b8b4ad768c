"""Approximate neighbours: real ones, most of the nearest, and honest about how many."""

import numpy as np
import pytest

from synthlab.science.nearby import graph, nearby, recall
from synthlab.science.neighbours import nearest

SIZE, K = 6000, 20


def clusters(seed=0, size=SIZE):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(30, 12))
    return (centres[rng.integers(0, 30, size)] + rng.normal(size=(size, 12))).astype(np.float32)


def found(vectors, look, seed=0, k=K):
    return nearby(vectors, k, np.arange(len(vectors)), look, np.random.default_rng(seed))


def share(of, exact):
    return np.mean([len(np.intersect1d(*both)) for both in zip(of, exact, strict=True)]) / K


def test_neighbours_are_different_others():
    neighbours = found(clusters(), 1500)
    assert (np.diff(neighbours, axis=1) > 0).all()
    assert (neighbours != np.arange(SIZE)[:, None]).all()
    assert neighbours.min() >= 0
    assert neighbours.max() < SIZE


def test_who_looks_further_finds_more_and_who_looks_at_all_finds_all():
    vectors = clusters()
    exact = nearest(vectors, K)
    near, further, everywhere = (share(found(vectors, n), exact) for n in (700, 2500, SIZE))
    assert 0.3 < near < further < everywhere
    assert further > 0.9
    assert everywhere > 0.9999


def test_the_stated_recall_is_the_share_that_was_found():
    vectors = clusters()
    neighbours = found(vectors, 700)
    stated = recall(vectors, np.arange(SIZE), neighbours, np.random.default_rng(1))
    assert stated == pytest.approx(share(neighbours, nearest(vectors, K)), abs=0.03)
    assert recall(vectors, np.arange(SIZE), nearest(vectors, K), np.random.default_rng(1)) == 1


def test_rows_are_numbered_as_they_are_in_the_order():
    vectors, order = clusters(), np.random.default_rng(3).permutation(SIZE)[:4000]
    neighbours = nearby(vectors, K, order, 4000, np.random.default_rng(0))
    assert share(neighbours, nearest(vectors[order], K)) > 0.9999


def test_the_seed_decides():
    vectors = clusters()
    assert (found(vectors, 700, seed=5) == found(vectors, 700, seed=5)).all()
    assert (found(vectors, 700, seed=5) != found(vectors, 700, seed=6)).any()


@pytest.mark.parametrize("copies", [SIZE, SIZE // 2])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_crowd_of_copies_has_copies_as_neighbours(value, copies):
    vectors = clusters()
    vectors[:copies] = value
    neighbours = found(vectors, 1200)
    assert (np.diff(neighbours, axis=1) > 0).all()
    if value:
        assert (neighbours[:copies] < copies).all()


def test_many_neighbours_are_found_in_small_cells_too():
    assert found(clusters(), 100, k=900).shape == (SIZE, 900)


def test_a_graph_is_exact_up_to_a_size_and_says_so():
    vectors, order = clusters(size=2500), np.arange(2500)
    every = graph(vectors, K, order, np.random.default_rng(0))
    most = graph(vectors, K, order, np.random.default_rng(0), exact=0)
    assert every.recall is None
    assert (every.neighbours == nearest(vectors, K)).all()
    assert 0.9 < most.recall <= 1


def test_no_others_are_no_approximate_neighbours():
    with pytest.raises(ValueError, match="at least one neighbour"):
        found(clusters(size=3), 10, k=3)
    assert graph(np.ones((3, 2)), 5, np.arange(3), np.random.default_rng(0), exact=0).recall is None
