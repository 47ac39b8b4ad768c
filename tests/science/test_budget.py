"""Budgets as people write them."""

import numpy as np
import pytest

from synthlab.science.selection.base import Pool
from synthlab.science.selection.budget import budget, read

POOL = Pool(size=497, confidence=np.repeat([0.5, 0.8, np.nan, 0.95], [40, 60, 7, 390]))


@pytest.mark.parametrize(
    ("wish", "samples"),
    [
        ("200", 200),
        (" 9000 ", 497),
        ("15%", 75),
        ("12.5 %", 62),
        ("0.01%", 1),
        ("100%", 497),
        ("confidence<0.8", 47),
        ("confidence < .81", 107),
        ({"samples": 12}, 12),
        ({"percent": 5}, 25),
        ({"confidence_below": 0.8}, 47),
    ],
)
def test_a_budget_becomes_a_number_of_samples(wish, samples):
    assert budget(wish, POOL) == samples


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ("", "is no budget"),
        ("many", "is no budget"),
        ("0.15", "Write a number of samples"),
        ("-5", "is no budget"),
        ("nan%", "is no budget"),
        ("0", "at least 1"),
        ("0%", "above 0"),
        ("101%", "at most 100"),
        ("confidence<0", "above 0"),
        ("confidence<1.2", "at most 1"),
        ({"samples": 2.5}, "whole number"),
        ({"percent": float("nan")}, "above 0"),
        ({"samples": 5, "percent": 5}, "one of"),
        ({"share": 5}, "one of"),
    ],
)
def test_a_wrong_budget_is_refused_in_words(wish, message):
    with pytest.raises(ValueError, match=message):
        budget(wish, POOL)


def test_an_empty_pool_has_no_budget():
    with pytest.raises(ValueError, match="no samples"):
        budget("5", Pool(size=0))


def test_a_threshold_without_any_confidence_says_what_is_missing():
    with pytest.raises(ValueError, match="let a machine label"):
        budget("confidence<0.8", Pool(size=10))


def test_a_written_budget_can_be_stored_and_read_back():
    assert read("15%") == {"percent": 15.0}
    assert budget(read("15%"), POOL) == budget("15%", POOL)
