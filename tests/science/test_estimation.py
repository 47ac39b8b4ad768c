"""Shares of a whole set from answers to a draw."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from synthlab.science.estimation import (
    Design,
    covered,
    effective_size,
    hajek_proportion,
    naive_proportion,
    stratified_proportion,
    union_inclusion,
    variance_of_mean,
)
from synthlab.science.figures import EMPTY_STRATUM, NO_ANSWERS, NO_DRAW
from synthlab.science.intervals import clopper_pearson_interval, hypergeometric_interval
from synthlab.science.selection import STRATEGIES
from synthlab.science.selection.base import Pool
from synthlab.science.selection.mixture import draw


def uniform_design(n, frame):
    return Design(np.full(n, n / frame), frame)


def answers(right, wrong):
    return np.repeat([1.0, 0.0], [right, wrong])


@pytest.mark.parametrize(("right", "wrong"), [(0, 7), (7, 0), (30, 3), (200, 41)])
def test_the_naive_interval_is_wilsons(right, wrong):
    figure = naive_proportion(answers(right, wrong))
    expected = proportion_confint(right, right + wrong, method="wilson")
    assert figure.interval == pytest.approx(expected, abs=1e-12)
    assert figure.value == pytest.approx(right / (right + wrong))


@pytest.mark.parametrize(("x", "n"), [(0, 12), (12, 12), (3, 40), (88, 90)])
def test_clopper_pearson_agrees_with_statsmodels(x, n):
    expected = proportion_confint(x, n, method="beta")
    assert clopper_pearson_interval(x, n) == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_the_hypergeometric_interval_inverts_the_exact_test(data):
    frame = data.draw(st.integers(2, 60))
    n = data.draw(st.integers(1, frame))
    x = data.draw(st.integers(0, n))
    low, high = hypergeometric_interval(x, n, frame)
    counts = np.arange(x, frame - n + x + 1)
    likely = (stats.hypergeom.sf(x - 1, frame, counts, n) > 0.025) & (
        stats.hypergeom.cdf(x, frame, counts, n) > 0.025
    )
    assert (low * frame, high * frame) == pytest.approx(
        (counts[likely].min(), counts[likely].max())
    )


def test_in_an_endless_frame_the_interval_of_a_uniform_draw_is_clopper_pearsons():
    figure = hajek_proportion(answers(88, 12), uniform_design(100, 10_000_000))
    assert figure.interval == pytest.approx(clopper_pearson_interval(88, 100), abs=1e-4)


def test_the_interval_shrinks_as_the_audit_eats_up_the_frame():
    widths = []
    for frame in (100_000, 1000, 150, 105, 100):
        low, high = hajek_proportion(answers(88, 12), uniform_design(100, frame)).interval
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == 0


def test_a_census_with_unanswered_samples_is_no_census():
    half = np.where(np.arange(100) < 50, 1.0, np.nan)
    figure = hajek_proportion(half, Design(np.ones(100), 100))
    assert figure.n == 50
    assert figure.interval[0] < 0.96


def test_answers_that_were_not_drawn_by_chance_do_not_measure():
    y = np.array([0.0] * 50 + [1.0] * 20 + [0.0] * 5)
    design = Design(np.array([np.nan] * 50 + [25 / 500] * 25), 500)
    figure = hajek_proportion(y, design)
    assert figure.value == pytest.approx(0.8)
    assert figure.n == 25


def test_without_a_draw_by_chance_it_says_so():
    figure = hajek_proportion(np.ones(3), Design(np.full(3, np.nan), 10))
    assert (figure.value, figure.interval, figure.reason) == (None, None, NO_DRAW)
    nobody = hajek_proportion(np.full(3, np.nan), Design(np.full(3, 0.3), 10))
    assert (nobody.value, nobody.reason) == (None, NO_ANSWERS)
    assert naive_proportion(np.array([])).reason == NO_ANSWERS


def test_unequal_chances_are_weighed_and_hajek_knows_it():
    # By hand: weights 2, 2, 10; (2 + 0 + 10) / 14.
    figure = hajek_proportion(np.array([1.0, 0.0, 1.0]), Design(np.array([0.5, 0.5, 0.1])))
    assert figure.value == pytest.approx(12 / 14)
    assert figure.method == "korn_graubard"


def test_korn_graubard_follows_its_formula():
    rng = np.random.default_rng(5)
    pi = rng.uniform(0.02, 0.5, 80)
    y = (rng.random(80) < 0.7).astype(float)
    figure = hajek_proportion(y, Design(pi))
    p = (y / pi).sum() / (1 / pi).sum()
    variance = ((1 - pi) * ((y - p) / pi) ** 2).sum() / (1 / pi).sum() ** 2
    n_eff = min(80, p * (1 - p) / variance) * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 79)) ** 2
    assert figure.n_eff == pytest.approx(n_eff)
    assert figure.interval == pytest.approx(clopper_pearson_interval(n_eff * p, n_eff))


def test_a_lucky_variance_counts_for_no_more_than_the_answers_there_are():
    pi = np.concatenate([np.full(40, 0.9), np.full(10, 0.5)])
    y = np.concatenate([answers(20, 20), np.ones(10)])
    figure = hajek_proportion(y, Design(pi))
    assert 40 < figure.n_eff <= 50


def test_copies_of_one_text_count_as_one_answer():
    rng = np.random.default_rng(3)
    pi = rng.uniform(0.01, 0.2, 60)
    y = (rng.random(60) < 0.8).astype(float)
    once = hajek_proportion(y, Design(pi, 5000))
    texts = np.arange(60).repeat(3)
    copied = hajek_proportion(y.repeat(3), Design(pi.repeat(3), 5000, clusters=texts))
    assert copied.value == pytest.approx(once.value)
    assert np.ptp(copied.interval) == pytest.approx(np.ptp(once.interval), rel=0.03)
    assert np.ptp(hajek_proportion(y.repeat(3), Design(pi.repeat(3), 5000)).interval) < 0.75 * (
        np.ptp(once.interval)
    )


def test_copies_widen_an_even_draw_too_also_where_all_are_alike():
    texts = np.arange(50).repeat(2)
    clustered = Design(np.full(100, 0.01), 10_000, clusters=texts)
    for right in (100, 80):
        y = answers(right, 100 - right)
        figure = hajek_proportion(y, clustered)
        alone = hajek_proportion(y, uniform_design(100, 10_000))
        assert figure.n_eff <= 50
        assert np.ptp(figure.interval) > 1.2 * np.ptp(alone.interval)
    distinct = Design(np.full(100, 0.01), 10_000, clusters=np.arange(100))
    assert hajek_proportion(y, distinct) == alone


def test_the_stratified_estimate_follows_its_formula():
    # Cochran (1977), section 5.3 to 5.6: sum W_h mean_h; sum W_h^2 s_h^2 / n_h (1 - n_h / N_h).
    rng = np.random.default_rng(8)
    sizes = {0: 500, 1: 300, 2: 200}
    strata = np.repeat([0, 1, 2], [40, 30, 50])
    y = (rng.random(120) < np.array([0.9, 0.7, 0.5])[strata]).astype(float)
    share, variance = 0.0, 0.0
    for name, size in sizes.items():
        mine = y[strata == name]
        share += size / 1000 * mine.mean()
        variance += (size / 1000) ** 2 * mine.var(ddof=1) / len(mine) * (1 - len(mine) / size)
    figure = stratified_proportion(y, strata, sizes)
    assert figure.value == pytest.approx(share)
    pi = np.array([40 / 500, 30 / 300, 50 / 200])[strata]
    assert variance_of_mean(y, Design(pi, 1000, strata)) == pytest.approx(variance)
    n_eff = min(120, share * (1 - share) / variance)
    n_eff *= (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 119)) ** 2
    assert figure.interval == pytest.approx(clopper_pearson_interval(n_eff * share, n_eff))
    assert (figure.method, figure.n) == ("stratified", 120)


def test_a_stratum_without_an_answer_leaves_the_whole_unknown():
    figure = stratified_proportion(answers(5, 5), np.repeat([0, 1], 5), {0: 40, 1: 40, 2: 20})
    assert (figure.value, figure.reason) == (None, EMPTY_STRATUM)
    nobody = stratified_proportion(np.full(3, np.nan), np.zeros(3, int), {0: 40})
    assert (nobody.value, nobody.reason) == (None, NO_ANSWERS)


def test_a_stratum_of_one_answer_keeps_its_doubt():
    strata = np.array([0] * 20 + [1])
    figure = stratified_proportion(np.array([1.0] * 20 + [0.0]), strata, {0: 500, 1: 500})
    assert figure.value == pytest.approx(0.5)
    assert figure.interval[0] < 0.1
    assert figure.interval[1] > 0.9


def test_where_all_answers_are_alike_kish_takes_the_place_of_the_variance():
    pi = np.array([0.5] * 10 + [0.05] * 10)
    low, high = hajek_proportion(np.ones(20), Design(pi)).interval
    kish = effective_size(1 / pi)
    assert high == 1
    assert low == pytest.approx(clopper_pearson_interval(kish, kish)[0], abs=0.06)
    assert low < 0.80


def test_kish_counts_even_weights_in_full():
    assert effective_size(np.full(30, 4.0)) == pytest.approx(30)
    assert effective_size(np.array([1.0, 0.0])) == 1
    assert effective_size(np.zeros(3)) == 0
    assert effective_size(np.array([3.0, 1.0])) == pytest.approx(16 / 10)


def test_overlapping_rounds_are_joined_by_the_chance_of_being_in_any():
    rounds = np.array([[0.1, 0.1, np.nan, np.nan, 0.0], [0.2, np.nan, 0.3, np.nan, 0.0]])
    joined = union_inclusion(rounds)
    assert joined[:3] == pytest.approx([0.28, 0.1, 0.3])
    assert np.isnan(joined[3:]).all()


def test_the_union_of_two_uniform_rounds_estimates_without_bias():
    rng = np.random.default_rng(11)
    truth = (np.arange(400) < 240).astype(float)
    values = []
    for _ in range(300):
        chances = np.zeros((2, 400))
        chances[0, :300] = 60 / 300  # the first round knew only the first 300 samples
        chances[1] = 40 / 400
        drawn = np.union1d(rng.choice(300, 60, replace=False), rng.choice(400, 40, replace=False))
        design = Design(union_inclusion(chances)[drawn], 400)
        values.append(hajek_proportion(truth[drawn], design).value)
    assert np.mean(values) == pytest.approx(0.6, abs=0.012)  # over 4 standard errors


def test_the_share_of_the_frame_that_an_estimate_speaks_for():
    part = covered(np.array([0.1, 0.0, np.nan, 0.1]))
    assert (part.samples, part.size, part.share) == (2, 4, 0.5)
    assert covered(np.array([])).share is None


def test_an_impossible_chance_is_refused():
    for wrong in (0.0, 1.2, -0.1):
        with pytest.raises(ValueError, match="inclusion probability"):
            Design(np.array([0.5, wrong]))


def population(rng, size=2000):
    """An overconfident model, about 0.88 right at a mean stated confidence of about 0.95."""
    confidence = 1 - rng.beta(0.6, 11, size)
    right = rng.random(size) < np.clip(1 - 2.3 * (1 - confidence), 0.02, 1)
    return confidence, right.astype(float)


def covers(figure, truth):
    return figure.interval[0] <= truth <= figure.interval[1]


def test_the_corrected_interval_covers_and_the_naive_one_does_not():
    """The demonstration of how a draw of the least confident misleads, in 200 populations."""
    rng = np.random.default_rng(2026)
    n, hits = 250, {"hajek": 0, "naive": 0, "mixture": 0}
    for _ in range(200):
        confidence, right = population(rng)
        truth = right.mean()
        doubt = 1 - confidence
        # Active inference (Zrnic & Candes 2024): mixed with 30 % uniform, drawn independently.
        pi = np.minimum(0.7 * n * doubt / doubt.sum() + 0.3 * n / len(right), 1)
        drawn = rng.random(len(right)) < pi
        hits["hajek"] += covers(hajek_proportion(right[drawn], Design(pi[drawn])), truth)
        least = np.argsort(confidence)[:n]
        hits["naive"] += covers(naive_proportion(right[least]), truth)
        pool = Pool(size=len(right), confidence=confidence)
        mixed = draw(pool, STRATEGIES["least_confidence"](), n - 80, 80, rng)
        figure = hajek_proportion(right[mixed.rows], Design(mixed.inclusion, len(right)))
        hits["mixture"] += covers(figure, truth)
    assert hits["hajek"] >= 0.93 * 200
    assert hits["mixture"] >= 0.93 * 200
    assert hits["naive"] < 0.20 * 200
