"""Entropy of one machine's votes over several prompts."""

import numpy as np
import pytest

from synthlab.science.selection.base import ABSENT, UNPARSABLE, Pool
from synthlab.science.selection.co_annotating import CoAnnotating, vote_entropy


def test_votes_of_four_three_and_two_in_nine_have_the_published_entropy():
    # CoAnnotating (Li et al. 2023): 1.5305 bits.
    assert vote_entropy(np.array([[0] * 4 + [1] * 3 + [2] * 2])) == pytest.approx(
        [1.5305], abs=5e-5
    )


def test_an_unparsable_vote_is_a_category_of_its_own_and_never_a_silent_zero():
    votes = np.array([[0, 0, 0, UNPARSABLE], [0, 0, 0, 1], [0, 0, 0, 0], [UNPARSABLE] * 4])
    bits = vote_entropy(votes)
    assert bits[0] == bits[1] == pytest.approx(0.8113, abs=5e-5)
    assert bits[2:].tolist() == [0, 0]


def test_an_absent_vote_counts_for_nothing():
    votes = np.array([[0, 1, ABSENT, ABSENT], [0, 1, 0, 1], [2, ABSENT, ABSENT, ABSENT]])
    assert vote_entropy(votes) == pytest.approx([1, 1, 0])


def test_five_hundred_labels_and_many_prompts_agree_with_counting():
    votes = np.random.default_rng(0).integers(0, 500, size=(50, 40))
    counts = [np.unique(row, return_counts=True)[1] / 40 for row in votes]
    assert vote_entropy(votes) == pytest.approx([-(p * np.log2(p)).sum() for p in counts])


def test_people_get_the_most_divided_and_first_those_without_any_vote():
    votes = np.array([[0, 0, 0], [0, 1, 2], [ABSENT] * 3, [0, 0, 1]])
    drawn = CoAnnotating().select(Pool(size=4, votes=votes), 3, np.random.default_rng(0))
    assert drawn.rows.tolist() == [2, 1, 3]


def test_what_is_no_table_of_codes_is_refused():
    for votes in (np.array([0, 1]), np.array([[0.5, 1]]), np.array([[-3, 1]])):
        with pytest.raises(ValueError, match=r"^(Votes are|A vote is)"):
            vote_entropy(votes)
    with pytest.raises(ValueError, match="No votes are known"):
        CoAnnotating().select(Pool(size=4), 1, np.random.default_rng(0))


def test_no_prompt_at_all_is_no_vote():
    assert np.isnan(vote_entropy(np.zeros((3, 0), dtype=int))).all()
