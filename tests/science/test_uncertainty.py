"""Uncertainty of a distribution over labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy

from synthlab.science.uncertainty import confidence, entropy, margin


def test_votes_of_four_three_and_two_in_nine_have_the_published_entropy():
    # CoAnnotating (Li et al. 2023): 1.5305 bits.
    bits = entropy(np.array([[4, 3, 2]]) / 9) / np.log(2)
    assert bits == pytest.approx([1.5305], abs=5e-5)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=8).filter(lambda row: sum(row) > 0.1))
def test_it_agrees_with_scipy_and_with_sorting(row):
    p = np.array([row]) / sum(row)
    best, runner_up = sorted(p[0])[:-3:-1]
    assert entropy(p) == pytest.approx([scipy_entropy(p[0])])
    assert confidence(p) == pytest.approx([best])
    assert margin(p) == pytest.approx([best - runner_up])


def test_multi_label_takes_each_label_as_a_question_of_its_own():
    p = np.array([[0.9, 0.4]])
    binary = [scipy_entropy([q, 1 - q]) for q in p[0]]
    assert confidence(p, multiple=True) == pytest.approx([0.6])
    assert margin(p, multiple=True) == pytest.approx([0.2])
    assert entropy(p, multiple=True) == pytest.approx([np.mean(binary)])
    assert entropy(p, multiple=True, worst=True) == pytest.approx([max(binary)])


@pytest.mark.parametrize("measure", [confidence, entropy, margin])
@pytest.mark.parametrize("multiple", [False, True])
def test_an_unknown_belief_stays_unknown(measure, multiple):
    p = np.array([[0.5, np.nan, 0.2], [0.2, 0.3, 0.5]])
    assert np.isnan(measure(p, multiple=multiple)).tolist() == [True, False]


def test_one_label_alone_leaves_no_doubt():
    assert margin(np.array([[1.0]])) == pytest.approx([1])
    assert entropy(np.array([[1.0]])) == pytest.approx([0])
