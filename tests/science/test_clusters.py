"""k-means and k-medoids: one sample of each kind, whatever the pool looks like."""

from itertools import combinations

import numpy as np
import pytest

from synthlab.science.features import unit_rows
from synthlab.science.selection.base import Pool
from synthlab.science.selection.k_means import KMeansCentres
from synthlab.science.selection.k_medoids import KMedoids, medoids

BOTH = pytest.mark.parametrize("strategy", [KMeansCentres(), KMedoids()])


def select(strategy, vectors, k, seed=0):
    pool = Pool(size=len(vectors), features=np.asarray(vectors))
    return strategy.select(pool, k, np.random.default_rng(seed))


def groups(*sizes):
    rng = np.random.default_rng(0)
    centres = np.repeat(np.eye(len(sizes)), sizes, axis=0)
    return centres + rng.normal(scale=0.03, size=centres.shape)


@BOTH
def test_each_group_gives_one_sample_and_the_largest_comes_first(strategy):
    vectors = groups(50, 30, 20, 10)
    drawn = select(strategy, vectors, 4)
    assert np.digitize(drawn.rows, [50, 80, 100]).tolist() == [0, 1, 2, 3]
    assert drawn.scores == pytest.approx([50 / 110, 30 / 110, 20 / 110, 10 / 110])


@BOTH
def test_the_sample_taken_is_the_most_central(strategy):
    vectors = groups(40)[:, [0, 0]] + np.random.default_rng(1).normal(scale=0.1, size=(40, 2))
    row = select(strategy, vectors, 1).rows[0]
    if isinstance(strategy, KMeansCentres):
        away = np.linalg.norm(vectors - vectors.mean(axis=0), axis=1)
    else:
        unit = unit_rows(vectors)
        away = -(unit @ unit.T).sum(axis=1)
    assert row == away.argmin()


def test_medoids_are_the_best_of_all_choices_where_all_can_be_tried():
    found = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        unit, counts = unit_rows(rng.normal(size=(12, 3))), rng.integers(1, 4, size=12)
        cosines = unit @ unit.T

        def worth(chosen, cosines=cosines, counts=counts):
            return counts @ cosines[:, list(chosen)].max(axis=1)

        best = max(worth(chosen) for chosen in combinations(range(12), 3))
        tries = [medoids(unit, counts, 3, np.random.default_rng(s))[0] for s in range(10)]
        found.append(max(map(worth, tries)) / best)
        assert min(map(worth, tries)) > 0.7 * best
    assert np.mean(np.isclose(found, 1)) > 0.9, "one of ten starts reaches the best"


@BOTH
@pytest.mark.parametrize("k", [0, 1, 3, 8, 99])
def test_copies_and_empty_texts_leave_the_rest_to_the_lot(strategy, k):
    for vectors in (
        np.ones((8, 3)),
        np.zeros((8, 3)),
        np.repeat(np.eye(4), 2, axis=0),
        np.eye(8) * 1e-12,
        np.ones((1, 2)),
        np.zeros((0, 2)),
    ):
        drawn = select(strategy, vectors, k)
        assert len(set(drawn.rows)) == min(k, len(vectors))
        assert np.isfinite(drawn.scores).all()


@BOTH
def test_each_of_several_copies_comes_equally_often(strategy):
    vectors = np.repeat(np.eye(2), 10, axis=0)
    hits = np.zeros(20)
    for seed in range(400):
        rows = select(strategy, vectors, 2, seed).rows
        assert set(rows // 10) == {0, 1}
        hits[rows] += 1
    assert hits / 400 == pytest.approx(np.full(20, 0.1), abs=0.07)


@BOTH
def test_features_that_are_missing_are_named(strategy):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="No features are known"):
        strategy.select(Pool(size=3), 1, rng)
    with pytest.raises(ValueError, match="missing or infinite"):
        strategy.select(Pool(size=2, features=np.array([[1.0], [np.nan]])), 1, rng)
    with pytest.raises(ValueError, match="one row for each sample"):
        strategy.select(Pool(size=3, features=np.eye(2)), 1, rng)
