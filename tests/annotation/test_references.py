"""Reference labels are found exactly or not at all."""

import pytest

from annotation.imports.references import Labels, match, parts_of
from annotation.task_types import TASK_TYPES
from annotation.task_types.base import LabelRule, Rules


def labels(task, *pairs, unsure=False):
    """Labels from slug and name, numbered 1, 2, 3 ..."""
    rules = [LabelRule(slug, name, number=n) for n, (slug, name) in enumerate(pairs, 1)]
    return Labels(TASK_TYPES[task], Rules("?", "", tuple(rules), unsure=unsure))


def code(found, *parts):
    value = found.value(parts)
    return None if value is None else value[1]


@pytest.mark.parametrize("word", ["eco", "ECO", " Economic policy ", "economic POLICY"])
def test_a_label_is_known_by_slug_or_name_in_any_case(word):
    assert code(labels("single_label", ("eco", "Economic policy")), word) == "eco"


@pytest.mark.parametrize("word", ["econ", "economic", "Economic-policy", "1", "", "eco, eco"])
def test_nothing_is_guessed(word):
    assert code(labels("single_label", ("eco", "Economic policy")), word) is None


def test_composed_and_decomposed_letters_are_the_same():
    assert code(labels("single_label", ("cafe", "Café")), "Cafe\u0301") == "cafe"


def test_a_name_that_two_labels_share_is_not_known():
    assert code(labels("single_label", ("a", "Other"), ("b", "other")), "OTHER") is None


def test_a_slug_wins_over_the_name_of_another_label():
    found = labels("single_label", ("a", "b"), ("b", "c"))
    assert code(found, "b") == "b"


def test_points_of_a_scale_are_known_by_number():
    found = labels("rating", ("low", "Low"), ("high", "High"))
    assert [code(found, word) for word in ("1", "2.0", "3", "HIGH")] == [
        "low",
        "high",
        None,
        "high",
    ]


def test_unsure_is_a_reference_only_where_it_is_an_answer():
    assert code(labels("single_label", ("a", "A"), unsure=True), "unsure") == "unsure"
    assert code(labels("single_label", ("a", "A")), "unsure") is None


def test_several_labels_are_all_known_or_the_cell_is_not():
    found = labels("multi_label", ("a", "A"), ("b", "B"))
    assert [code(found, "b", "A"), code(found), code(found, "a", "c")] == ["a|b", "", None]


@pytest.mark.parametrize(
    ("reference", "multiple", "parts"),
    [
        (None, True, None),
        ("a", False, ("a",)),
        (["a", "b"], True, ("a", "b")),
        ([], True, ()),
        ([], False, None),
    ],
)
def test_an_empty_list_is_an_answer_only_where_none_may_be_one(reference, multiple, parts):
    assert parts_of(reference, multiple) == parts


def test_unknown_labels_are_counted_most_rows_first():
    found = match([(["a"], 5), (["x"], 1), (["y"], 3)], labels("single_label", ("a", "A")))
    assert (found.known, found.unknown, found.values) == (5, 4, (("y", 3), ("x", 1)))
