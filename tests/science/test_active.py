"""Weighted by uncertainty: the stated chance is the chance."""

import numpy as np
import pytest

from synthlab.science.estimation import Design, hajek_proportion
from synthlab.science.selection.active import UncertaintyWeighted
from synthlab.science.selection.base import Pool
from synthlab.science.selection.chances import by_lot, proportional

RUNS = 4000


def select(pool, k, seed=0, **options):
    return UncertaintyWeighted(**options).select(pool, k, np.random.default_rng(seed))


@pytest.mark.parametrize(
    "confidence",
    [
        np.linspace(0.2, 0.999, 30),
        np.r_[np.full(3, 0.0), np.full(27, 0.99)],  # three are sure to come
        np.r_[np.full(10, np.nan), np.full(20, 0.9)],
        np.full(30, 1.0),
    ],
    ids=["spread", "some sure", "some unknown", "all certain"],
)
def test_every_sample_is_drawn_exactly_as_often_as_stated(confidence):
    pool = Pool(size=30, confidence=confidence)
    wanted = UncertaintyWeighted(uniform=0.1).chances(np.nan_to_num(1 - confidence, nan=1.0), 8)
    assert wanted.sum() == pytest.approx(8)
    hits = np.zeros(30)
    for seed in range(RUNS):
        drawn = select(pool, 8, seed, uniform=0.1)
        assert len(set(drawn.rows)) == 8
        assert drawn.inclusion == pytest.approx(wanted[drawn.rows])
        hits[drawn.rows] += 1
    error = np.sqrt(wanted * (1 - wanted) / RUNS)
    assert (np.abs(hits / RUNS - wanted) <= 4.5 * error + 1e-9).all()


def test_chances_follow_the_rule_of_active_inference():
    expected = np.array([0.1, 0.2, 0.3, 0.4] * 25)
    chances = UncertaintyWeighted(uniform=0.2).chances(expected, 10)
    assert chances == pytest.approx(0.8 * 10 * expected / 25 + 0.2 * 10 / 100)


def test_nobody_is_nearly_out_of_reach():
    expected = np.r_[np.zeros(990), np.ones(10)]
    assert UncertaintyWeighted(uniform=0.1).chances(expected, 50).min() >= 0.1 * 50 / 1000


def test_predicted_errors_take_the_place_of_confidence():
    pool = Pool(size=4, confidence=np.full(4, 0.5), error=np.array([0.9, 0.1, 0.1, np.nan]))
    drawn = select(pool, 4)
    assert drawn.scores[np.argsort(drawn.rows)].tolist() == [0.9, 0.1, 0.1, 1]


def test_the_whole_set_is_measured_without_bias_though_errors_are_sought():
    rng = np.random.default_rng(1)
    confidence = rng.beta(8, 2, size=2000)
    right = (rng.random(2000) < confidence).astype(float)
    pool = Pool(size=2000, confidence=confidence)
    shares, found, naive = [], [], []
    for seed in range(300):
        drawn = select(pool, 200, seed)
        figure = hajek_proportion(right[drawn.rows], Design(drawn.inclusion, 2000))
        low, high = figure.interval
        shares.append(figure.value)
        found.append(low <= right.mean() <= high)
        naive.append(right[drawn.rows].mean())
    assert np.mean(shares) == pytest.approx(right.mean(), abs=0.008)
    assert np.mean(found) >= 0.92
    assert np.mean(naive) < right.mean() - 0.05, "errors are found more often than they occur"


def test_pairs_of_equal_chance_come_together_equally_often():
    chances = np.full(6, 0.5)
    together = np.zeros((6, 6))
    for seed in range(RUNS):
        rows = by_lot(chances, np.random.default_rng(seed))
        together[np.ix_(rows, rows)] += 1
    pairs = together[np.triu_indices(6, 1)] / RUNS
    assert pairs == pytest.approx(np.full(15, 0.2), abs=0.03)  # 3 of 6: 3 * 2 / (6 * 5)


@pytest.mark.parametrize("k", [1, 3, 7, 10])
def test_proportional_chances_sum_to_the_draw_and_keep_their_ratios(k):
    sizes = np.array([100, 50, 3, 2, 1, 1, 1, 1, 1, 1.0])
    chances = proportional(sizes, k)
    assert chances.sum() == pytest.approx(k)
    assert (chances <= 1).all()
    below = chances < 1
    if below.any():
        assert np.ptp(chances[below] / sizes[below]) < 1e-9


def test_chances_that_sum_to_no_whole_number_are_refused():
    with pytest.raises(ValueError, match="whole number"):
        by_lot(np.array([0.5, 0.7]), np.random.default_rng(0))


def test_a_million_samples_are_drawn_in_seconds_and_in_the_right_number():
    confidence = np.random.default_rng(0).random(1_000_000)
    drawn = select(Pool(size=1_000_000, confidence=confidence), 5000)
    assert len(set(drawn.rows)) == 5000


@pytest.mark.parametrize("uniform", [0, 0.09, 1.1])
def test_too_small_a_uniform_share_is_refused(uniform):
    with pytest.raises(ValueError, match="uniform share"):
        select(Pool(size=3, confidence=np.full(3, 0.5)), 1, uniform=uniform)


def test_what_is_no_probability_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        select(Pool(size=2, confidence=np.array([0.5, 1.7])), 1)
    with pytest.raises(ValueError, match="sum to one"):
        select(Pool(size=2, probabilities=np.array([[0.5, 0.1], [0.5, 0.5]])), 1)


@pytest.mark.parametrize("k", [0, 1, 5, 99])
def test_any_pool_gives_what_it_can(k):
    for confidence in ([], [0.5], [np.nan] * 4, [1.0] * 4, [0.0, 1.0, 1.0]):
        drawn = select(Pool(size=len(confidence), confidence=np.array(confidence)), k)
        assert len(set(drawn.rows)) == min(k, len(confidence))
        assert np.isfinite(drawn.scores).all()
        assert ((drawn.inclusion > 0) & (drawn.inclusion <= 1)).all()
