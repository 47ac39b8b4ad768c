"""People against model: precision, recall and F1, and what draws do to them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_recall_fscore_support

from synthlab.science.confusion import compare, compare_multi_label, confusion
from synthlab.science.estimation import Design
from synthlab.science.figures import (
    NEVER_GIVEN,
    NEVER_USED,
    NO_ANSWERS,
    NO_DRAW,
    RARE_LABELS,
    TOO_FEW_ANSWERS,
)


def noisy(rng, n, shares=(0.6, 0.3, 0.1), right=0.8):
    people = rng.choice(len(shares), n, p=shares)
    return people, np.where(rng.random(n) < right, people, rng.integers(0, len(shares), n))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.booleans())
def test_it_agrees_with_sklearn(seed, weighted):
    rng = np.random.default_rng(seed)
    people, model = noisy(rng, 250)
    pi = rng.uniform(0.1, 0.9, 250) if weighted else np.ones(250)
    found = compare(people, model, 3, Design(pi, 10_000) if weighted else None)
    expected = precision_recall_fscore_support(
        people, model, labels=range(3), sample_weight=1 / pi, zero_division=0
    )
    for label, (precision, recall, f1) in enumerate(zip(*expected[:3], strict=True)):
        figures = found.labels[label]
        assert figures.precision.value == pytest.approx(precision)
        assert figures.recall.value == pytest.approx(recall)
        if figures.n_eff >= 10:
            assert figures.f1.value == pytest.approx(f1)
    if all(figures.n_eff >= 10 for figures in found.labels):
        macro = f1_score(people, model, average="macro", sample_weight=1 / pi)
        assert found.macro_f1.value == pytest.approx(macro)
    assert found.accuracy.value == pytest.approx(np.average(people == model, weights=1 / pi))


def test_the_weighted_matrix_counts_samples_of_the_frame():
    people, model = np.array([0, 1, 1, -1]), np.array([0, 0, 1, 1])
    assert confusion(people, model, 2).tolist() == [[1, 0], [1, 1]]
    design = Design(np.array([0.5, 0.25, np.nan, 0.5]))
    assert confusion(people, model, 2, design).tolist() == [[2, 0], [4, 0]]


def test_the_f1_of_a_label_with_few_answers_is_hidden():
    people = np.repeat([0, 1], [50, 9])
    found = compare(people, people, 2).labels
    assert (found[1].f1.value, found[1].f1.reason) == (None, TOO_FEW_ANSWERS)
    assert found[1].n_eff == pytest.approx(9)
    assert found[0].f1.value == 1
    assert found[0].f1.interval[0] < 1


def test_the_mean_f1_is_hidden_with_the_f1_of_any_label():
    people = np.repeat([0, 1, 2], [50, 30, 9])
    found = compare(people, people, 3)
    assert (found.macro_f1.value, found.macro_f1.reason) == (None, RARE_LABELS)
    enough = compare(people[:-9], people[:-9], 3).macro_f1
    assert enough.value == 1
    everything = Design(np.ones(len(people)), len(people))
    assert compare(people, people, 3, everything).macro_f1.interval == (1, 1)


def test_uneven_weights_hide_it_sooner():
    people = np.repeat([0, 1], [50, 20])
    pi = np.concatenate([np.full(50, 0.5), np.full(18, 0.9), np.full(2, 0.01)])
    rare = compare(people, people, 2, Design(pi)).labels[1]
    assert rare.support == 20
    assert rare.n_eff < 10
    assert rare.f1.reason == TOO_FEW_ANSWERS


def test_labels_that_one_side_never_used_say_so():
    found = compare(np.repeat([0, 1], 20), np.zeros(40, int), 3).labels
    assert found[1].precision.reason == NEVER_GIVEN
    assert found[1].recall.value == 0
    assert found[1].f1.value == 0
    assert found[2].f1.reason == NEVER_USED
    assert found[2].recall.reason == NEVER_USED


def test_without_answers_or_without_a_draw_it_says_so():
    nobody = compare(np.array([-1, -1]), np.array([0, 1]), 2)
    assert {nobody.accuracy.reason, nobody.macro_f1.reason} == {NO_ANSWERS}
    targeted = compare(np.array([0, 1]), np.array([0, 1]), 2, Design(np.full(2, np.nan)))
    reasons = {figure.f1.reason for figure in targeted.labels}
    assert reasons | {targeted.accuracy.reason, targeted.macro_f1.reason} == {NO_DRAW}


def test_no_error_seen_is_no_certainty():
    people = np.repeat([0, 1], 15)
    found = compare(people, people, 2)
    assert found.macro_f1.value == 1
    assert 0.7 < found.macro_f1.interval[0] < 0.95


def test_a_census_leaves_no_doubt():
    people, model = noisy(np.random.default_rng(1), 120)
    found = compare(people, model, 3, Design(np.ones(120), 120))
    for figure in (found.accuracy, found.macro_f1, found.labels[0].f1, found.labels[0].recall):
        assert figure.interval == pytest.approx((figure.value, figure.value))


def test_multi_label_counts_whole_answers_and_each_label():
    people = np.array([[1, 0], [1, 1], [0, 0], [-1, 1]] * 10)
    model = np.array([[1, 0], [1, 0], [0, 0], [1, 1]] * 10)
    found = compare_multi_label(people, model)
    assert found.accuracy.value == pytest.approx(2 / 3)
    assert found.accuracy.n == 30
    assert found.labels[0].f1.value == 1
    assert found.labels[1].recall.value == 0
    assert found.macro_f1.value == pytest.approx(0.5)
    assert found.matrix is None


def test_after_a_draw_of_doubtful_samples_only_the_weighted_figures_cover_the_truth():
    """Three labels, one of them rare, a draw that prefers doubtful samples, 150 times."""
    rng = np.random.default_rng(42)
    size, n, runs = 4000, 400, 150
    people = rng.choice(3, size, p=[0.55, 0.37, 0.08])
    doubt = rng.beta(1, 6, size)
    wrong = rng.random(size) < np.clip(0.9 * doubt, 0, 1)
    model = np.where(wrong, (people + rng.integers(1, 3, size)) % 3, people)
    whole = compare(people, model, 3, Design(np.ones(size), size))
    truth = {"accuracy": whole.accuracy, "macro": whole.macro_f1, "rare": whole.labels[2].f1}
    hits = {(name, way): 0 for name in truth for way in ("naive", "weighted")}
    pi = np.minimum(0.8 * n * doubt / doubt.sum() + 0.2 * n / size, 1)
    for _ in range(runs):
        drawn = rng.random(size) < pi
        for way, design in (("naive", None), ("weighted", Design(pi[drawn], size))):
            found = compare(people[drawn], model[drawn], 3, design)
            seen = {"accuracy": found.accuracy, "macro": found.macro_f1, "rare": found.labels[2].f1}
            for name, figure in seen.items():
                low, high = figure.interval
                hits[name, way] += low <= truth[name].value <= high
    for name in truth:
        assert hits[name, "weighted"] >= 0.9 * runs, hits
    assert hits["accuracy", "naive"] < 0.2 * runs, hits
