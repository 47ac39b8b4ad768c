"""Cutting samples into strata."""

import itertools

import numpy as np
import pytest

from synthlab.science.selection.strata import OTHER, merged, quantile_bands


def test_bands_hold_about_as_many_samples_each():
    codes, ends = quantile_bands(np.random.default_rng(0).permutation(100), 4)
    assert np.bincount(codes).tolist() == [25, 25, 25, 25]
    assert ends == [(0, 24), (25, 49), (50, 74), (75, 99)]


def test_equal_values_share_a_band_and_no_band_is_empty():
    values = np.array([5] * 90 + list(range(10, 20)))
    codes, ends = quantile_bands(values, 4)
    assert len(set(codes[:90])) == 1
    assert (np.bincount(codes) > 0).all()
    assert len(ends) == 2
    assert quantile_bands(np.full(7, 3.0), 5)[1] == [(3, 3)]


@pytest.mark.parametrize("seed", range(30))
def test_bands_follow_one_another_and_cover_all(seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, rng.integers(2, 50), size=rng.integers(1, 80)).astype(float)
    codes, ends = quantile_bands(values, int(rng.integers(1, 20)))
    assert set(codes) == set(range(len(ends)))
    for code, (low, high) in enumerate(ends):
        assert (values[codes == code] >= low).all()
        assert (values[codes == code] <= high).all()
    assert all(a[1] < b[0] for a, b in itertools.pairwise(ends))


def test_no_values_make_no_band():
    codes, ends = quantile_bands(np.array([]), 4)
    assert (len(codes), ends) == (0, [])


def test_rare_words_are_merged_and_counted():
    codes, names, rare = merged(["b", "a", "a", "c", "b", "a", "d"], 3)
    assert (names, rare) == (["a", "b", OTHER], 2)
    assert codes.tolist() == [1, 0, 0, 2, 1, 0, 2]


def test_few_words_are_all_kept():
    codes, names, rare = merged(["x", "", "x"], 2)
    assert (codes.tolist(), names, rare) == ([0, 1, 0], ["x", ""], 0)
    assert merged([], 3)[1:] == ([], 0)
    assert merged(["x", "y"], 1)[1:] == ([OTHER], 2)
