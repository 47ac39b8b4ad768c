"""Shares with a model's help: right whatever it is worth, narrower where it knows something."""

import numpy as np
import pytest

from synthlab.science.assisted import (
    NO_NEED,
    TOO_ALIKE,
    TOO_FEW,
    Predictions,
    assisted_proportion,
    cross_fitted,
    helped_proportion,
    prevalences,
    tuned_weight,
)
from synthlab.science.estimation import Design, hajek_proportion
from synthlab.science.figures import NO_ANSWERS, NO_DRAW

SIZE = 3000


def frame(rng, useful=0.85, size=SIZE):
    """What people would say of every sample, and a model that is right on the useful share."""
    truth = (rng.random(size) < 0.35).astype(float)
    return truth, np.where(rng.random(size) < useful, truth, 1 - truth)


def even(rng, n, size=SIZE):
    return rng.choice(size, n, replace=False), Design(np.full(n, n / size), size)


def width(figure):
    return figure.interval[1] - figure.interval[0]


def test_for_an_even_draw_it_is_ppi_plus_plus():
    """Angelopoulos, Duchi & Zrnic (2023): lambda * mean of the unlabelled f + mean of the
    labelled y - lambda * f, lambda = Cov(y, f) / ((1 + n / N) Var f), N the unlabelled ones."""
    rng = np.random.default_rng(1)
    truth, said = frame(rng)
    rows, design = even(rng, 240)
    y, f = truth[rows], said[rows]
    rest = np.delete(said, rows)
    weight = np.cov(y, f, ddof=0)[0, 1] / ((1 + len(y) / len(rest)) * f.var())
    expected = weight * rest.mean() + (y - weight * f).mean()
    figure = assisted_proportion(y, design, Predictions.of(said, rows))
    assert figure.value == pytest.approx(expected)
    assert figure.method == "ppi"


def test_with_useless_predictions_it_is_hajeks():
    rng = np.random.default_rng(2)
    truth, _ = frame(rng)
    pi = rng.uniform(0.02, 0.2, SIZE)
    rows = np.flatnonzero(rng.random(SIZE) < pi)
    design = Design(pi[rows], SIZE)
    constant = Predictions.of(np.full(SIZE, 0.4), rows)
    assert tuned_weight(truth[rows], constant.answered, design) == 0
    figure = assisted_proportion(truth[rows], design, constant)
    plain = hajek_proportion(truth[rows], design)
    assert figure.value == pytest.approx(plain.value)
    wrong = Predictions.of(1 - truth, rows)  # worse than nothing: it counts for nothing
    assert tuned_weight(truth[rows], wrong.answered, design) == 0


def test_it_is_unbiased_covers_and_narrows_where_the_model_knows_something():
    """Prevalence from 300 uneven draws: a model mostly right halves the variance."""
    rng = np.random.default_rng(3)
    truth, said = frame(rng)
    pi = rng.uniform(0.03, 0.17, SIZE)
    errors, widths, hits, taken = [], [], 0, 0
    for _ in range(300):
        rows = np.flatnonzero(rng.random(SIZE) < pi)
        design = Design(pi[rows], SIZE)
        figure = helped_proportion(truth[rows], design, Predictions.of(said, rows)).figure
        plain = hajek_proportion(truth[rows], design)
        taken += figure.method == "aipw"
        errors.append(figure.value - truth.mean())
        widths.append(width(figure) / width(plain))
        hits += figure.interval[0] <= truth.mean() <= figure.interval[1]
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(300)
    assert hits >= 0.93 * 300
    assert taken > 0.85 * 300
    assert np.mean(widths) < 0.85


def test_predictions_learned_without_cross_fitting_would_claim_too_much():
    """Four hundred columns of noise explain any 120 answers that they were fitted on."""
    rng = np.random.default_rng(4)
    truth, _ = frame(rng, size=600)
    noise = rng.normal(size=(600, 400))
    rows, design = even(rng, 120, 600)
    fitted = cross_fitted(truth[rows], design, noise, rows)
    narrowed = helped_proportion(truth[rows], design, fitted).figure
    assert width(narrowed) > 0.95 * width(hajek_proportion(truth[rows], design))
    taught = np.full(600, truth[rows].mean())
    taught[rows] = np.clip(truth[rows] + rng.normal(0, 0.1, 120), 0, 1)  # told the very answers
    told = assisted_proportion(truth[rows], design, Predictions.of(taught, rows))
    assert width(told) < 0.5 * width(narrowed)


def test_cross_fitted_confidence_is_learned_and_unknown_features_get_the_mean():
    rng = np.random.default_rng(5)
    sure = rng.normal(size=SIZE)
    right = (rng.random(SIZE) < 1 / (1 + np.exp(-1 - 2 * sure))).astype(float)
    rows, design = even(rng, 400)
    features = sure[:, None].copy()
    features[:300] = np.nan
    fitted = cross_fitted(right[rows], design, features, rows)
    assert fitted.mean == pytest.approx(right.mean(), abs=0.06)
    known = rows >= 300
    assert np.corrcoef(fitted.answered[known], sure[rows][known])[0, 1] > 0.85
    assert np.ptp(fitted.answered[~known]) < 0.1
    again = cross_fitted(right[rows], design, features, rows)
    assert (again.answered == fitted.answered).all()


def test_few_or_nearly_unanimous_answers_get_the_plain_interval():
    rng = np.random.default_rng(6)
    truth, said = frame(rng)
    rows, design = even(rng, 90)
    few = helped_proportion(truth[rows], design, Predictions.of(said, rows))
    assert (few.figure, few.worth) == (hajek_proportion(truth[rows], design), None)
    assert (few.reason, few.helps) == (TOO_FEW, False)
    flawless = helped_proportion(truth[rows], design, Predictions.of(truth, rows)).figure
    assert flawless == few.figure
    rows, design = even(rng, 400)
    assert assisted_proportion(truth[rows], design, Predictions.of(truth, rows)) == (
        hajek_proportion(truth[rows], design)  # no answer differed: the variance is rounding alone
    )
    near = (rng.random(SIZE) < 0.98).astype(float)
    rows, design = even(rng, 400)
    found = helped_proportion(near[rows], design, Predictions.of(near, rows))
    assert found.figure == hajek_proportion(near[rows], design)  # flawless: no miss was seen
    assert found.reason == TOO_ALIKE


def test_which_interval_is_narrower_plays_no_part():
    """A model that knows little: taken always where answers are enough, wider or narrower."""
    rng = np.random.default_rng(11)
    truth, said = frame(rng, useful=0.58)
    ratios = []
    for _ in range(60):
        rows, design = even(rng, 150)
        found = helped_proportion(truth[rows], design, Predictions.of(said, rows))
        assert found.helps
        ratios.append(width(found.figure) / width(hajek_proportion(truth[rows], design)))
    assert min(ratios) < 1 < max(ratios)


def test_the_worth_is_how_many_plain_answers_would_vary_as_little():
    """Against the spread of both over 400 draws: the ratio of their variances, times n."""
    rng = np.random.default_rng(12)
    truth, said = frame(rng, useful=0.75)
    plain, helped, worth = [], [], []
    for _ in range(400):
        rows, design = even(rng, 200)
        found = helped_proportion(truth[rows], design, Predictions.of(said, rows))
        plain.append(truth[rows].mean())
        helped.append(found.figure.value)
        worth.append(found.worth)
    assert np.mean(worth) == pytest.approx(200 * np.var(plain) / np.var(helped), rel=0.2)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_answers_that_are_all_alike_are_a_figure_and_no_traceback(value):
    rng = np.random.default_rng(7)
    rows, design = even(rng, 150)
    y = np.full(150, value)
    predictions = cross_fitted(y, design, rng.normal(size=(SIZE, 2)), rows)
    for figure in (
        assisted_proportion(y, design, predictions),
        helped_proportion(y, design, predictions).figure,
    ):
        assert figure.value == value
        assert 0 < width(figure) < 0.1


def test_without_a_draw_or_without_answers_it_says_so():
    predictions = Predictions(np.full(4, 0.5), 0.5)
    targeted = helped_proportion(np.ones(4), Design(np.full(4, np.nan), 9), predictions).figure
    assert (targeted.value, targeted.reason) == (None, NO_DRAW)
    nobody = assisted_proportion(np.full(4, np.nan), Design(np.full(4, 0.2), 20), predictions)
    assert (nobody.value, nobody.reason) == (None, NO_ANSWERS)


def test_a_census_needs_no_help():
    truth, said = frame(np.random.default_rng(8), size=200)
    everything = Design(np.ones(200), 200)
    found = helped_proportion(truth, everything, Predictions.of(said, np.arange(200)))
    assert found.reason == NO_NEED
    figure = found.figure
    assert figure.interval == (truth.mean(), truth.mean())


def test_a_missing_prediction_is_refused():
    with pytest.raises(ValueError, match="prediction"):
        Predictions.of(np.array([0.2, np.nan]), np.array([0]))


def test_prevalences_of_all_labels_come_from_people_alone_or_with_the_models_answers():
    rng = np.random.default_rng(9)
    people = rng.choice(4, SIZE, p=[0.5, 0.3, 0.15, 0.05])
    model = np.where(rng.random(SIZE) < 0.85, people, rng.integers(0, 4, SIZE))
    rows, design = even(rng, 400)
    said = (people[rows, None] == np.arange(4)).astype(float)
    said[:20] = np.nan  # skipped
    alone = prevalences(said, design)
    given = (model[:, None] == np.arange(4)).astype(float)
    given[:50] = np.nan  # the model said nothing
    helped = prevalences(said, design, given, rows)
    assert [figure.n for figure in helped] == [380] * 4
    assert sum(figure.value for figure in alone) == pytest.approx(1)
    for label, (first, second) in enumerate(zip(alone, helped, strict=True)):
        share = (people == label).mean()
        assert first.interval[0] <= share <= first.interval[1]
        assert second.interval[0] <= share <= second.interval[1]
    assert width(helped[0]) < 0.8 * width(alone[0])
