"""What keeping only the most confident labels would leave in errors."""

import numpy as np
import pytest

from synthlab.science.bootstrap import Bootstrap
from synthlab.science.estimation import Design
from synthlab.science.figures import NO_ANSWERS, NO_DRAW
from synthlab.science.intervals import hypergeometric_interval
from synthlab.science.risk_coverage import area, risk_coverage

QUICK = Bootstrap(replicates=200)


def population(rng, size=5000):
    confidence = 1 - rng.beta(0.6, 11, size)
    wrong = (rng.random(size) > np.clip(1 - 2.3 * (1 - confidence), 0.02, 1)).astype(float)
    return confidence, wrong


def slow_aurc(wrong_in_order):
    return np.mean([wrong_in_order[: k + 1].mean() for k in range(len(wrong_in_order))])


def test_the_area_is_the_mean_risk_of_all_prefixes():
    confidence, wrong = population(np.random.default_rng(1), 400)
    found = risk_coverage(confidence, wrong, bootstrap=QUICK)
    assert found.aurc.value == pytest.approx(slow_aurc(wrong[np.argsort(-confidence)]))
    assert found.optimal.value == pytest.approx(slow_aurc(np.sort(wrong)))
    assert found.excess.value == pytest.approx(found.aurc.value - found.optimal.value)
    assert found.random.value == pytest.approx(wrong.mean())
    for figure in (found.aurc, found.optimal, found.excess):
        assert figure.interval[0] < figure.value < figure.interval[1]


def test_tied_confidences_count_as_if_in_random_order():
    rng = np.random.default_rng(2)
    confidence = rng.choice([0.8, 0.9, 1.0], 60)
    wrong = (rng.random(60) < 0.3).astype(float)
    orders = [np.lexsort((rng.random(60), -confidence)) for _ in range(1500)]
    expected = np.mean([slow_aurc(wrong[order]) for order in orders])
    assert area(confidence, wrong, np.ones(60)) == pytest.approx(expected, abs=0.005)
    assert area(np.ones(60), wrong, np.ones(60)) == pytest.approx(wrong.mean())


def test_the_curve_ends_with_all_and_keeps_ties_together():
    confidence = np.repeat([0.95, 0.9, 0.5], [50, 30, 20])
    wrong = np.concatenate([np.zeros(50), np.repeat([0.0, 1.0], [24, 6]), np.ones(20)])
    found = risk_coverage(confidence, wrong, Design(np.full(100, 0.1), 1000), bootstrap=QUICK)
    assert [(point.threshold, point.coverage) for point in found.points] == [
        (0.95, pytest.approx(0.5)), (0.9, pytest.approx(0.8)), (0.5, pytest.approx(1.0))
    ]  # fmt: skip
    assert [point.risk.value for point in found.points] == pytest.approx([0, 6 / 80, 0.26])
    assert found.points[0].risk.interval == hypergeometric_interval(0, 50, 500)


def test_weights_undo_a_draw_that_prefers_doubt():
    rng = np.random.default_rng(3)
    confidence, wrong = population(rng, 20_000)
    truth = slow_aurc(wrong[np.argsort(-confidence)])
    pi = np.clip(2000 * (1 - confidence) / (1 - confidence).sum(), 0.02, 1)
    drawn = rng.random(20_000) < pi
    naive = risk_coverage(confidence[drawn], wrong[drawn], bootstrap=QUICK)
    fair = risk_coverage(
        confidence[drawn], wrong[drawn], Design(pi[drawn], 20_000), bootstrap=QUICK
    )
    assert abs(naive.aurc.value - truth) > 0.05
    assert fair.aurc.interval[0] <= truth <= fair.aurc.interval[1]
    assert len(fair.points) <= 50


def test_the_interval_of_the_area_covers():
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(50):
        confidence, wrong = population(rng, 3000)
        drawn = rng.choice(3000, 300, replace=False)
        design = Design(np.full(300, 0.1), 3000)
        found = risk_coverage(confidence[drawn], wrong[drawn], design, 1, QUICK)
        truth = area(confidence, wrong, np.ones(3000))
        hits += found.aurc.interval[0] <= truth <= found.aurc.interval[1]
    assert hits >= 0.86 * 50


@pytest.mark.parametrize("answer", [0.0, 1.0])
def test_answers_that_are_all_alike_claim_no_certainty(answer):
    found = risk_coverage(np.linspace(0.5, 1, 30), np.full(30, answer))
    assert found.aurc.value == answer
    assert found.excess.value == 0
    for figure in (found.aurc, found.excess, found.random):
        assert figure.interval[0] < figure.interval[1]


def test_without_answers_there_is_a_reason():
    nothing = risk_coverage(np.array([np.nan]), np.array([1.0]))
    assert (nothing.points, nothing.reason, nothing.unknown) == ((), NO_ANSWERS, 1)
    undrawn = risk_coverage(np.array([0.5]), np.array([1.0]), Design(np.array([np.nan])))
    assert undrawn.aurc.reason == NO_DRAW
    single = risk_coverage(np.array([0.5]), np.array([1.0]))
    assert single.aurc.value == 1


def test_copies_of_a_text_say_no_more_than_one():
    confidence, wrong = population(np.random.default_rng(5), 120)
    pi, texts = np.full(480, 0.01), np.arange(120).repeat(4)
    copies = confidence.repeat(4), wrong.repeat(4)
    wide = risk_coverage(*copies, Design(pi, 48_000, clusters=texts), 2, QUICK)
    narrow = risk_coverage(*copies, Design(pi, 48_000), 2, QUICK)
    assert np.diff(wide.aurc.interval) > 1.6 * np.diff(narrow.aurc.interval)
