"""Two machines or codebooks on the same samples."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar

from synthlab.science.comparison import (
    ALWAYS_ALIKE,
    IMPOSSIBLE_DIFFERENCE,
    LOOKS_USED_UP,
    NO_DIFFERENCE,
    TOO_SMALL_TO_FIND,
    UNEQUAL_CHANCES,
    compare_paired,
    level_at,
    mcnemar,
    mcnemar_power,
    paired_difference,
    planned_power,
)
from synthlab.science.estimation import Design
from synthlab.science.figures import NO_ANSWERS, NO_DRAW


def answers(both, gained, lost, neither):
    cells = [both, gained, lost, neither]
    return np.repeat([1.0, 0, 1, 0], cells), np.repeat([1.0, 1, 0, 0], cells)


def test_the_published_example_of_the_exact_test():
    found = mcnemar(*answers(50, 10, 3, 20))
    assert (found.gained, found.lost) == (10, 3)
    assert found.p == pytest.approx(0.0923, abs=5e-5)


@pytest.mark.parametrize(("gained", "lost"), [(0, 1), (7, 7), (25, 8), (3, 40)])
def test_the_exact_test_agrees_with_statsmodels(gained, lost):
    found = mcnemar(*answers(10, gained, lost, 5))
    expected = their_mcnemar(np.array([[10, lost], [gained, 5]]), exact=True).pvalue
    assert found.p == pytest.approx(expected)


def test_unknown_answers_do_not_count():
    first, second = answers(5, 10, 3, 5)
    with_gaps = np.append(first, [np.nan, 1, np.nan]), np.append(second, [1, np.nan, np.nan])
    assert mcnemar(*with_gaps) == mcnemar(first, second)
    assert paired_difference(*with_gaps) == paired_difference(first, second)


def test_the_difference_without_a_design_is_agresti_and_mins():
    figure = paired_difference(*answers(50, 10, 3, 37))
    shrink = (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 99)) ** 2
    plus, minus, total = 10 * shrink + 0.5, 3 * shrink + 0.5, 100 * shrink + 2
    half = 1.959964 * np.sqrt(plus + minus - (plus - minus) ** 2 / total) / total
    middle = (plus - minus) / total
    assert figure.value == pytest.approx(0.07)
    assert figure.interval == pytest.approx((middle - half, middle + half), abs=1e-6)


def test_with_unequal_chances_the_difference_is_weighted():
    first, second = np.array([1.0, 0, 0, 1]), np.array([1.0, 1, 0, 0])
    figure = paired_difference(first, second, Design(np.array([0.5, 0.1, 0.5, 0.5])))
    assert figure.value == pytest.approx((10 - 2) / (2 + 10 + 2 + 2))
    assert figure.interval[0] < figure.value < figure.interval[1]


def test_a_difference_over_the_whole_set_is_certain():
    first, second = answers(50, 10, 3, 37)
    figure = paired_difference(first, second, Design(np.ones(100), 100))
    assert figure.interval == (figure.value, figure.value)
    nearly = paired_difference(first, second, Design(np.full(100, 100 / 110), 110))
    endless = paired_difference(first, second)
    assert np.diff(nearly.interval) < 0.5 * np.diff(endless.interval)


def test_copies_of_a_text_say_little_more_than_one():
    first, second = answers(50, 10, 3, 37)
    pi, texts = np.full(100, 0.01), np.arange(100)
    once = paired_difference(first, second, Design(pi, 10_000))
    four = Design(pi.repeat(4), 40_000, clusters=texts.repeat(4))
    copied = paired_difference(first.repeat(4), second.repeat(4), four)
    assert copied.interval == pytest.approx(once.interval, abs=0.005)


def test_the_weighted_interval_covers_and_the_naive_one_does_not():
    rng = np.random.default_rng(1)
    runs, fair, naive = 300, 0, 0
    for _ in range(runs):
        doubt = rng.beta(0.6, 8, 3000)
        first = (rng.random(3000) > doubt * 2).astype(float)
        # The second mends half of the errors where the first is unsure, and breaks a few elsewhere.
        mended = (first == 0) & (rng.random(3000) < 0.5)
        broken = (first == 1) & (doubt < 0.05) & (rng.random(3000) < 0.06)
        second = np.where(mended, 1.0, np.where(broken, 0.0, first))
        truth = (second - first).mean()
        pi = np.minimum(0.7 * 250 * doubt / doubt.sum() + 0.3 * 250 / 3000, 1)
        drawn = rng.random(3000) < pi
        figure = paired_difference(first[drawn], second[drawn], Design(pi[drawn], 3000))
        fair += figure.interval[0] <= truth <= figure.interval[1]
        plain = paired_difference(first[drawn], second[drawn])
        naive += plain.interval[0] <= truth <= plain.interval[1]
    assert fair >= 0.92 * runs
    assert naive < 0.3 * runs


def test_without_answers_there_is_a_reason():
    nothing = np.array([])
    assert mcnemar(nothing, nothing).reason == NO_ANSWERS
    assert paired_difference(nothing, nothing).reason == NO_ANSWERS
    undrawn = compare_paired(np.ones(3), np.zeros(3), Design(np.full(3, np.nan)))
    assert (undrawn.better, undrawn.reason) == (None, NO_DRAW)
    assert mcnemar(np.ones(5), np.ones(5)).reason == ALWAYS_ALIKE
    alike = compare_paired(np.ones(40), np.ones(40))
    assert (alike.better, alike.difference.value) == (None, 0)
    assert alike.difference.interval[0] < 0 < alike.difference.interval[1]
    assert compare_paired(np.ones(1), np.zeros(1)).better is None


def test_a_comparison_decides_only_at_the_level_of_its_look():
    first, second = answers(100, 14, 3, 20)  # p = 0.0127
    assert compare_paired(first, second).better is True
    assert compare_paired(second, first).better is False
    assert compare_paired(first, second, planned=5).better is None  # 0.05 / 5
    used_up = compare_paired(first, second, look=3, planned=2)
    assert (used_up.better, used_up.reason, used_up.level) == (None, LOOKS_USED_UP, 0)
    assert used_up.difference.value is not None


def test_with_unequal_chances_the_interval_decides():
    first, second = answers(200, 40, 2, 20)
    pi = np.where(np.arange(len(first)) % 2, 0.3, 0.1)
    found = compare_paired(first, second, Design(pi, 2000))
    assert (found.test.p, found.test.reason) == (None, UNEQUAL_CHANCES)
    assert found.better is True
    assert found.difference.interval[0] > 0


def test_answers_that_were_not_drawn_by_chance_stay_out():
    first, second = answers(20, 8, 2, 10)
    pi = np.where(np.arange(40) < 30, 0.5, np.nan)
    found = compare_paired(first, second, Design(pi))
    assert found.difference.n == 30
    assert found.test == mcnemar(first[:30], second[:30])


def test_the_levels_of_all_looks_add_up_to_alpha():
    assert sum(level_at(look, 0.05, 4) for look in range(1, 9)) == pytest.approx(0.05)
    assert 0.0499 < sum(level_at(look, 0.05) for look in range(1, 5000)) < 0.05
    with pytest.raises(ValueError):
        level_at(0)


def test_many_looks_without_a_correction_find_what_is_not_there():
    rng = np.random.default_rng(2)
    runs, found = 300, {"naive": 0, "fixed": 0, "open": 0}
    for _ in range(runs):
        d = rng.choice([-1.0, 0, 1], 500, p=[0.15, 0.7, 0.15])
        first, second = np.where(d < 0, 1.0, 0), np.where(d > 0, 1.0, 0)
        looks = [mcnemar(first[:n], second[:n]).p or 1 for n in range(50, 501, 50)]
        found["naive"] += min(looks) <= 0.05
        found["fixed"] += min(looks) <= level_at(1, planned=10)
        found["open"] += any(p <= level_at(k) for k, p in enumerate(looks, 1))
    assert found["naive"] > 0.1 * runs
    assert found["fixed"] <= 0.05 * runs
    assert found["open"] <= 0.05 * runs


# Power


def test_the_exact_power_agrees_with_simulation():
    rng = np.random.default_rng(3)
    draws = rng.multinomial(120, [0.18, 0.06, 0.76], 4000)
    p = {}
    for gained, lost, _ in draws:
        if (gained, lost) not in p:
            p[gained, lost] = stats.binomtest(gained, gained + lost).pvalue
    share = np.mean([p[gained, lost] <= 0.05 for gained, lost, _ in draws])
    assert mcnemar_power(120, 0.18, 0.06) == pytest.approx(share, abs=0.03)


def test_without_a_difference_the_exact_test_is_wrong_at_most_alpha_of_the_time():
    for n in (10, 50, 300):
        assert mcnemar_power(n, 0.1, 0.1) <= 0.05
    assert mcnemar_power(0, 0.1, 0.1) == 0


def test_a_plan_says_how_many_samples_are_needed():
    plan = planned_power(100, 0.05, 0.15)
    assert plan.power == pytest.approx(mcnemar_power(100, 0.1, 0.05))
    assert mcnemar_power(plan.needed, 0.1, 0.05) >= 0.8 > plan.power
    assert plan.needed == pytest.approx(470, rel=0.1)  # by the normal formula
    assert planned_power(100, -0.05, 0.15) == plan
    assert planned_power(100, 0.05, 0.15, alpha=0.01).needed > plan.needed
    assert planned_power(100, 0.1, 0.1).needed < plan.needed


def test_a_plan_for_the_impossible_gives_its_reason():
    assert planned_power(100, 0.0, 0.2).reason == NO_DIFFERENCE
    assert planned_power(100, 0.3, 0.2).reason == IMPOSSIBLE_DIFFERENCE
    tiny = planned_power(100, 0.0001, 0.4)
    assert (tiny.needed, tiny.reason) == (None, TOO_SMALL_TO_FIND)
    assert 0 <= tiny.power <= 0.05
