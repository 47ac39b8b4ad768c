"""Strategies that learn from what people have said so far."""

from dataclasses import replace

import numpy as np
import pytest

from synthlab.science.cards import card
from synthlab.science.selection.base import Pool
from synthlab.science.selection.expected_error import ExpectedError
from synthlab.science.selection.student_disagreement import StudentDisagreement

STRATEGIES = [ExpectedError(), ExpectedError(correct=False), StudentDisagreement()]


def population(size=600, seed=0):
    """The machine errs in one region of the texts, and is as sure of itself there as elsewhere."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(size, 5))
    truth = (features[:, 0] > 0).astype(int)
    errs = rng.random(size) < np.where(features[:, 1] > 0.8, 0.6, 0.03)
    answers = np.where(errs, 1 - truth, truth)
    stated = rng.uniform(0.7, 0.9, size)
    p = np.empty((size, 2))
    p[np.arange(size), answers], p[np.arange(size), 1 - answers] = stated, 1 - stated
    return truth, Pool(size=size, probabilities=p, features=features)


def after(pool, truth, amount):
    known = np.full(pool.size, -1)
    known[:amount] = truth[:amount]
    return replace(pool, known=known)


def drawn(strategy, pool, k, seed=0):
    return strategy.select(pool, k, np.random.default_rng(seed))


@pytest.fixture(params=STRATEGIES, ids=lambda strategy: strategy.name)
def strategy(request):
    return request.param


def test_samples_that_people_labelled_come_last_with_a_score_of_nothing(strategy):
    truth, pool = population()
    ranked = drawn(strategy, after(pool, truth, 200), 600)
    assert set(ranked.rows[-200:]) == set(range(200))
    assert (ranked.scores[-200:] == 0).all()
    assert (ranked.scores[:-200] > 0).all()
    assert ranked.inclusion is None


@pytest.mark.parametrize("seed", [0, 1])
def test_errors_come_first_where_confidence_says_nothing(strategy, seed):
    truth, pool = population(seed=seed)
    wrong = pool.probabilities.argmax(axis=1) != truth
    rows = drawn(strategy, after(pool, truth, 200), 80).rows
    assert wrong[rows].mean() > 2 * wrong[200:].mean()


def test_the_seed_decides(strategy):
    truth, pool = population()
    asked = after(pool, truth, 100)
    assert (
        drawn(strategy, asked, 50, 3).rows.tolist() == drawn(strategy, asked, 50, 3).rows.tolist()
    )


def test_stored_answers_take_the_place_of_the_likeliest_label(strategy):
    truth, pool = population()
    answers = pool.probabilities.argmax(axis=1)
    stored = replace(pool, answers=answers)
    first, second = (drawn(strategy, after(p, truth, 60), 30) for p in (pool, stored))
    assert first.rows.tolist() == second.rows.tolist()


def test_nothing_and_everything_can_be_drawn(strategy):
    truth, pool = population(size=60)
    for amount in (0, 60):
        assert len(drawn(strategy, after(pool, truth, amount), 0).rows) == 0
        assert set(drawn(strategy, after(pool, truth, amount), 99).rows) == set(range(60))


def test_the_pool_of_some_rows_keeps_what_people_said_of_them():
    truth, pool = population(size=60)
    some = after(pool, truth, 30).take(np.array([40, 3]))
    assert some.known.tolist() == [-1, truth[3]]


def test_without_answers_of_people_it_asks_where_the_machine_is_least_sure():
    _, pool = population()
    rows = drawn(ExpectedError(), pool, 600).rows
    assert (np.diff(pool.probabilities.max(axis=1)[rows]) >= 0).all()


def test_without_a_machine_it_says_what_is_missing(strategy):
    bare = Pool(size=5, features=np.ones((5, 2)))
    with pytest.raises(ValueError, match="machine"):
        drawn(strategy, bare, 2)


def test_samples_without_a_machines_label_go_to_people_first():
    _, pool = population(size=100)
    answers = np.where(np.arange(100) < 5, -1, pool.probabilities.argmax(axis=1))
    ranked = drawn(StudentDisagreement(), replace(pool, answers=answers), 5)
    assert set(ranked.rows) == set(range(5))


def test_the_method_card_is_complete(strategy):
    shown = card(strategy)
    assert all([shown.does, shown.source, shown.use_when, shown.not_when])
