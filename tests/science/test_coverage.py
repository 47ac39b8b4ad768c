"""Every interval that a page shows holds the truth; a small part of bench/coverage.py."""

import numpy as np
import pytest

from bench.coverage import DESIGNS, ENOUGH, LABELS, MEASURES, SIZES, population, run
from synthlab.science.estimation import Design

SHOWN = (
    *("accuracy", "macro F1", *MEASURES, "precision", "recall", "f1", "prevalence"),
    *("accuracy, helped", "prevalence, helped"),
)


@pytest.fixture(scope="module")
def tally():
    return run(populations=60, draws=1, seed=7, size=1500)


@pytest.mark.parametrize("name", SHOWN)
def test_every_interval_shown_holds_the_truth_as_often_as_it_says(tally, name):
    """Less than two standard errors below 93 %: sixty populations cannot tell more exactly."""
    _covered, shown, _hidden, width = tally.hits[name, "all"]
    assert shown >= 20
    assert tally.share((name, "all")) >= ENOUGH - 2 * (ENOUGH * (1 - ENOUGH) / shown) ** 0.5
    assert 0 < width / shown < 0.9


def test_the_naive_interval_does_not(tally):
    assert tally.share(("naive accuracy", "all")) < 0.7
    assert tally.share(("naive accuracy", "mixture")) < 0.2


def test_all_designs_sizes_and_numbers_of_labels_are_tried(tally):
    tried = {key[1] for key in tally.hits if len(key) == 2}
    sizes, labels = {f"n = {n}" for n in SIZES}, {f"{k} labels" for k in LABELS}
    assert {*DESIGNS, *sizes, *labels} <= tried


@pytest.mark.parametrize("name", DESIGNS)
def test_the_weights_of_every_design_stand_for_the_whole_population(name):
    rng = np.random.default_rng(3)
    found = population(rng, 5, 0.9, 2000)
    sums = []
    for _ in range(30):
        rows, design = DESIGNS[name](found, 120, rng)
        assert isinstance(design, Design)
        assert len(rows) == len(set(rows.tolist())) == len(design.inclusion)
        sums.append(design.weights.sum())
    assert np.mean(sums) == pytest.approx(2000, rel=0.06)
