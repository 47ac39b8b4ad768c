"""Certificates: the exact rule against brute force, and promises kept in simulated audits."""

from itertools import combinations
from math import comb

import numpy as np
import pytest

from synthlab.science.audits import NO_SAVING, least_audit, plan_audit
from synthlab.science.thresholds import (
    AUDIT_TOO_SMALL,
    NOT_AUDITED,
    NOTHING_TO_RELEASE,
    TOO_MANY_ERRORS,
    betting_upper_bound,
    errors_allowed,
    exact_certificate,
    pac_certificate,
    ranking,
)

RNG = np.random.default_rng(99)


def slow_errors_allowed(size, audit, allowed, alpha):
    best = -1
    for x in range(min(audit, size - allowed - 1) + 1):
        marked = allowed + 1 + x
        few = sum(comb(marked, k) * comb(size - marked, audit - k) for k in range(x + 1))
        if audit and few / comb(size, audit) <= alpha:
            best = x
    return best


@pytest.mark.parametrize("size", [1, 7, 40, 200])
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_the_allowed_errors_agree_with_counting(size, alpha):
    for audit in sorted({0, 1, size // 3, size // 2, size - 1, size}):
        for allowed in sorted({0, size // 20, size // 5, size - 1}):
            expected = slow_errors_allowed(size, audit, allowed, alpha)
            assert errors_allowed(size, audit, allowed, alpha) == expected


@pytest.mark.parametrize("eps", [0.0, 0.15, 0.3])
def test_over_every_possible_draw_the_promise_breaks_as_rarely_as_it_says(eps):
    """All draws of 7 from 9 rows, for many placings of the errors."""
    size, audit, alpha, order = 9, 7, 0.2, np.arange(9)
    draws = [np.array(draw) for draw in combinations(range(size), audit)]
    rng = np.random.default_rng(0)
    worst = 0.0
    for _ in range(40):
        wrong = rng.random(size) < rng.random()
        broken = 0
        for draw in draws:
            found = exact_certificate(order, draw, wrong[draw], eps, alpha)
            left = np.setdiff1d(found.accepted, draw)
            broken += wrong[left].sum() > eps * size
        worst = max(worst, broken / len(draws))
    assert worst <= alpha


def machine(rng, size=1500):
    """Overconfident, and surer where it is right; about 17 % wrong."""
    confidence = 1 - rng.beta(0.6, 11, size)
    wrong = rng.random(size) < np.minimum(0.07 + 2 * (1 - confidence), 1)
    return 1 - np.round(confidence, 2), wrong  # rounded, so that there are many ties


def released_errors(certificate, wrong, audited):
    kept = np.setdiff1d(certificate.accepted, audited)
    return wrong[kept].sum()


def bound(alpha, runs):
    return alpha + 2 * np.sqrt(alpha * (1 - alpha) / runs)


def test_promises_are_kept_and_the_naive_rule_breaks_its_own():
    rng = np.random.default_rng(2026)
    runs, eps, alpha = 400, 0.05, 0.05
    broken = {"exact": 0, "pac": 0, "naive": 0}
    labels = {"exact": [], "pac": []}
    for _ in range(runs):
        doubt, wrong = machine(rng)
        order = ranking(doubt, rng)
        most = eps * len(order)
        drawn = rng.choice(len(order), 250, replace=False)
        exact = exact_certificate(order, drawn, wrong[drawn], eps, alpha, doubt=doubt)
        drawn_again = rng.integers(0, len(order), 250)
        pac = pac_certificate(order, drawn_again, wrong[drawn_again], doubt, rng, eps, alpha)
        broken["exact"] += released_errors(exact, wrong, drawn) > most
        broken["pac"] += released_errors(pac, wrong, drawn_again) > most
        broken["naive"] += wrong[doubt <= eps].sum() > most
        labels["exact"].append(exact.labels)
        labels["pac"].append(pac.labels)
    assert broken["exact"] / runs <= bound(alpha, runs)
    assert broken["exact"] > 0  # tight, not just cautious
    assert broken["pac"] / runs <= bound(alpha, runs)
    assert broken["naive"] / runs > 0.2
    assert np.mean(labels["exact"]) < np.mean(labels["pac"]) < 1500


def test_the_promise_holds_for_a_ranking_that_is_worse_than_chance():
    rng = np.random.default_rng(7)
    runs, broken = 300, 0
    for _ in range(runs):
        doubt, wrong = machine(rng, 600)
        order = ranking(-doubt, rng)
        drawn = rng.choice(600, 150, replace=False)
        found = exact_certificate(order, drawn, wrong[drawn], 0.1, 0.1)
        broken += released_errors(found, wrong, drawn) > 60
    assert broken / runs <= bound(0.1, runs)


def test_rows_labelled_before_give_the_rest_more_room():
    rng = np.random.default_rng(8)
    doubt, wrong = machine(rng)
    order = ranking(doubt, rng)
    drawn = rng.choice(1500, 250, replace=False)
    alone = exact_certificate(order, drawn, wrong[drawn], 0.05)
    together = exact_certificate(order, drawn, wrong[drawn], 0.05, released=2500)
    assert together.to_label < alone.to_label


def test_a_certificate_accounts_for_every_row():
    rng = np.random.default_rng(9)
    doubt, wrong = machine(rng, 800)
    order = ranking(doubt, rng)
    drawn = rng.choice(800, 150, replace=False)
    found = exact_certificate(order, drawn, wrong[drawn], 0.08, doubt=doubt)
    everything = np.concatenate([found.accepted, found.rest, drawn])
    assert set(everything) == set(range(800))
    assert not set(found.rest) & (set(found.accepted) | set(drawn))
    assert (found.used, found.errors) == (150, wrong[drawn].sum())
    assert found.labels == found.used + len(found.rest)
    assert found.threshold == doubt[found.accepted[-1]]
    allowed = errors_allowed(800, 150, 64, 0.05)
    assert wrong[np.intersect1d(found.accepted, drawn)].sum() == allowed
    assert found.threshold <= doubt[found.rest].min()


def test_a_larger_eps_never_costs_more():
    rng = np.random.default_rng(10)
    doubt, wrong = machine(rng, 900)
    order = ranking(doubt, rng)
    drawn = rng.choice(900, 200, replace=False)
    again = rng.integers(0, 900, 200)
    for costs in (
        [exact_certificate(order, drawn, wrong[drawn], eps).to_label for eps in (0, 0.02, 0.1, 1)],
        [
            pac_certificate(order, again, wrong[again], doubt, rng, eps).labels
            for eps in (0.02, 0.1, 1)
        ],
    ):
        assert costs == sorted(costs, reverse=True)


def test_nothing_is_promised_from_nothing():
    order, none = np.arange(100), np.array([], int)
    for found in (
        exact_certificate(order, none, none, 0.05),
        pac_certificate(order, none, none, np.zeros(100), RNG, 0.05),
    ):
        assert (found.to_label, found.labels, found.threshold) == (100, 100, None)
        assert found.reason == NOT_AUDITED
    small = np.arange(5)
    assert exact_certificate(order, small, small < 0, 0.05).reason == AUDIT_TOO_SMALL
    assert (
        pac_certificate(order, small, small < 0, order / 100, RNG, 0.05).reason == AUDIT_TOO_SMALL
    )
    assert exact_certificate(none, none, none, 0.05).reason == NOTHING_TO_RELEASE
    assert pac_certificate(none, none, none, none, RNG, 0.05).reason == NOTHING_TO_RELEASE


def test_a_model_that_is_always_wrong_leaves_everything_to_people():
    rng = np.random.default_rng(11)
    order = rng.permutation(1000)
    drawn = rng.choice(1000, 200, replace=False)
    exact = exact_certificate(order, drawn, np.ones(200), 0.05)
    assert released_errors(exact, np.ones(1000), drawn) <= 50
    assert exact.to_label > 740
    pac = pac_certificate(np.arange(1000), drawn, np.ones(200), np.zeros(1000), RNG, 0.05)
    assert (len(pac.accepted), pac.to_label, pac.reason) == (0, 800, TOO_MANY_ERRORS)


def test_a_model_that_is_always_right_needs_only_the_audit():
    order, drawn = np.arange(1000), np.arange(0, 1000, 5)
    assert exact_certificate(order, drawn, drawn < 0, 0.05).labels == 200
    assert pac_certificate(order, drawn, drawn < 0, order / 1000, RNG, 0.05).labels == 200


def test_no_error_at_all_is_promised_only_once_nearly_everything_is_read():
    order = np.arange(100)
    assert exact_certificate(order, order[:90], order[:90] < 0, 0.0).to_label == 10
    assert exact_certificate(order, order[:95], order[:95] < 0, 0.0).to_label == 0
    assert exact_certificate(order, order, order < 30, 0.0).to_label == 0  # all read, all mended
    assert pac_certificate(order, order, order < 0, order / 100, RNG, 0.0).reason == AUDIT_TOO_SMALL


def test_equal_doubts_stand_or_fall_together_in_pac_labels():
    doubt = np.repeat([0.0, 0.5], [600, 400])
    drawn = np.arange(0, 1000, 2)
    wrong = (drawn >= 600) & (drawn % 4 == 0)
    found = pac_certificate(np.arange(1000), drawn, wrong, doubt, RNG, 0.05)
    assert len(found.accepted) == 600
    assert found.threshold == 0


def test_the_order_in_which_answers_are_given_buys_nothing():
    """Sorted by doubt, a bet would win on the certain rows before it meets the errors."""
    rng = np.random.default_rng(14)
    doubt, wrong = machine(rng)
    order = ranking(doubt, rng)
    drawn = rng.integers(0, 1500, 300)
    ordered = drawn[np.argsort(doubt[drawn])]
    backwards = [
        np.mean([
            pac_certificate(order, rows, wrong[rows], doubt, rng, 0.08).to_label for _ in range(20)
        ])
        for rows in (ordered, ordered[::-1])
    ]  # fmt: skip
    assert backwards[0] == pytest.approx(backwards[1], rel=0.1)


def test_the_seed_breaks_ties_and_unknown_doubt_comes_last():
    doubt = np.array([0.1, np.nan, 0.1, 0.1, 0.0])
    orders = {tuple(ranking(doubt, np.random.default_rng(seed))) for seed in range(40)}
    assert len(orders) == 6
    assert all(order[0] == 4 and order[-1] == 1 for order in orders)
    same = [ranking(np.zeros(50), np.random.default_rng(3)).tolist() for _ in range(2)]
    assert same[0] == same[1] != list(range(50))
    drawn = np.array([0, 1, 2, 3, 4])
    order = ranking(doubt, np.random.default_rng(0))
    assert pac_certificate(order, drawn, drawn < 0, doubt, RNG, 0.9).to_label == 0


def test_odd_input_is_refused():
    order, drawn = np.arange(10), np.array([1, 1])
    with pytest.raises(ValueError, match="drawn twice"):
        exact_certificate(order, drawn, drawn < 0, 0.1)
    with pytest.raises(ValueError, match="every row"):
        exact_certificate(np.array([0, 0, 1]), drawn, drawn < 0, 0.1)
    with pytest.raises(ValueError, match="audited"):
        exact_certificate(order, np.array([10]), np.array([0]), 0.1)
    with pytest.raises(ValueError, match="share"):
        exact_certificate(order, np.array([1]), np.array([0]), 1.5)
    with pytest.raises(ValueError, match="follow the doubt"):
        pac_certificate(order, drawn, drawn < 0, np.arange(10)[::-1], RNG, 0.1)


# The betting bound


def test_the_betting_bound_covers_and_is_tighter_than_hoeffding():
    rng = np.random.default_rng(12)
    runs, missed, bounds = 200, 0, []
    for _ in range(runs):
        upper = betting_upper_bound((rng.random(300) < 0.04).astype(float), 0.1, steps=200)
        missed += upper < 0.04
        bounds.append(upper)
    assert missed / runs <= bound(0.1, runs)
    assert np.mean(bounds) < 0.04 + np.sqrt(np.log(10) / 600)


def test_the_betting_bound_of_little_is_large():
    assert betting_upper_bound(np.array([])) == 1
    assert betting_upper_bound(np.ones(50)) == 1
    assert betting_upper_bound(np.array([0.0])) > 0.9
    assert betting_upper_bound(np.zeros(500)) < 0.02


# Planning


def test_the_least_audit_is_the_smallest_that_can_certify_anything():
    least = least_audit(2000, 100)
    assert errors_allowed(2000, least, 100, 0.05) == 0
    assert errors_allowed(2000, least - 1, 100, 0.05) == -1
    assert 50 <= least <= 60  # the rule of three: 3 / 0.05


def test_the_plan_predicts_what_the_audit_then_costs():
    rng = np.random.default_rng(13)
    doubt, _ = machine(rng, 2000)
    predicted = np.minimum(0.01 + 2 * doubt, 1)
    plan = plan_audit(predicted, 0.05)
    costs = {size: [] for size in (plan.least, plan.audit, 1200)}
    for _ in range(60):
        wrong = rng.random(2000) < predicted
        order = ranking(predicted, rng)
        for size, cost in costs.items():
            drawn = rng.choice(2000, size, replace=False)
            cost.append(exact_certificate(order, drawn, wrong[drawn], 0.05).labels)
    planned = np.mean(costs.pop(plan.audit))
    assert plan.missing == pytest.approx(planned, rel=0.1)
    assert all(planned < np.mean(cost) for cost in costs.values())


def test_a_plan_says_when_an_audit_saves_nothing():
    hopeless = plan_audit(np.ones(500), 0.0)
    assert (hopeless.audit, hopeless.missing, hopeless.reason) == (0, 500, NO_SAVING)
    # Whatever the labels are worth, a share eps of them may be left as they are.
    assert plan_audit(np.ones(500), 0.02).missing == pytest.approx(490, abs=1)
    few = plan_audit(np.full(15, 0.01), 0.05)
    assert few.reason == NO_SAVING
    assert plan_audit(np.array([]), 0.05).reason == NOTHING_TO_RELEASE
    assert plan_audit(np.full(10, np.nan), 0.05).reason == NO_SAVING
    assert plan_audit(np.full(10, 0.3), 1.0).missing == 0
    assert plan_audit(np.full(10, 0.3), 0.05, released=400).missing == 0
    assert plan_audit(np.full(300, 0.01), 0.0).missing > 285  # no error at all: nearly a census


def test_a_perfect_model_is_planned_the_least_audit():
    plan = plan_audit(np.zeros(5000), 0.05)
    assert (plan.audit, plan.errors_allowed) == (plan.least, 0)
    assert plan.missing == pytest.approx(plan.least)
