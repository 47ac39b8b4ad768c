"""The contract every selection strategy keeps. New strategies are tested by being listed."""

from dataclasses import replace

import numpy as np
import pytest

from synthlab.science.cards import card
from synthlab.science.selection import STRATEGIES, choices
from synthlab.science.selection.active import UncertaintyWeighted
from synthlab.science.selection.base import Pool
from synthlab.science.selection.co_annotating import CoAnnotating
from synthlab.science.selection.k_means import KMeansCentres
from synthlab.science.selection.k_medoids import KMedoids
from synthlab.science.selection.stratified import Stratified
from synthlab.science.selection.vote_k import FastVoteK, VoteK

POOL = Pool(
    size=50,
    probabilities=np.random.default_rng(1).dirichlet([1, 1, 1], size=50),
    features=np.random.default_rng(2).normal(size=(50, 4)),
    strata=np.arange(50) % 3,
    votes=np.random.default_rng(3).integers(0, 3, size=(50, 5)),
)
# The list, and those that are not on it yet.
ALL = {strategy.name: strategy for strategy in STRATEGIES.values()} | {
    strategy.name: strategy
    for strategy in (
        VoteK,
        FastVoteK,
        KMeansCentres,
        KMedoids,
        Stratified,
        CoAnnotating,
        UncertaintyWeighted,
    )
}


def alike(size, labels=2):
    """Samples that nothing sets apart."""
    return Pool(
        size=size,
        probabilities=np.full((size, labels), 1 / labels),
        features=np.ones((size, 3)),
        strata=np.zeros(size, dtype=int),
        votes=np.zeros((size, 3), dtype=int),
    )


@pytest.fixture(params=ALL.values(), ids=ALL)
def strategy(request):
    return request.param()


@pytest.fixture
def select(strategy):
    return lambda k, seed=0: strategy.select(POOL, k, np.random.default_rng(seed))


def test_it_draws_k_different_units(select):
    assert len(set(select(10).rows)) == 10


def test_it_draws_everything_when_asked_for_more(select):
    assert set(select(99).rows) == set(range(50))


def test_it_draws_nothing_when_asked_for_nothing(select):
    assert len(select(0).rows) == 0


def test_the_seed_decides_the_draw(select):
    assert select(10, seed=7).rows.tolist() == select(10, seed=7).rows.tolist()


def test_inclusion_probabilities_are_probabilities(select):
    inclusion = select(10).inclusion
    assert inclusion is None or ((inclusion > 0) & (inclusion <= 1)).all()


def test_every_drawn_unit_has_a_score(select):
    drawn = select(10)
    assert drawn.scores.shape == drawn.rows.shape


def test_ties_are_broken_by_the_seed_and_never_by_the_row_order(strategy):
    pool = alike(400)
    first, second = (strategy.select(pool, 40, np.random.default_rng(s)).rows for s in (1, 2))
    assert set(first) != set(second)
    assert set(first) != set(range(40))


def test_it_has_a_method_card_with_all_four_parts(strategy):
    shown = card(strategy)
    assert all([shown.does, shown.source, shown.use_when, shown.not_when])


def test_it_needs_only_what_a_pool_can_have(strategy):
    assert all(hasattr(POOL, need) for need in strategy.needs)


@pytest.mark.parametrize("strategy", [listed() for listed in STRATEGIES.values()])
def test_it_is_listed_under_its_own_name(strategy):
    assert STRATEGIES[strategy.name] is type(strategy)
    assert (strategy.name, strategy.label) in choices()


def test_a_draw_by_chance_states_the_chances_of_the_whole_pool(strategy):
    drawn = strategy.select(POOL, 10, np.random.default_rng(0))
    assert (drawn.chances is not None) == strategy.by_chance
    if strategy.by_chance:
        assert drawn.chances.shape == (50,)
        assert drawn.chances.sum() == pytest.approx(10)


@pytest.mark.parametrize("labels", [1, 2, 500])
@pytest.mark.parametrize("size", [0, 1, 2, 30])
def test_any_pool_gives_what_it_can_and_finite_scores(strategy, size, labels):
    for k in (0, 1, 5, 99):
        drawn = strategy.select(alike(size, labels), k, np.random.default_rng(0))
        assert len(set(drawn.rows)) == min(k, size)
        assert np.isfinite(drawn.scores).all()


def test_a_draw_of_less_than_nothing_is_refused(strategy):
    with pytest.raises(ValueError, match="smaller than no sample"):
        strategy.select(POOL, -1, np.random.default_rng(0))


def test_what_it_lacks_is_said_in_a_sentence(strategy):
    if strategy.needs:
        with pytest.raises(ValueError, match=r"^No .+ known here: .+\.$"):
            strategy.select(Pool(size=5), 2, np.random.default_rng(0))


def test_unknown_beliefs_are_drawn_like_any_other_sample(strategy):
    p = POOL.probabilities.copy()
    p[::4] = np.nan
    for beliefs in (p, np.full((50, 3), np.nan)):
        pool = replace(POOL, probabilities=beliefs)
        assert len(set(strategy.select(pool, 20, np.random.default_rng(0)).rows)) == 20


@pytest.mark.parametrize("wrong", [[0.5, 0.5, 0.5], [1.5, -0.5, 0.0], [0.2, 0.2, 0.2], [2, 0, 0]])
def test_what_are_no_probabilities_is_refused(strategy, wrong):
    p = POOL.probabilities.copy()
    p[7] = wrong
    if "probabilities" in strategy.needs:
        with pytest.raises(ValueError, match=r"probabilit.+\.$"):
            strategy.select(replace(POOL, probabilities=p), 2, np.random.default_rng(0))


UNCERTAIN = ["max_entropy", "least_confidence", "margin"]


@pytest.mark.parametrize("name", UNCERTAIN)
def test_it_asks_for_the_sample_the_model_is_least_sure_of(name):
    beliefs = Pool(size=3, probabilities=np.array([[0.9, 0.1], [0.55, 0.45], [0.7, 0.3]]))
    drawn = STRATEGIES[name]().select(beliefs, 3, np.random.default_rng(0))
    assert drawn.rows.tolist() == [1, 2, 0]


@pytest.mark.parametrize("name", UNCERTAIN)
def test_stored_columns_take_the_place_of_probabilities(name):
    stored = Pool(
        size=3,
        confidence=np.array([0.9, 0.55, 0.7]),
        entropy=np.array([0.1, 0.6, 0.3]),
        margin=np.array([0.8, 0.1, 0.4]),
    )
    drawn = STRATEGIES[name]().select(stored, 2, np.random.default_rng(0))
    assert drawn.rows.tolist() == [1, 2]


@pytest.mark.parametrize("name", UNCERTAIN)
def test_a_missing_belief_goes_to_people_first_and_is_never_taken_for_a_half(name):
    column = np.array([0.5, np.nan, 0.5, np.nan, 0.99])
    stored = Pool(size=5, confidence=column, entropy=column, margin=column)
    strategy = STRATEGIES[name]()
    draws = [strategy.select(stored, 2, np.random.default_rng(seed)) for seed in range(8)]
    assert {frozenset(drawn.rows) for drawn in draws} == {frozenset({1, 3})}
    assert len({tuple(drawn.rows) for drawn in draws}) == 2, "the seed orders the missing ones"
    assert np.isnan(draws[0].scores).all()


@pytest.mark.parametrize("name", UNCERTAIN)
def test_without_any_belief_it_says_what_is_missing(name):
    with pytest.raises(ValueError, match="let a machine label"):
        STRATEGIES[name]().select(Pool(size=5), 2, np.random.default_rng(0))


def test_strategies_differ_where_the_theory_says_so():
    # Three labels: the first row has the lowest confidence, the second the closest runner-up,
    # the third the widest spread.
    p = np.array([[0.42, 0.30, 0.28, 0.0, 0.0], [0.49, 0.48, 0.03, 0.0, 0.0], [0.5] + [0.125] * 4])
    picked = {
        name: STRATEGIES[name]().select(Pool(3, p), 1, np.random.default_rng(0)).rows[0]
        for name in UNCERTAIN
    }
    assert picked == {"least_confidence": 0, "margin": 1, "max_entropy": 2}


def test_multi_label_looks_at_the_least_sure_label():
    p = np.array([[0.99, 0.9, 0.02], [0.99, 0.51, 0.02]])
    drawn = STRATEGIES["least_confidence"]().select(
        Pool(size=2, probabilities=p, multiple=True), 1, np.random.default_rng(0)
    )
    assert drawn.rows.tolist() == [1]
    assert drawn.scores == pytest.approx([0.49])


def test_a_plug_in_without_a_card_is_named():
    class Bare:
        """What it does: something.

        Source: nobody.
        """

    with pytest.raises(ValueError, match="Bare lacks: Use when, Not when"):
        card(Bare)
