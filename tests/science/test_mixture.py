"""A round of two parts: the audit part measures, whatever the main part takes."""

from dataclasses import replace

import numpy as np
import pytest

from synthlab.science.estimation import Design, hajek_proportion
from synthlab.science.selection import STRATEGIES
from synthlab.science.selection.active import UncertaintyWeighted
from synthlab.science.selection.base import Pool
from synthlab.science.selection.k_means import KMeansCentres
from synthlab.science.selection.mixture import AUDIT, draw
from synthlab.science.selection.stratified import Stratified

POOL = Pool(size=200, confidence=np.linspace(0.3, 0.999, 200))


def draw_mixture(name="least_confidence", k=30, audit=10, seed=0, pool=POOL):
    return draw(pool, STRATEGIES[name](), k, audit, np.random.default_rng(seed))


@pytest.mark.parametrize("name", ["uniform", "least_confidence"])
def test_both_parts_are_drawn_in_full_and_no_sample_twice(name):
    drawn = draw_mixture(name)
    assert len(set(drawn.rows)) == 40
    assert (drawn.part == AUDIT).sum() == 10
    assert (drawn.part == name).sum() == 30


def test_an_audit_sample_stays_one_and_the_main_part_takes_its_next_best():
    for seed in range(20):
        drawn = draw_mixture(seed=seed)
        audit = set(drawn.rows[drawn.part == AUDIT])
        best_left = [row for row in range(200) if row not in audit][:30]
        assert drawn.rows[drawn.part != AUDIT].tolist() == best_left


def test_only_the_audit_part_measures_beside_a_deterministic_strategy():
    drawn = draw_mixture()
    assert drawn.inclusion[drawn.part == AUDIT] == pytest.approx(np.full(10, 10 / 200))
    assert np.isnan(drawn.inclusion[drawn.part != AUDIT]).all()


def test_every_sample_gets_into_the_audit_equally_often():
    hits = np.zeros(20)
    pool = Pool(size=20, confidence=np.linspace(0.1, 0.9, 20))
    for seed in range(2000):
        drawn = draw_mixture(k=5, audit=4, seed=seed, pool=pool)
        hits[drawn.rows[drawn.part == AUDIT]] += 1
    assert hits / 2000 == pytest.approx(np.full(20, 0.2), abs=0.04)  # over 4 standard errors


def test_a_uniform_main_part_makes_one_uniform_draw():
    assert draw_mixture("uniform").inclusion == pytest.approx(np.full(40, 40 / 200))


def test_a_draw_of_the_whole_pool_is_a_census():
    drawn = draw_mixture(k=500, audit=10)
    assert set(drawn.rows) == set(range(200))
    assert (drawn.inclusion == 1).all()


def test_without_an_audit_nothing_measures():
    drawn = draw_mixture(audit=0)
    assert drawn.rows.tolist() == list(range(30))
    assert np.isnan(drawn.inclusion).all()


def test_an_audit_alone_is_a_round_too():
    drawn = draw_mixture(k=0, audit=25)
    assert set(drawn.part) == {AUDIT}
    assert drawn.inclusion == pytest.approx(np.full(25, 25 / 200))


def test_the_audit_is_spread_evenly_over_the_ranks_but_not_countable():
    drawn = draw_mixture()
    places = np.flatnonzero(drawn.part == AUDIT)
    assert [place // 4 for place in places] == list(range(10))
    assert len(set(np.diff(places))) > 1


def test_every_sample_carries_its_score_from_the_main_strategy():
    drawn = draw_mixture()
    assert drawn.scores == pytest.approx(1 - POOL.confidence[drawn.rows])


def test_the_seed_decides_the_round():
    assert draw_mixture(seed=3).rows.tolist() == draw_mixture(seed=3).rows.tolist()
    assert draw_mixture(seed=3).rows.tolist() != draw_mixture(seed=4).rows.tolist()


def test_a_negative_part_is_refused():
    with pytest.raises(ValueError, match="smaller than no sample"):
        draw_mixture(audit=-1)


UNEVEN = Pool(
    size=24,
    confidence=np.r_[0.0, np.linspace(0.1, 0.999, 23)],
    strata=np.array([0] * 15 + [1] * 7 + [2, 2]),
)


@pytest.mark.parametrize("main", [UncertaintyWeighted(uniform=0.1), Stratified()])
@pytest.mark.parametrize(("k", "audit"), [(6, 4), (2, 10), (14, 8)])
def test_every_sample_is_in_an_uneven_round_as_often_as_stated(main, k, audit):
    hits, stated = np.zeros(24), np.full(24, np.nan)
    for seed in range(2000):
        drawn = draw(UNEVEN, main, k, audit, np.random.default_rng(seed))
        assert len(set(drawn.rows)) == k + audit
        assert (drawn.part == AUDIT).sum() == audit
        hits[drawn.rows] += 1
        stated[drawn.rows] = drawn.inclusion
    assert stated.sum() == pytest.approx(k + audit)
    error = np.sqrt(stated * (1 - stated) / 2000)
    assert (np.abs(hits / 2000 - stated) <= 4.5 * error + 1e-9).all()


def test_the_same_sample_has_the_same_chance_by_whichever_part_it_comes():
    chances = {}
    for seed in range(200):
        drawn = draw(UNEVEN, UncertaintyWeighted(), 6, 4, np.random.default_rng(seed))
        for row, part, chance in zip(drawn.rows, drawn.part, drawn.inclusion, strict=True):
            chances.setdefault(row, {})[part] = chance
    both = [found for found in chances.values() if len(found) == 2]
    assert len(both) > 15
    assert all(len({round(chance, 12) for chance in found.values()}) == 1 for found in both)


def test_an_uneven_round_measures_the_whole_pool():
    rng = np.random.default_rng(2)
    confidence = rng.beta(6, 2, size=1000)
    right = (rng.random(1000) < confidence).astype(float)
    pool = Pool(size=1000, confidence=confidence)
    shares = []
    for seed in range(300):
        drawn = draw(pool, UncertaintyWeighted(), 100, 50, np.random.default_rng(seed))
        shares.append(hajek_proportion(right[drawn.rows], Design(drawn.inclusion, 1000)).value)
    assert np.mean(shares) == pytest.approx(right.mean(), abs=4 * np.std(shares) / 300**0.5 + 0.002)


def test_an_audit_beside_a_main_part_by_chance_keeps_its_number_in_a_census():
    drawn = draw(UNEVEN, UncertaintyWeighted(), 500, 5, np.random.default_rng(0))
    assert set(drawn.rows) == set(range(24))
    assert (drawn.inclusion == 1).all()
    assert (drawn.part == AUDIT).sum() == 5


def test_an_audit_has_no_score_where_the_strategy_scores_only_what_it_draws():
    features = np.random.default_rng(0).normal(size=(60, 3))
    pool = Pool(size=60, features=features)
    drawn = draw(pool, KMeansCentres(), 8, 6, np.random.default_rng(0))
    assert (drawn.scores[drawn.part == AUDIT] == 0).all()
    assert (drawn.scores[drawn.part != AUDIT] > 0).all()
    assert np.isnan(drawn.inclusion[drawn.part != AUDIT]).all()
    assert drawn.inclusion[drawn.part == AUDIT] == pytest.approx(np.full(6, 0.1))


class ByApproximateGraph(STRATEGIES["least_confidence"]):
    """Like its parent, but it states how good its neighbours were."""

    def select(self, pool, k, rng):
        return replace(super().select(pool, k, rng), recall=0.9)


def test_a_round_keeps_the_recall_that_its_strategy_states():
    drawn = draw(POOL, ByApproximateGraph(), 30, 10, np.random.default_rng(0))
    assert drawn.recall == 0.9
    assert draw_mixture().recall is None
