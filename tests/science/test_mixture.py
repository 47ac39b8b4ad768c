"""A round of two parts: the audit part measures, whatever the main part takes."""

import numpy as np
import pytest

from synthlab.science.selection import STRATEGIES
from synthlab.science.selection.base import Pool
from synthlab.science.selection.mixture import AUDIT, draw

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
