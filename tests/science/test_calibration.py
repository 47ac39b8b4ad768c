"""Confidence against truth, and the maps from one to the other."""

import json

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from synthlab.science.bootstrap import Bootstrap
from synthlab.science.calibration import brier, calibration, reliability
from synthlab.science.calibration_maps import (
    ALL_ALIKE,
    NO_MAP_HELPS,
    ONE_CONFIDENCE,
    RAW,
    TOO_FEW_FOR_A_MAP,
    CalibrationMap,
    apply_map,
    choose_map,
    fit_map,
)
from synthlab.science.estimation import Design
from synthlab.science.figures import NO_ANSWERS, NO_DRAW

QUICK = Bootstrap(replicates=200)


def chance(confidence):
    """How often an overconfident machine is right: the truth that maps should find."""
    return np.clip(1 - 2.3 * (1 - confidence), 0.02, 1)


def population(rng, size=5000):
    confidence = 1 - rng.beta(0.6, 11, size)
    return confidence, (rng.random(size) < chance(confidence)).astype(float)


def plain_ece(confidence, right, bins=10):
    """The definition, written slowly."""
    total = 0.0
    for low in np.arange(bins) / bins:
        inside = (confidence > low) & (confidence <= low + 1 / bins)
        if inside.any():
            total += inside.sum() * abs(right[inside].mean() - confidence[inside].mean())
    return total / len(right)


@pytest.mark.parametrize(
    ("binning", "strategy"), [("equal_width", "uniform"), ("equal_mass", "quantile")]
)
def test_bins_agree_with_sklearn(binning, strategy):
    confidence, right = population(np.random.default_rng(1), 500)
    found = reliability(confidence, right, binning=binning, bootstrap=QUICK)
    accuracies, means = calibration_curve(right, confidence, n_bins=10, strategy=strategy)
    assert [each.accuracy.value for each in found.bins] == pytest.approx(accuracies)
    assert [each.confidence for each in found.bins] == pytest.approx(means)
    assert sum(each.count for each in found.bins) == 500
    assert sum(each.share for each in found.bins) == pytest.approx(1)


def test_the_error_is_the_mean_gap_of_the_bins():
    confidence, right = population(np.random.default_rng(2), 400)
    found = reliability(confidence, right, binning="equal_width", bootstrap=QUICK)
    assert found.ece.value == pytest.approx(plain_ece(confidence, right))
    assert found.ece.interval[0] <= found.ece.value <= found.ece.interval[1]
    assert found.debiased.value < found.ece.value


def test_brier_agrees_with_sklearn_with_and_without_weights():
    rng = np.random.default_rng(3)
    confidence, right = population(rng, 300)
    assert brier(confidence, right).value == pytest.approx(brier_score_loss(right, confidence))
    pi = rng.uniform(0.05, 0.6, 300)
    expected = brier_score_loss(right, confidence, sample_weight=1 / pi)
    figure = brier(confidence, right, Design(pi))
    assert figure.value == pytest.approx(expected)
    assert figure.interval[0] < expected < figure.interval[1]
    assert figure.n_eff < 300


def test_few_stated_confidences_are_bins_of_their_own():
    confidence = np.repeat([0.8, 0.9, 0.95, 1.0], [5, 40, 30, 25])
    found = reliability(confidence, np.ones(100))
    assert found.binning == "values"
    assert [(each.confidence, each.count) for each in found.bins] == [
        (pytest.approx(0.8), 5), (pytest.approx(0.9), 40), (pytest.approx(0.95), 30), (1.0, 25)
    ]  # fmt: skip
    assert found.distinct == 4


def test_equal_confidences_share_a_bin_of_equal_mass():
    confidence = np.concatenate([np.full(70, 0.9), np.linspace(0.1, 0.8, 30)])
    found = reliability(confidence, np.ones(100), binning="equal_mass")
    assert [each.count for each in found.bins if each.high == 0.9] == [70]


def test_a_draw_that_prefers_doubt_needs_its_weights():
    """Statistics of the whole set: the naive ECE is far off, the weighted one is not."""
    rng = np.random.default_rng(4)
    confidence, right = population(rng, 20_000)
    pi = np.clip(4000 * (1 - confidence) / (1 - confidence).sum(), 0.02, 1)
    drawn = rng.random(20_000) < pi
    truth = plain_ece(confidence, right)
    naive = reliability(confidence[drawn], right[drawn], binning="equal_width", bootstrap=QUICK)
    design = Design(pi[drawn], 20_000)
    fair = reliability(confidence[drawn], right[drawn], design, "equal_width", bootstrap=QUICK)
    assert naive.ece.value > truth + 0.02
    assert fair.ece.value == pytest.approx(truth, abs=0.012)
    assert fair.debiased.interval[0] <= truth <= fair.debiased.interval[1]


def test_the_interval_of_the_error_covers_the_truth():
    rng = np.random.default_rng(5)
    hits, plain, debiased = 0, [], []
    for _ in range(60):
        confidence = rng.uniform(0.5, 1, 4000)
        right = (rng.random(4000) < confidence - 0.03).astype(float)
        drawn = rng.choice(4000, 300, replace=False)
        design = Design(np.full(300, 300 / 4000), 4000)
        found = reliability(confidence[drawn], right[drawn], design, "equal_width", 10, QUICK)
        truth = plain_ece(confidence, right)
        low, high = found.debiased.interval
        hits += low <= truth <= high
        plain.append(found.ece.value - truth)
        debiased.append(found.debiased.value - truth)
    assert hits >= 0.85 * 60  # 90 to 96 % in long runs
    assert np.mean(plain) > 0.01  # biased upwards, as the page says
    assert abs(np.mean(debiased)) < 0.7 * np.mean(plain)


def test_a_whole_set_leaves_no_doubt():
    confidence, right = population(np.random.default_rng(6), 200)
    found = calibration(confidence, right, Design(np.ones(200), 200), bootstrap=QUICK)
    for figure in (found.brier, found.adaptive_ece, found.reliability.debiased):
        assert figure.interval == pytest.approx((figure.value, figure.value))
    assert found.reliability.debiased.value == pytest.approx(found.reliability.ece.value)


@pytest.mark.parametrize("answer", [0.0, 1.0])
def test_answers_that_are_all_alike_claim_no_certainty(answer):
    found = calibration(np.full(40, 0.9), np.full(40, answer))
    for figure in (found.brier, found.adaptive_ece, found.reliability.ece):
        assert figure.interval[0] < figure.interval[1]
        assert figure.interval[0] <= figure.value <= figure.interval[1]


def test_without_answers_there_is_a_reason_and_no_number():
    nothing = calibration(np.array([0.9, np.nan]), np.array([np.nan, 1.0]))
    assert nothing.reliability.reason == nothing.brier.reason == NO_ANSWERS
    assert nothing.reliability.unknown == 1
    chosen = calibration(np.array([0.9]), np.array([1.0]), Design(np.array([np.nan])))
    assert chosen.brier.reason == chosen.adaptive_ece.reason == NO_DRAW
    assert calibration(np.array([]), np.array([])).brier.value is None
    assert calibration(np.array([0.7]), np.array([1.0])).brier.value == pytest.approx(0.09)


def test_a_confidence_beyond_one_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        brier(np.array([95.0]), np.array([1.0]))


# Maps


def test_platt_agrees_with_sklearn_on_the_logit():
    confidence, right = population(np.random.default_rng(7), 2000)
    confidence = np.clip(confidence, 0.01, 0.99)
    logit = np.log(confidence / (1 - confidence))[:, None]
    # Its decision function is the logit itself, so sklearn's sigmoid is Platt's on our scale.
    identity = LogisticRegression().fit(logit, right)
    identity.coef_, identity.intercept_ = np.array([[1.0]]), np.array([0.0])
    oracle = CalibratedClassifierCV(FrozenEstimator(identity), method="sigmoid").fit(logit, right)
    ours = apply_map(fit_map("platt", confidence, right), confidence)
    assert ours == pytest.approx(oracle.predict_proba(logit)[:, 1], abs=2e-3)


def test_temperature_agrees_with_a_logistic_regression_without_intercept():
    confidence, right = population(np.random.default_rng(8), 2000)
    confidence = np.clip(confidence, 0.01, 0.99)
    weights = np.random.default_rng(0).uniform(1, 9, 2000)
    logit = np.log(confidence / (1 - confidence))[:, None]
    oracle = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-8)
    oracle.fit(logit, right, sample_weight=weights)
    fitted = fit_map("temperature", confidence, right, weights)
    assert 1 / fitted.parameters["t"][0] == pytest.approx(oracle.coef_[0, 0], abs=1e-3)


def test_isotonic_agrees_with_sklearn_off_the_fitted_points_too():
    confidence, right = population(np.random.default_rng(9), 500)
    oracle = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(confidence, right)
    asked = np.linspace(0, 1, 301)
    assert apply_map(fit_map("isotonic", confidence, right), asked) == pytest.approx(
        oracle.predict(asked)
    )


@pytest.mark.parametrize("name", ["raw", "temperature", "platt", "isotonic"])
def test_a_map_survives_storage_as_json(name):
    confidence, right = population(np.random.default_rng(10), 300)
    fitted = fit_map(name, confidence, right)
    stored = CalibrationMap.from_json(json.loads(json.dumps(fitted.as_json(), allow_nan=False)))
    mapped = apply_map(stored, np.array([0.0, 0.3, 1.0, np.nan]))
    assert mapped[:3] == pytest.approx(apply_map(fitted, np.array([0.0, 0.3, 1.0])), abs=0)
    assert np.isnan(mapped[3])
    assert ((mapped[:3] >= 0) & (mapped[:3] <= 1)).all()


@pytest.mark.parametrize(
    "stored", [{}, {"name": "magic", "parameters": {}}, {"name": "platt", "parameters": {"t": [1]}}]
)
def test_what_is_no_map_is_refused(stored):
    with pytest.raises(ValueError):
        CalibrationMap.from_json(stored)


def test_in_its_own_sample_an_isotonic_map_looks_perfect_and_cross_fitting_tells():
    """In-sample ECE 0 while that of the population is not; the held-out one is near the truth."""
    rng = np.random.default_rng(11)
    in_sample, held_out, population_ece = [], [], []
    for _ in range(10):
        confidence, right = population(rng, 300)
        fitted = fit_map("isotonic", confidence, right)
        in_sample.append(plain_ece(apply_map(fitted, confidence), right))
        fresh = 1 - rng.beta(0.6, 11, 20_000)
        # Against the known chances, so that noise of the fresh sample does not count.
        population_ece.append(np.abs(apply_map(fitted, fresh) - chance(fresh)).mean())
        fold = np.arange(300) % 5
        predicted = np.empty(300)
        for held in range(5):
            inside = fold == held
            part = fit_map("isotonic", confidence[~inside], right[~inside])
            predicted[inside] = apply_map(part, confidence[inside])
        held_out.append(plain_ece(predicted, right))
    assert np.max(in_sample) < 1e-9
    assert np.mean(population_ece) > 0.015
    assert np.mean(held_out) > 0.01


def test_below_300_answers_platt_is_the_only_candidate_and_isotonic_waits_for_1000():
    rng = np.random.default_rng(12)
    names = {}
    for n in (200, 600, 1500):
        chosen = choose_map(*population(rng, n), bootstrap=QUICK)
        names[n] = [trial.name for trial in chosen.trials]
    assert names[200] == ["raw", "platt"]
    assert names[600] == ["raw", "temperature", "platt"]
    assert names[1500] == ["raw", "temperature", "platt", "isotonic"]


def test_uneven_weights_count_as_fewer_answers():
    confidence, right = population(np.random.default_rng(13), 400)
    pi = np.where(np.arange(400) % 10 == 0, 0.01, 0.9)
    chosen = choose_map(confidence, right, Design(pi), bootstrap=QUICK)
    assert chosen.n == 400
    assert chosen.n_eff < 300
    assert [trial.name for trial in chosen.trials] == ["raw", "platt"]


def test_an_overconfident_machine_gets_a_map_that_helps_on_fresh_samples():
    rng = np.random.default_rng(14)
    confidence = rng.uniform(0.6, 1, 800)
    right = (rng.random(800) < confidence - 0.25).astype(float)
    chosen = choose_map(confidence, right, bootstrap=QUICK)
    assert (chosen.map.name, chosen.reason) != ("raw", NO_MAP_HELPS)
    fresh = rng.uniform(0.6, 1, 5000)
    off = np.abs(apply_map(chosen.map, fresh) - (fresh - 0.25)).mean()
    assert off < 0.06
    assert not np.isnan(chosen.held_out).any()
    best = next(trial for trial in chosen.trials if trial.name == chosen.map.name)
    assert best.gain > best.margin > 0
    assert best.brier.value == pytest.approx(np.mean((chosen.held_out - right) ** 2))


def test_a_calibrated_machine_mostly_keeps_its_confidence():
    rng = np.random.default_rng(15)
    kept = 0
    for _ in range(20):
        confidence = rng.uniform(0.5, 1, 250)
        right = (rng.random(250) < confidence).astype(float)
        chosen = choose_map(confidence, right, bootstrap=Bootstrap(replicates=2))
        kept += chosen.map == RAW
    assert kept >= 15


def test_a_map_is_not_fitted_to_nothing():
    confidence, right = population(np.random.default_rng(16), 100)
    assert choose_map(confidence[:10], right[:10]).reason == TOO_FEW_FOR_A_MAP
    assert choose_map(confidence, np.ones(100)).reason == ALL_ALIKE
    assert choose_map(np.full(100, 0.9), right).reason == ONE_CONFIDENCE
    assert choose_map(np.array([]), np.array([])).reason == NO_ANSWERS
    undrawn = choose_map(confidence, right, Design(np.full(100, np.nan)))
    assert (undrawn.map, undrawn.reason) == (RAW, NO_DRAW)


def test_confidences_of_zero_and_one_break_no_map():
    rng = np.random.default_rng(17)
    confidence = rng.choice([0.0, 0.5, 1.0], 1200)
    right = (rng.random(1200) < 0.3 + 0.4 * confidence).astype(float)
    chosen = choose_map(confidence, right, bootstrap=QUICK)
    assert np.isfinite(chosen.held_out).all()
    assert apply_map(chosen.map, np.array([0.0, 1.0])) == pytest.approx([0.3, 0.7], abs=0.08)


def test_the_seed_decides_the_folds():
    confidence, right = population(np.random.default_rng(18), 300)
    one, two = (choose_map(confidence, right, bootstrap=QUICK) for _ in range(2))
    assert np.array_equal(one.held_out, two.held_out)


def test_copies_of_a_text_say_no_more_than_one_and_share_a_fold():
    rng = np.random.default_rng(19)
    confidence, right = population(rng, 150)
    pi, texts = np.full(150, 0.01), np.arange(150)
    once = choose_map(confidence, right, Design(pi, 15_000, clusters=texts), bootstrap=QUICK)
    four = Design(pi.repeat(4), 60_000, clusters=texts.repeat(4))
    copied = choose_map(confidence.repeat(4), right.repeat(4), four, bootstrap=QUICK)
    assert len(np.unique(copied.held_out)) <= len(np.unique(once.held_out)) + 5
    margins = {trial.name: trial.margin for trial in copied.trials}
    alone = {trial.name: trial.margin for trial in once.trials}
    assert margins["platt"] == pytest.approx(alone["platt"], rel=0.25)
    wide = brier(confidence.repeat(4), right.repeat(4), four)
    narrow = brier(confidence.repeat(4), right.repeat(4), Design(pi.repeat(4), 60_000))
    assert np.diff(wide.interval) > 1.6 * np.diff(narrow.interval)


def test_a_map_is_judged_on_samples_that_it_did_not_see():
    rng = np.random.default_rng(20)
    confidence = rng.uniform(0.5, 1, 1500)
    right = (rng.random(1500) < confidence).astype(float)
    chosen = choose_map(confidence, right, bootstrap=Bootstrap(replicates=2))
    seen = apply_map(fit_map("isotonic", confidence, right), confidence)
    in_sample = np.mean((confidence - right) ** 2 - (seen - right) ** 2)
    isotonic = next(trial for trial in chosen.trials if trial.name == "isotonic")
    assert in_sample > 0  # always: it was fitted to these very answers
    assert isotonic.gain < 0 < isotonic.margin
