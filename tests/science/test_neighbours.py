"""Exact neighbours: equal to sorting everything, and never all pairs in memory."""

import tracemalloc

import numpy as np
import pytest

from synthlab.science.features import unit_rows
from synthlab.science.neighbours import nearest


def by_sorting(vectors, k):
    unit = unit_rows(vectors)
    likeness = (unit @ unit.T + 2).astype(np.float32)
    np.fill_diagonal(likeness, -np.inf)
    return np.sort(np.argsort(-likeness, axis=1, kind="stable")[:, :k], axis=1)


def pool(seed, size, kind):
    rng = np.random.default_rng(seed)
    if kind == "ties":
        return rng.integers(-1, 2, size=(size, 3)).astype(float)
    vectors = rng.normal(size=(size, 5))
    if kind == "copies":
        vectors = vectors[rng.integers(0, max(size // 4, 1), size=size)]
    return vectors


@pytest.mark.parametrize("kind", ["apart", "copies", "ties"])
@pytest.mark.parametrize("size", [2, 3, 17, 60, 131])
def test_it_finds_what_sorting_everything_finds(kind, size):
    for seed in range(6):
        vectors = pool(seed, size, kind)
        for k in (1, 4, min(40, size - 1)):
            k = min(k, size - 1)
            assert nearest(vectors, k, tile=7).tolist() == by_sorting(vectors, k).tolist()


@pytest.mark.parametrize("dimensions", [2, 64, 700])
def test_it_finds_what_sorting_everything_in_float64_finds_where_a_guess_begins(dimensions):
    vectors = np.random.default_rng(dimensions).normal(size=(1500, dimensions))
    assert (nearest(vectors, 30) == by_sorting(vectors, 30)).all()


def test_what_float32_cannot_tell_apart_is_told_apart():
    rng = np.random.default_rng(0)
    vectors = np.ones((900, 8)) + 3e-4 * rng.normal(size=(900, 8))
    unit = unit_rows(vectors).astype(np.float32)
    in_float32 = np.sort(np.argsort(-(unit @ unit.T), axis=1)[:, 1:21], axis=1)
    expected = by_sorting(vectors, 20)
    assert (in_float32 != expected).any(axis=1).mean() > 0.5, "else this shows nothing"
    assert (nearest(vectors, 20) == expected).all()


def test_more_copies_than_candidates_are_kept_for_are_found_as_well():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(1200, 5))
    vectors[rng.permutation(1200)[:500]] = 1.0
    vectors[rng.permutation(1200)[:300]] = 0.0
    assert (nearest(vectors, 3, tile=64) == by_sorting(vectors, 3)).all()


def test_a_sample_is_never_its_own_neighbour_also_among_exact_copies():
    found = nearest(np.ones((40, 3)), 39)
    assert all(sorted([row, *others]) == list(range(40)) for row, others in enumerate(found))


def test_more_neighbours_than_others_are_all_others():
    assert nearest(np.eye(4), 150).shape == (4, 3)


@pytest.mark.parametrize("size", [0, 1])
def test_without_others_there_are_no_neighbours(size):
    assert nearest(np.ones((size, 3)), 5).shape == (size, 0)


def test_empty_texts_have_neighbours_too():
    found = nearest(np.zeros((5, 2), dtype=np.float32), 2)
    assert found.tolist() == [[1, 2], [0, 2], [0, 1], [0, 1], [0, 1]]


def test_fewer_than_no_neighbours_are_refused():
    with pytest.raises(ValueError, match="fewer than no neighbours"):
        nearest(np.eye(3), -1)


def test_memory_grows_with_the_samples_and_not_with_their_pairs():
    vectors = np.random.default_rng(0).normal(size=(12_000, 4))
    tracemalloc.start()
    nearest(vectors, 10, tile=256)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12_000 * 12_000 * 4 / 10, "all pairs in float32 would take ten times as much"
