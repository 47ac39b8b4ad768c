"""The options of strategies: named, checked, and in words."""

import numpy as np
import pytest

from synthlab.science.selection import STRATEGIES
from synthlab.science.selection.base import Pool
from synthlab.science.selection.options import OptionsError, in_words, made, options_of

ALL = [
    pytest.param(strategy, option, id=f"{strategy.name}-{option.name}")
    for strategy in STRATEGIES.values()
    for option in options_of(strategy)
]


def test_the_options_are_the_fields_that_have_words():
    named = {name: [o.name for o in options_of(s)] for name, s in STRATEGIES.items()}
    assert named["uniform"] == named["expected_error"] == []
    assert named["vote_k"] == named["fast_vote_k"] == ["neighbours", "discount"]
    assert named["uncertainty_weighted"] == ["uniform"]


@pytest.mark.parametrize(("strategy", "option"), ALL)
def test_every_option_has_a_label_and_takes_its_default_and_its_ends(strategy, option):
    assert option.label
    values = [option.default]
    if option.kind is not str:
        assert option.least <= option.default <= option.most
        values += [option.least, option.most]
    elif option.choices:
        values = [name for name, _ in option.choices]
        assert option.default in values
    for value in values:
        assert getattr(made(strategy, {option.name: value}), option.name) == value


@pytest.mark.parametrize(("strategy", "option"), ALL)
@pytest.mark.parametrize("value", ["lots", "nan", None, 1e9, -1e9, [], True])
def test_what_an_option_does_not_take_is_refused_by_its_name(strategy, option, value):
    if option.open and isinstance(value, str):
        return
    with pytest.raises(OptionsError, match=option.label):
        made(strategy, {option.name: value})


def test_an_option_that_a_strategy_lacks_is_refused_with_those_it_has():
    with pytest.raises(OptionsError, match=r"“vote_k” has no option “k”\. It has: neigh"):
        made(STRATEGIES["vote_k"], {"k": 3})
    with pytest.raises(OptionsError, match=r"“margin” has no option “k”\. It has none\."):
        made(STRATEGIES["margin"], {"k": 3})


def test_the_largest_neighbours_and_discount_stay_within_the_range_of_numbers():
    rows = np.random.default_rng(0).normal(size=(400, 8))
    strategy = made(STRATEGIES["fast_vote_k"], {"neighbours": 250, "discount": 13})
    drawn = strategy.select(Pool(size=400, features=rows), 300, np.random.default_rng(0))
    assert len(set(drawn.rows)) == 300
    assert np.isfinite(drawn.scores).all()


def test_options_are_told_in_words():
    assert in_words(STRATEGIES["vote_k"], {"neighbours": 20, "gone": 1}) == [
        ("Neighbours that each sample votes for", "20")
    ]
