"""How many answers to plan for, and a monitor that may be looked at after each."""

import numpy as np
import pytest
from scipy import stats

from synthlab.science.figures import NO_ANSWERS
from synthlab.science.intervals import clopper_pearson_interval, hypergeometric_interval
from synthlab.science.monitoring import (
    NOT_ABOVE,
    TOO_MANY,
    WHOLE_SET,
    confidence_sequence,
    log_e_value,
    monitor,
    plan_half_width,
    plan_to_show,
)

# Fixed in advance


def test_a_planned_half_width_is_reached_and_no_sooner():
    plan = plan_half_width(0.05, 0.88)
    low, high = clopper_pearson_interval(0.88 * plan.n, plan.n)
    assert (high - low) / 2 <= 0.05
    low, high = clopper_pearson_interval(0.88 * (plan.n - 1), plan.n - 1)
    assert (high - low) / 2 > 0.05
    assert plan_half_width(0.05).n > plan.n  # 0.5 is the widest


def test_a_finite_frame_needs_fewer_and_the_exact_interval_agrees():
    plan = plan_half_width(0.04, 0.9, frame=800)
    assert plan.n < plan_half_width(0.04, 0.9).n
    low, high = hypergeometric_interval(round(0.9 * plan.n), plan.n, 800)
    assert (high - low) / 2 == pytest.approx(0.04, abs=0.003)
    assert plan_half_width(0.04, 0.9, frame=10).reason == WHOLE_SET
    assert plan_half_width(0.04, 0.9, frame=10).n == 10
    assert plan_half_width(0.00001).reason == TOO_MANY


def test_a_plan_to_show_a_share_is_the_first_with_the_power():
    def power(n):
        k = next(k for k in range(n + 2) if stats.binom.sf(k - 1, n, 0.8) <= 0.05)
        return stats.binom.sf(k - 1, n, 0.9), k

    plan = plan_to_show(0.8, 0.9)
    expected = next(n for n in range(1, 500) if power(n)[0] >= 0.8)
    assert plan.n == expected
    assert (plan.power, plan.passes_at) == pytest.approx(power(expected))


def test_in_a_frame_the_plan_is_the_hypergeometric_test():
    plan = plan_to_show(0.8, 0.9, frame=150)
    null = stats.hypergeom(150, 120, plan.n)
    assert null.sf(plan.passes_at - 1) <= 0.05 < null.sf(plan.passes_at - 2)
    assert stats.hypergeom.sf(plan.passes_at - 1, 150, 135, plan.n) == pytest.approx(plan.power)
    assert plan.power >= 0.8
    assert plan.n < plan_to_show(0.8, 0.9).n


def test_the_short_cut_for_large_plans_skips_nothing():
    plan = plan_to_show(0.9, 0.912)
    n = np.arange(1000, plan.n)
    passes = stats.binom.isf(0.05, n, 0.9) + 1
    assert (stats.binom.sf(passes - 1, n, 0.912) < 0.8).all()
    assert plan.n > 2000


def test_a_plan_that_cannot_succeed_gives_its_reason():
    assert plan_to_show(0.9, 0.9).reason == NOT_ABOVE
    assert plan_to_show(0.9, 0.9001).reason == TOO_MANY
    assert plan_to_show(0.9, 1.0, frame=10).reason == WHOLE_SET
    tiny = plan_to_show(0.5, 0.6, frame=1)
    assert (tiny.n, tiny.reason) == (1, WHOLE_SET)
    for wrong in (0, 1):
        with pytest.raises(ValueError):
            plan_to_show(wrong, 0.9)


# The monitor


def runs_of(share, runs=600, most=500):
    right = np.random.default_rng(int(1000 * share)).random((runs, most)) < share
    n = np.broadcast_to(np.arange(1, most + 1), right.shape)
    return np.cumsum(right, axis=1), n


@pytest.mark.parametrize(("share", "published"), [(0.88, 0.647), (0.87, 0.516), (0.85, 0.311)])
def test_peeking_declares_falsely_where_the_monitor_hardly_ever_does(share, published):
    """ "Stop when agreement is at least 0.90 after at least 50, up to 500"; the truth is below."""
    hits, n = runs_of(share)
    naive = ((hits / n >= 0.9) & (n >= 50)).any(axis=1).mean()
    honest = (log_e_value(hits, n, 0.9) >= np.log(20)).any(axis=1).mean()
    assert naive == pytest.approx(published, abs=0.06)
    assert honest < 0.02


def test_at_the_threshold_itself_the_monitor_errs_at_most_alpha_of_the_time():
    hits, n = runs_of(0.9, 300, 1000)
    false = (log_e_value(hits, n, 0.9) >= np.log(20)).any(axis=1).mean()
    assert false <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)


@pytest.mark.parametrize(("share", "median"), [(0.93, 570), (0.95, 168), (0.97, 85)])
def test_what_certainty_costs(share, median):
    hits, n = runs_of(share, 250, 1500)
    reached = log_e_value(hits, n, 0.9) >= np.log(20)
    at = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, 9999)
    assert np.median(at) == pytest.approx(median, rel=0.2)


def test_the_e_value_is_the_mixture_integrated_by_hand():
    shares = np.linspace(0.9, 1, 200_001)[:-1] + 0.1 / 400_000
    ratio = (shares / 0.9) ** 57 * ((1 - shares) / 0.1) ** 3
    expected = np.log(ratio.mean())
    assert log_e_value(np.array([57]), np.array([60]), 0.9)[0] == pytest.approx(expected, abs=1e-6)


def test_a_finite_frame_is_monitored_without_replacement():
    """In a frame just at the threshold nothing is declared too often, even to the last answer."""
    rng = np.random.default_rng(5)
    frame = np.repeat([1.0, 0.0], [180, 20])
    found = [monitor(rng.permutation(frame), 0.9, frame=200) for _ in range(100)]
    assert np.mean([run.declared_at is not None for run in found]) <= 0.09
    assert all(run.interval == (0.9, 0.9) for run in found if run.lower[-1] <= run.upper[-1])
    better = np.repeat([1.0, 0.0], [181, 19])
    assert all(
        monitor(rng.permutation(better), 0.9, frame=200).declared_at <= 200 for _ in range(20)
    )


def test_a_finite_frame_is_decided_sooner_than_an_endless_one():
    rng = np.random.default_rng(6)
    ends = {300: [], None: []}
    for _ in range(30):
        right = rng.permutation(np.repeat([1.0, 0.0], [285, 15]))
        for frame, at in ends.items():
            at.append(monitor(right, 0.9, frame=frame).declared_at or 999)
    assert np.median(ends[300]) < np.median(ends[None])


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_the_confidence_sequence_holds_at_all_times_at_once(share):
    rng = np.random.default_rng(7)
    missed = 0
    for _ in range(100):
        hits = np.cumsum(rng.random(400) < share)
        lower, upper = confidence_sequence(hits, np.arange(1, 401))
        missed += ((lower > share) | (upper < share)).any()
    assert missed <= 0.09 * 100  # alpha and two standard errors


def test_the_confidence_sequence_of_a_frame_holds_and_ends_as_a_point():
    rng = np.random.default_rng(8)
    frame = np.repeat([1, 0], [170, 30])
    missed = 0
    for _ in range(200):
        lower, upper = confidence_sequence(
            np.cumsum(rng.permutation(frame)), np.arange(1, 201), frame=200
        )
        missed += ((lower > 0.85 + 1e-9) | (upper < 0.85 - 1e-9)).any()
    assert missed <= 0.09 * 100  # alpha and two standard errors


def test_the_ends_in_a_frame_are_where_the_posterior_falls_to_alpha_times_the_prior():
    counts = np.arange(41)
    likely = stats.hypergeom.pmf(7, 40, counts, 12)
    kept = counts[likely / likely.sum() > 0.05 / 41]
    lower, upper = confidence_sequence(np.array([7]), np.array([12]), frame=40)
    assert (lower[0] * 40, upper[0] * 40) == pytest.approx((kept.min(), kept.max()))


def test_a_monitor_shows_what_a_page_needs():
    right = np.array([1, 1, np.nan, 0, 1.0])
    found = monitor(right, 0.9)
    assert (found.n, found.share, found.needed) == (4, 0.75, 20)
    assert found.interval[0] < 0.75 < found.interval[1]
    assert (found.declared_at, found.reason) == (None, "")
    assert len(found.trail) == len(found.lower) == len(found.upper) == 4
    sure = monitor(np.ones(300), 0.9)
    assert sure.trail[sure.declared_at - 1] >= 20 > sure.trail[sure.declared_at - 2]
    assert sure.interval[1] == 1


def test_what_was_excluded_once_stays_excluded():
    right = np.random.default_rng(9).permutation(np.repeat([1.0, 0.0], [200, 60]))
    found = monitor(right, 0.5)
    assert (np.diff(found.lower) >= 0).all()
    assert (np.diff(found.upper) <= 0).all()


def test_answers_in_no_random_order_leave_an_interval_all_the_same():
    found = monitor(np.repeat([1.0, 0.0, 1.0], [100, 60, 100]), 0.5)
    assert found.interval[0] < found.share < found.interval[1]


def test_a_monitor_of_nothing_or_of_extremes_stays_a_number():
    nothing = monitor(np.array([np.nan]), 0.9)
    assert (nothing.n, nothing.interval, nothing.reason) == (0, None, NO_ANSWERS)
    for right in (np.zeros(5000), np.ones(5000), np.zeros(1), np.ones(1)):
        for frame in (None, 5000):
            found = monitor(right, 0.9, frame=frame)
            assert np.isfinite(found.trail).all()
            assert (found.lower <= found.upper).all()
    assert monitor(np.zeros(5000), 0.9).declared_at is None


def test_odd_input_is_refused():
    for right, threshold, frame in (([0.5], 0.9, None), ([1], 1.0, None), ([1, 1], 0.9, 1)):
        with pytest.raises(ValueError):
            monitor(np.array(right), threshold, frame=frame)


def test_the_order_in_which_answers_come_breaks_the_promise_and_that_of_the_lot_keeps_it():
    """A model that is right on exactly the target share. People answer sooner what is easy, and
    there it is right more often: by arrival it is declared better in a third of the rounds or
    more, by the order of the lot in at most alpha, whichever prefix is looked at."""
    rng = np.random.default_rng(9)
    frame, share, drawn, runs = 800, 0.8, 80, 100
    right = np.arange(frame) < share * frame
    false_alarms = {"arrival": 0, "lot": 0}
    for _ in range(runs):
        lot = rng.choice(frame, drawn, replace=False)
        seconds = rng.exponential(np.where(right[lot], 1.0, 4.0))  # what is hard takes longer
        for order, rows in (("arrival", lot[np.argsort(seconds)]), ("lot", lot)):
            found = monitor(right[rows].astype(float), share, 0.05, frame)
            false_alarms[order] += found.declared_at is not None
    assert false_alarms["arrival"] > runs / 3
    assert false_alarms["lot"] <= 0.05 * runs + 2 * (0.05 * 0.95 * runs) ** 0.5
