"""What labelling would bring: expected shares, their bands, and the numbers of one round."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from synthlab.science import forecast, planned_round
from synthlab.science.estimation import Design, hajek_proportion
from synthlab.science.forecast import Checked, Population, View
from synthlab.science.forecast_lines import (
    APART,
    ITSELF,
    LEARNED,
    NOTHING,
    RAW,
    Ground,
    believe,
    lines,
)
from synthlab.science.intervals import clopper_pearson_interval
from synthlab.science.monitoring import plan_half_width
from synthlab.science.selection import STRATEGIES
from synthlab.science.selection.active import UncertaintyWeighted
from synthlab.science.selection.base import Pool


@pytest.fixture(autouse=True)
def one_core():
    """Threads wait more than they work over matrices as small as these."""
    with threadpool_limits(1, user_api="blas"):
        yield


NOBODY = Checked(np.empty(0, dtype=int), np.empty(0), np.empty(0))


def everybody(size, weight=1.0):
    free = np.ones(size, dtype=bool)
    return Population(round(size * weight), np.full(size, weight), free, ~free)


def sure_at(labels, curve, k):
    return float(np.interp(k, labels, curve))


def test_the_first_k_go_by_score_and_ties_share_what_is_left():
    population = everybody(5)
    taken = forecast.by_rank(np.array([0.1, 0.9, 0.5, 0.5, np.nan]), population)
    assert taken(0).tolist() == [0, 0, 0, 0, 0]
    assert taken(2).tolist() == [0, 1, 0, 0, 1]  # unknown first
    assert taken(3).tolist() == [0, 1, 0.5, 0.5, 1]
    assert taken(5).tolist() == [1, 1, 1, 1, 1]


def test_a_row_that_cannot_be_drawn_has_the_chance_of_one_that_can():
    population = Population(4, np.ones(4), np.array([True, True, True, False]), np.zeros(4, bool))
    taken = forecast.by_rank(np.array([0.9, 0.5, 0.1, 0.7]), population)
    assert taken(1)[3] == 0  # as many come before it as are taken
    assert taken(2)[3] == 1
    by_chance = forecast.by_chance(np.array([0.9, 0.5, 0.1, 0.5]), population)(2)
    assert by_chance[3] == pytest.approx(by_chance[1])
    assert by_chance[:3].sum() == pytest.approx(2)


def test_chances_are_those_that_the_strategy_draws_by():
    error = np.linspace(0.01, 0.6, 40)
    drawn = UncertaintyWeighted().select(Pool(40, error=error), 10, np.random.default_rng(0))
    assert forecast.by_chance(error, everybody(40))(10) == pytest.approx(drawn.chances)


def test_what_is_expected_is_the_sum_of_the_chances_that_are_left():
    error = np.array([0.5, 0.4, 0.1, 0.0])
    population = everybody(4)
    labels = np.array([0, 1, 2, 4])
    view = View(forecast.by_rank(error, population), error)
    got = forecast.accuracy([view], error, population, labels)
    assert got == pytest.approx([0.75, 0.875, 0.975, 1.0])
    waiting = Population(4, np.ones(4), error != 0.5, error == 0.5)
    view = View(forecast.by_rank(error, waiting), error)
    got = forecast.accuracy([view], error, waiting, np.array([0, 3]))
    assert got == pytest.approx([0.75, 0.875])  # what waits keeps the machine's label


def test_rows_that_stand_for_several_samples_give_the_same_curve():
    error = np.linspace(0, 0.8, 50)
    labels = np.arange(0, 51, 10)
    small, large = everybody(50), everybody(50, weight=20.0)
    curves = [
        forecast.accuracy([View(forecast.by_rank(error, p), error)], error, p, labels * step)
        for p, step in ((small, 1), (large, 20))
    ]
    assert curves[0] == pytest.approx(curves[1])


def test_without_ten_answers_by_lot_there_is_no_band():
    population, error = everybody(50), np.full(50, 0.2)
    nine = Checked(np.arange(9), np.zeros(9), np.ones(9))
    assert forecast.band(forecast.by_lot(population), error, population, nine, np.arange(3)) is None


def test_the_band_at_the_start_is_the_interval_of_the_answers_by_lot():
    rng = np.random.default_rng(3)
    population, error = everybody(100_000), np.full(100_000, 0.2)
    rows, wrong = np.arange(200), (rng.random(200) < 0.2).astype(float)
    checked = Checked(rows, wrong, np.full(200, 500.0))
    low, high = forecast.band(
        forecast.by_lot(population), error, population, checked, np.array([0, 50_000, 100_000])
    )
    figure = hajek_proportion(1 - wrong, Design(np.full(200, 0.002), 100_000))
    assert (low[0], high[0]) == pytest.approx(figure.interval, abs=0.006)
    assert (1 - low[1]) == pytest.approx((1 - low[0]) / 2, abs=1e-3)
    assert (low[2], high[2]) == (1, 1)


def test_where_answers_stand_for_nothing_that_is_left_the_band_says_so():
    """Everybody who was checked is among the least sure, whom the first labels reach."""
    error = np.linspace(0.9, 0.01, 200)
    population = everybody(200)
    checked = Checked(np.arange(20), np.ones(20), np.full(20, 10.0))
    taken = forecast.by_rank(error, population)
    low, high = forecast.band(taken, error, population, checked, np.array([0, 100]))
    assert low[1] == pytest.approx(0.5)
    assert high[1] == 1.0


def test_answers_to_what_is_gone_stand_for_no_sample_that_is_left():
    """The least sure half was labelled; the lot met ten errors there and none elsewhere."""
    error = np.concatenate([np.full(100, 0.6), np.full(100, 0.01)])
    free = np.arange(200) >= 100
    population = Population(200, np.ones(200), free, np.zeros(200, bool))
    rows = np.concatenate([np.arange(10), np.arange(100, 140)])
    checked = Checked(rows, (rows < 100).astype(float), np.full(50, 4.0))
    low, _high = forecast.band(
        forecast.by_lot(population), error, population, checked, np.array([0])
    )
    worth = 1 / (1 / 40 + 1 / 100)  # for the share among a hundred others
    assert low[0] == pytest.approx(1 - 0.5 * clopper_pearson_interval(0, worth)[1], abs=0.01)


def test_the_bands_limits_never_fall_back():
    rng = np.random.default_rng(0)
    error = rng.random(300) ** 2
    population = everybody(300)
    wrong = (rng.random(60) < error[:60]).astype(float)
    checked = Checked(np.arange(60), wrong, np.full(60, 5.0))
    labels = forecast.grid(population)
    taken = forecast.by_rank(error, population)
    low, high = forecast.band(taken, error, population, checked, labels)
    assert (np.diff(low) >= -1e-12).all()
    assert (np.diff(high) >= -1e-12).all()
    assert (low <= high).all()


# One population: what a machine says, what people say, and what a forecast makes of it.


def world(rng, size=600, meaning=1.0):
    """Two labels; `meaning`: how much the confidence has to do with being right."""
    odds = rng.normal(1.4, 1.2, size)
    right = rng.random(size) < 1 / (1 + np.exp(-(meaning * odds + (1 - meaning) * 1.4)))
    people = rng.integers(0, 2, size)
    machine = np.where(right, people, 1 - people)
    sure = 1 / (1 + np.exp(-1.6 * np.abs(odds) - 0.05))
    return people, machine, sure


def pool_of(machine, sure, known, **more):
    doubt = 1 - sure
    entropy = -(sure * np.log(sure) + doubt * np.log(doubt))
    return Pool(
        len(machine), answers=machine, confidence=sure, entropy=entropy, margin=2 * sure - 1,
        known=known, **more,
    )  # fmt: skip


def foretold(rng, pilot, **options):
    """Population, lines by strategy, belief, and who is wrong, after a pilot by lot."""
    people, machine, sure = world(rng, **options)
    size = len(people)
    lot = rng.permutation(size)[:pilot]
    known = np.full(size, -1)
    known[lot] = people[lot]
    pool, drawn = pool_of(machine, sure, known), np.isin(np.arange(size), lot)
    population = Population(size, np.ones(size), known < 0, np.zeros(size, bool))
    right = np.where(known >= 0, (known == machine).astype(float), np.nan)
    belief = believe(pool, right, drawn, rng)
    checked = Checked(
        lot, (people != machine)[lot].astype(float), np.full(pilot, size / max(pilot, 1))
    )
    ground = Ground(population, belief, checked, np.array([0, 60, 120, size - pilot]))
    found, left_out = lines(pool, ground, rng)
    named = {name: line for line in found for name in line.strategies}
    return ground, named, pool, people != machine, left_out


def came_out(ground, wrong, taken, k):
    left = ground.population.free * (1 - taken(k))
    return 1 - float((wrong * left).sum()) / ground.population.size


@pytest.mark.parametrize(("meaning", "pilot"), [(1.0, 80), (0.0, 60)])
def test_the_set_comes_out_within_the_band_in_most_runs(meaning, pilot):
    runs, inside, off = 12, {}, {}
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        ground, named, pool, wrong, _ = foretold(rng, pilot, meaning=meaning)
        k, population = 120, ground.population
        ways = {
            "least_confidence": forecast.by_rank(1 - pool.confidence, population),
            "expected_error": forecast.by_rank(ground.belief.error, population),
            "uncertainty_weighted": forecast.by_chance(ground.belief.error, population),
            "uniform": forecast.by_lot(population),
        }
        for name, taken in ways.items():
            truth, line = came_out(ground, wrong, taken, k), named[name]
            low, high = (sure_at(ground.labels, ends, k) for ends in (line.low, line.high))
            inside.setdefault(name, []).append(low <= truth <= high)
            gain = sure_at(ground.labels, line.accuracy, k) - line.accuracy[0]
            off.setdefault(name, []).append(gain - truth + came_out(ground, wrong, taken, 0))
    # 95 % less two standard errors of so few runs; bench/forecasts.py counts 200.
    assert all(np.sum(found) >= 10 for found in inside.values()), inside
    assert all(abs(np.mean(found)) < 0.015 for found in off.values()), off


def test_a_ranking_that_learnt_noise_does_not_promise_more_than_the_lot():
    """Nothing predicts errors here, but columns enough to learn by heart from sixty answers."""
    promised, itself, lot = [], [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        size, people = 500, np.random.default_rng(seed).integers(0, 3, 500)
        machine = np.where(rng.random(size) < 0.7, people, (people + 1) % 3)
        known = np.where(rng.permutation(size) < 60, people, -1)
        signals = rng.normal(size=(size, 60))
        pool = pool_of(machine, rng.uniform(0.6, 0.9, size), known, signals=signals)
        population = Population(size, np.ones(size), known < 0, np.zeros(size, bool))
        belief = believe(pool, np.full(size, np.nan), None, rng)
        ground = Ground(population, belief, NOBODY, np.array([0, 100]))
        found, _ = lines(pool, ground, rng)
        named = {name: line for line in found for name in line.strategies}
        assert (belief.source, named["expected_error"].judged) == (LEARNED, APART)
        promised.append(np.diff(named["expected_error"].accuracy)[0])
        lot.append(np.diff(named["uniform"].accuracy)[0])
        view = View(forecast.by_rank(belief.error, population), belief.error)
        mine = forecast.accuracy([view], belief.error, population, ground.labels)
        itself.append(np.diff(mine)[0])
    assert np.mean(itself) > 1.1 * np.mean(promised)  # judged by itself it would overstate
    assert np.mean(promised) < 1.15 * np.mean(lot)


def test_two_classes_have_one_ranking_and_luck_has_one_line():
    _, named, _, _, left_out = foretold(np.random.default_rng(0), 0)
    together = named["least_confidence"]
    assert together.strategies == ("expected_error", "least_confidence", "max_entropy", "margin")
    assert set(named["uniform"].strategies) == {
        "uniform", "stratified", "vote_k", "fast_vote_k", "k_means", "k_medoids",
    }  # fmt: skip
    assert set(named) | set(left_out) == set(STRATEGIES)


def test_below_forty_answers_what_learns_is_judged_by_itself_and_says_so():
    _, named, _, _, _ = foretold(np.random.default_rng(1), 30)
    assert named["expected_error"].judged == ITSELF
    assert named["least_confidence"].judged == APART


def test_a_machine_that_says_nothing_is_wrong_and_an_unstated_confidence_is_like_the_others():
    sure = np.array([0.9, 0.7, np.nan, np.nan])
    pool = Pool(4, answers=np.array([0, 1, 1, -1]), confidence=sure)
    belief = believe(pool, np.full(4, np.nan), None, np.random.default_rng(0))
    assert belief.error == pytest.approx([0.1, 0.3, 0.2, 1.0])
    assert (belief.source, belief.unstated) == (RAW, 1)
    silent = Pool(2, answers=np.array([0, 1]), confidence=np.full(2, np.nan))
    assert believe(silent, np.full(2, np.nan), None, np.random.default_rng(0)).source == NOTHING


def test_people_who_always_agree_leave_a_band_that_is_no_point():
    size = 200
    machine = np.arange(size) % 2
    known = np.where(np.arange(size) < 40, machine, -1)
    pool = pool_of(machine, np.linspace(0.6, 0.95, size), known)
    population = Population(size, np.ones(size), known < 0, np.zeros(size, bool))
    belief = believe(pool, np.full(size, np.nan), known >= 0, np.random.default_rng(0))
    checked = Checked(np.arange(40), np.zeros(40), np.full(40, 5.0))
    labels = forecast.grid(population)
    found, _ = lines(pool, Ground(population, belief, checked, labels), np.random.default_rng(0))
    assert all(line.low[0] < 0.97 and line.high[0] == 1 for line in found)


# The numbers of one round.


def test_a_mixture_fixes_what_its_parts_do():
    labels, curve = np.array([0.0, 50, 100]), np.array([0.8, 0.95, 1.0])
    assert planned_round.mixed(labels, curve, 50, 0, 100) == pytest.approx(0.95)
    assert planned_round.mixed(labels, curve, 0, 50, 100) == pytest.approx(0.9)  # by lot alone
    # Of the half that the lot leaves, 25 are as deep as 50 of all.
    assert planned_round.mixed(labels, curve, 25, 50, 100) == pytest.approx(0.9 + 0.15 / 2)
    assert planned_round.mixed(labels, curve, 50, 50, 100) == pytest.approx(1)
    assert planned_round.mixed(labels, curve, 5, 5, 0) == 0.8


def test_the_labels_that_reach_a_target_lie_on_the_curve():
    labels, curve = np.array([0, 50, 100]), np.array([0.8, 0.95, 0.97])
    assert planned_round.needed(labels, curve, 0.875) == 25
    assert planned_round.needed(labels, curve, 0.95) == 50
    assert planned_round.needed(labels, curve, 0.7) == 0
    assert planned_round.needed(labels, curve, 0.98) is None


def test_the_interval_to_come_is_that_of_a_plan():
    low, high = planned_round.interval_to_come(0.9, 150, 1000)
    plan = plan_half_width((high - low) / 2, 0.9, frame=1000)
    assert plan.n == 150
    assert planned_round.interval_to_come(0.9, 1000, 1000) == (0.9, 0.9)
    assert planned_round.interval_to_come(0.9, 0, 1000) is None
    wide = planned_round.interval_to_come(0.9, 150, 1000, design_effect=2.0)
    assert wide[0] < low < high < wide[1]


def test_the_design_effect_is_what_uneven_draws_really_cost():
    rng = np.random.default_rng(5)
    error = rng.beta(1, 6, 4000)
    even = planned_round.design_effect(np.full(4000, 0.05), error)
    assert even == 1
    # Chances that follow nothing: the weights alone widen the variance.
    chances = rng.uniform(0.01, 0.09, 4000)
    effect = planned_round.design_effect(chances, error)
    wrong = (rng.random(4000) < error).astype(float)
    means = []
    for _ in range(600):
        drawn = rng.random(4000) < chances
        w = 1 / chances[drawn]
        means.append((w * wrong[drawn]).sum() / w.sum())
    share = wrong.mean()
    assert np.var(means) * 200 / (share * (1 - share)) == pytest.approx(effect, rel=0.2)


def test_effort_is_answers_times_seconds():
    took = planned_round.effort(120, 30.0, (20.0, 60.0))
    assert (took.seconds, took.low, took.high) == (3600, 2400, 7200)
    assert took.cost(25) == 25
    assert planned_round.effort(10, 30, None).low is None
