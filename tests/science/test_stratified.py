"""Every stratum with its share, every sample with a known chance."""

import numpy as np
import pytest

from synthlab.science.selection.base import Pool
from synthlab.science.selection.stratified import Stratified, allocation


def select(strata, k, seed=0):
    pool = Pool(size=len(strata), strata=np.asarray(strata))
    return Stratified().select(pool, k, np.random.default_rng(seed))


def test_shares_are_proportional_with_at_least_one_for_each():
    assert allocation(np.array([70, 20, 10]), 10).tolist() == [7, 2, 1]
    assert allocation(np.array([970, 20, 5, 5]), 10).tolist() == [7, 1, 1, 1]
    assert allocation(np.array([3, 3, 3]), 4).tolist() == [2, 1, 1]
    assert allocation(np.array([1, 1, 98]), 99).tolist() == [1, 1, 97]


@pytest.mark.parametrize("seed", range(40))
def test_any_budget_is_spent_in_full_and_no_stratum_beyond_its_size(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 30, size=rng.integers(1, 12))
    for k in range(len(sizes), sizes.sum() + 1):
        drawn = allocation(sizes, k)
        assert drawn.sum() == k
        assert ((drawn >= 1) & (drawn <= sizes)).all()


def test_the_stated_chance_is_the_share_drawn_of_the_stratum():
    strata = np.array(["a"] * 60 + ["b"] * 30 + ["c"] * 2)
    drawn = select(strata, 20)
    for stratum in "abc":
        mine = strata[drawn.rows] == stratum
        assert mine.sum() >= 1
        assert drawn.inclusion[mine] == pytest.approx(mine.sum() / (strata == stratum).sum())


@pytest.mark.parametrize("k", [2, 9])
def test_every_sample_is_drawn_as_often_as_stated(k):
    # 2: fewer than strata, so that the lot decides among strata too.
    strata = np.array([0] * 12 + [1] * 6 + [2] * 2 + [3])
    hits, stated = np.zeros(21), np.full(21, np.nan)
    for seed in range(6000):
        drawn = select(strata, k, seed)
        assert len(set(drawn.rows)) == k
        hits[drawn.rows] += 1
        stated[drawn.rows] = drawn.inclusion
    error = np.sqrt(stated * (1 - stated) / 6000)
    assert (np.abs(hits / 6000 - stated) <= 4.5 * error + 1e-12).all()


def test_strata_of_any_kind_are_told_apart():
    mixed = np.array(["a", None, 3, float("nan"), float("nan"), "3"], dtype=object)
    assert sorted(select(mixed, 5).rows[:5] != 9) == [True] * 5
    chances = dict(zip((drawn := select(mixed, 5)).rows, drawn.inclusion, strict=True))
    assert sorted(chances.values()) == [0.5, 1, 1, 1, 1]


def test_without_strata_it_says_what_is_missing():
    with pytest.raises(ValueError, match="No strata are known"):
        Stratified().select(Pool(size=3), 1, np.random.default_rng(0))
    with pytest.raises(ValueError, match="one value for each sample"):
        Stratified().select(Pool(size=3, strata=np.zeros(2)), 1, np.random.default_rng(0))


@pytest.mark.parametrize("k", [0, 1, 5, 99])
def test_any_pool_gives_what_it_can(k):
    for strata in ([], [1], [1] * 7, list(range(7))):
        drawn = select(strata, k)
        assert len(set(drawn.rows)) == min(k, len(strata))
        assert ((drawn.inclusion > 0) & (drawn.inclusion <= 1)).all()
