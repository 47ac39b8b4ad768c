"""Agreement against published values and against the packages that others use."""

import time

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa, fleiss_kappa

from synthlab.science.agreement import (
    agreement,
    agreement_of_confusion,
    multi_label_agreement,
)
from synthlab.science.bootstrap import Bootstrap
from synthlab.science.estimation import Design, naive_proportion
from synthlab.science.figures import (
    NO_DRAW,
    NO_PAIRS,
    ONE_LABEL,
    REASONS,
    TOO_ALIKE,
    TOO_FEW_LABELS,
    UNEQUAL_OVERLAP,
)
from synthlab.science.measures import (
    MEASURES,
    CohenKappa,
    FleissKappa,
    GwetAC1,
    KrippendorffAlpha,
    PercentAgreement,
)

# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", example C: four observers,
# twelve units, values 1 to 5. As codes 0 to 4, -1 for missing.
FOUR_CODERS = (
    np.array(
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
            [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
        ]
    ).T
    - 1
)
ONE_TO_FIVE = (1.0, 2.0, 3.0, 4.0, 5.0)

# https://en.wikipedia.org/wiki/Fleiss%27_kappa, worked example: 14 raters, 10 subjects.
WIKIPEDIA = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)

# Gwet (2008), "Computing inter-rater reliability and its variance in the presence of high
# agreement", table 2: two raters, nearly everything positive.
SKEWED = np.array([[118, 5], [2, 0]])


def codes_of(matrix):
    """The codes of two annotators with this confusion matrix."""
    cells = [np.tile(cell, (count, 1)) for cell, count in np.ndenumerate(matrix) if count]
    return np.concatenate(cells)


def value(measure, codes, labels, design=None):
    return agreement(measure, np.asarray(codes), labels, design, bootstrap=None).value


@pytest.mark.parametrize(
    ("level", "expected"),
    [("nominal", 0.7434), ("ordinal", 0.8154), ("interval", 0.8491), ("ratio", 0.7974)],
)
def test_alpha_of_krippendorffs_four_observers(level, expected):
    measure = KrippendorffAlpha(level, ONE_TO_FIVE)
    assert value(measure, FOUR_CODERS, 5) == pytest.approx(expected, abs=5e-5)


def test_ac1_of_four_observers_with_missing_answers():
    # The irrCAC package (Gwet) on the same data: pa 0.81818, pe 0.19032, AC1 0.77544.
    assert value(GwetAC1(), FOUR_CODERS, 5) == pytest.approx(0.77544, abs=5e-6)


def test_fleiss_kappa_of_the_wikipedia_table():
    codes = np.array([np.repeat(np.arange(5), row) for row in WIKIPEDIA])
    assert value(FleissKappa(), codes, 5) == pytest.approx(0.2099, abs=5e-5)
    assert value(FleissKappa(), codes, 5) == pytest.approx(fleiss_kappa(WIKIPEDIA))


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (PercentAgreement(), 0.944),
        (CohenKappa(), -0.0234),
        (KrippendorffAlpha(), -0.0247),
        (GwetAC1(), 0.9408),
    ],
)
def test_the_skewed_table_on_which_kappa_and_ac1_part(measure, expected):
    assert value(measure, codes_of(SKEWED), 2) == pytest.approx(expected, abs=5e-5)
    assert agreement_of_confusion(measure, SKEWED).value == pytest.approx(expected, abs=5e-5)


two_annotators = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40)


@settings(deadline=None)
@given(two_annotators, st.sampled_from(["none", "linear", "quadratic"]))
def test_kappa_agrees_with_sklearn(pairs, weights):
    codes = np.array(pairs)
    assume(len(np.unique(codes)) > 1)
    expected = cohen_kappa_score(
        *codes.T, labels=range(4), weights=None if weights == "none" else weights
    )
    assert value(CohenKappa(weights), codes, 4) == pytest.approx(expected)


@settings(deadline=None)
@given(st.data())
def test_design_weighted_kappa_agrees_with_sklearn(data):
    codes = np.array(data.draw(two_annotators))
    assume(len(np.unique(codes)) > 1)
    chances = st.sampled_from([0.05, 0.2, 0.5, 1.0])
    pi = np.array(data.draw(st.lists(chances, min_size=len(codes), max_size=len(codes))))
    expected = cohen_kappa_score(*codes.T, labels=range(4), sample_weight=1 / pi)
    assert value(CohenKappa(), codes, 4, Design(pi)) == pytest.approx(expected)


@settings(deadline=None)
@given(
    st.lists(st.lists(st.integers(-1, 3), min_size=3, max_size=3), min_size=3, max_size=25),
    st.sampled_from(["nominal", "ordinal", "interval", "ratio"]),
)
def test_alpha_agrees_with_the_krippendorff_package(rows, level):
    codes = np.array(rows)
    paired = codes[(codes >= 0).sum(axis=1) > 1]
    assume(len(np.unique(paired[paired >= 0])) > 1)
    expected = krippendorff.alpha(
        reliability_data=np.where(codes < 0, np.nan, codes).T,
        value_domain=[0, 1, 2, 3],
        level_of_measurement=level,
    )
    assert value(KrippendorffAlpha(level), codes, 4) == pytest.approx(expected)


@settings(deadline=None, max_examples=30)
@given(two_annotators, st.sampled_from(list(MEASURES)))
def test_the_order_of_samples_and_labels_does_not_matter(pairs, name):
    codes = np.array(pairs)
    measure = MEASURES[name]()
    renamed = np.array([2, 0, 3, 1])[codes[::-1]]
    first, second = (value(measure, c, 4) for c in (codes, renamed))
    assert first == (None if second is None else pytest.approx(second))


@settings(deadline=None, max_examples=30)
@given(two_annotators, st.sampled_from(list(MEASURES)))
def test_even_weights_change_nothing(pairs, name):
    codes = np.array(pairs)
    measure = MEASURES[name]()
    weighted = value(measure, codes, 4, Design(np.full(len(codes), 0.25)))
    plain = value(measure, codes, 4)
    assert weighted == (None if plain is None else pytest.approx(plain))


@pytest.mark.parametrize("measure", [CohenKappa(), KrippendorffAlpha(), FleissKappa()])
def test_one_label_alone_is_undefined_in_words(measure):
    figure = agreement(measure, np.zeros((9, 2), int), 3)
    assert (figure.value, figure.interval, figure.reason) == (None, None, ONE_LABEL)
    assert figure.n == 9
    assert agreement_of_confusion(measure, np.array([[9, 0], [0, 0]])).reason == ONE_LABEL


@pytest.mark.parametrize("name", MEASURES)
def test_without_two_answers_it_says_so(name):
    lonely = np.array([[0, -1], [-1, 1], [-1, -1]])
    figure = agreement(MEASURES[name](), lonely, 2)
    assert (figure.value, figure.n, figure.reason) == (None, 0, NO_PAIRS)
    empty = agreement(MEASURES[name](), np.empty((0, 2), int), 2)
    assert (empty.value, empty.reason) == (None, NO_PAIRS)
    assert agreement_of_confusion(MEASURES[name](), np.zeros((2, 2))).reason == NO_PAIRS


@pytest.mark.parametrize("name", MEASURES)
def test_answers_outside_a_draw_by_chance_do_not_count(name):
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 2, (60, 2))
    pi = np.where(np.arange(60) < 40, np.nan, 0.1)
    with_design = agreement(MEASURES[name](), codes, 2, Design(pi, 200))
    alone = agreement(MEASURES[name](), codes[40:], 2)
    assert with_design.value == pytest.approx(alone.value)
    assert with_design.n == 20
    nothing = agreement(MEASURES[name](), codes, 2, Design(np.full(60, np.nan), 200))
    assert (nothing.value, nothing.reason) == (None, NO_DRAW)


def test_fleiss_kappa_wants_even_overlap_and_all_want_two_labels():
    uneven = np.array([[0, 1, -1], [0, 1, 1]])
    assert agreement(FleissKappa(), uneven, 2).reason == UNEQUAL_OVERLAP
    assert agreement(GwetAC1(), np.zeros((3, 2), int), 1).reason == TOO_FEW_LABELS


def test_a_code_outside_the_codebook_is_refused():
    with pytest.raises(ValueError, match="Codes run from 0 to 1"):
        agreement(GwetAC1(), np.array([[0, 2]]), 2)
    with pytest.raises(ValueError, match="two annotators"):
        agreement(CohenKappa(), np.zeros((3, 3), int), 2)


def test_percent_agreement_has_wilsons_interval_or_that_of_the_design():
    codes = codes_of(SKEWED)
    same = (codes[:, 0] == codes[:, 1]).astype(float)
    assert agreement(PercentAgreement(), codes, 2) == naive_proportion(same)
    weighted = agreement(PercentAgreement(), codes, 2, Design(np.full(125, 0.1), 1250))
    assert weighted.method == "hypergeometric"


def random_pair(seed, n=300, labels=4, right=0.7):
    rng = np.random.default_rng(seed)
    truth = rng.choice(labels, n, p=np.arange(1, labels + 1) / np.arange(1, labels + 1).sum())
    other = np.where(rng.random(n) < right, truth, rng.integers(0, labels, n))
    return np.stack([truth, other], axis=1)


def test_the_kappa_interval_agrees_with_the_asymptotic_one():
    codes = random_pair(1, n=3000)
    matrix = np.bincount(codes @ [4, 1], minlength=16).reshape(4, 4)
    asymptotic = cohens_kappa(matrix)
    figure = agreement(CohenKappa(), codes, 4)
    expected = (asymptotic.kappa_low, asymptotic.kappa_upp)
    assert figure.interval == pytest.approx(expected, abs=0.004)
    assert figure.method == "bootstrap"


def test_intervals_are_the_same_twice_and_cover_the_value():
    for name in MEASURES:
        figures = [agreement(MEASURES[name](), random_pair(2), 4) for _ in range(2)]
        assert figures[0] == figures[1]
        low, high = figures[0].interval
        assert low < figures[0].value < high


def test_perfect_agreement_is_not_certain():
    codes = codes_of(np.array([[12, 0], [0, 8]]))
    for measure in (CohenKappa(), KrippendorffAlpha("ordinal"), GwetAC1(), FleissKappa()):
        figure = agreement(measure, codes, 2)
        assert figure.value == pytest.approx(1)
        assert 0.4 < figure.interval[0] < 0.8
    alone = agreement(GwetAC1(), np.zeros((20, 2), int), 3)
    assert alone.value == 1
    assert 0.7 < alone.interval[0] < 0.95


def test_the_interval_shrinks_to_a_point_when_the_whole_frame_was_answered():
    codes = random_pair(3)
    widths = []
    for frame in (300_000, 600, 300):
        figure = agreement(CohenKappa(), codes, 4, Design(np.full(300, 300 / frame), frame))
        widths.append(figure.interval[1] - figure.interval[0])
    assert widths[0] > widths[1] > widths[2]
    assert widths[2] == pytest.approx(0)


def test_strata_are_resampled_apart():
    # Agreement depends on the stratum only, so that nothing varies within one.
    codes = np.array([[0, 0], [1, 1], [0, 1], [1, 0]]).repeat(25, axis=0)
    strata = np.arange(4).repeat(25)
    together = agreement(CohenKappa(), codes, 2, Design(np.full(100, 1e-6)))
    apart = agreement(CohenKappa(), codes, 2, Design(np.full(100, 1e-6), strata=strata))
    assert np.ptp(together.interval) > 0.35
    assert np.ptp(apart.interval) < 0.8 * np.ptp(together.interval)
    # It would be nought, had a lucky variance not to count for at most twice the answers.
    assert np.ptp(apart.interval) > 0.2


def test_a_text_that_came_twice_tells_little_more_than_once():
    codes = random_pair(9, n=200, labels=3)
    pi = np.full(200, 1e-6)
    once = agreement(CohenKappa(), codes, 3, Design(pi))
    twice = agreement(
        CohenKappa(),
        codes.repeat(2, axis=0),
        3,
        Design(pi.repeat(2), clusters=np.arange(200).repeat(2)),
    )
    as_if_new = agreement(CohenKappa(), codes.repeat(2, axis=0), 3, Design(pi.repeat(2)))
    assert twice.value == pytest.approx(once.value)
    assert np.ptp(twice.interval) == pytest.approx(np.ptp(once.interval), rel=0.1)
    assert np.ptp(as_if_new.interval) < 0.8 * np.ptp(once.interval)


def test_clusters_of_one_are_no_clusters():
    codes, pi = random_pair(4), np.full(300, 0.01)
    named = Design(pi, clusters=np.random.default_rng(0).permutation(300))
    assert agreement(CohenKappa(), codes, 4, named) == agreement(CohenKappa(), codes, 4, Design(pi))


def test_many_different_weights_are_resampled_as_if_they_were_few():
    """Above a thousand different weights close ones are taken together; the value stays exact."""
    codes = random_pair(8, n=3000)
    pi = np.random.default_rng(2).uniform(0.05, 0.5, 3000)
    figure = agreement(CohenKappa(), codes, 4, Design(pi))
    expected = cohen_kappa_score(*codes.T, labels=range(4), sample_weight=1 / pi)
    assert figure.value == pytest.approx(expected)
    rounded = agreement(CohenKappa(), codes, 4, Design(np.round(pi, 3)))  # 450 different ones
    assert figure.interval == pytest.approx(rounded.interval, abs=0.004)


def test_where_kappa_is_mostly_undefined_it_is_hidden_with_the_reason():
    codes = np.zeros((30, 2), int)
    codes[0, 1] = 1  # in a third of the replicates nobody uses the second label
    figure = agreement(CohenKappa(), codes, 2)
    assert (figure.value, figure.interval, figure.reason) == (None, None, TOO_ALIKE)


def test_where_nothing_agrees_there_is_an_interval_still():
    figure = agreement(CohenKappa(), codes_of(np.array([[0, 9], [8, 0]])), 2)
    assert -1 <= figure.interval[0] <= figure.value <= figure.interval[1] < 0


def test_multi_label_is_each_label_and_their_mean():
    rng = np.random.default_rng(5)
    first = rng.integers(0, 2, (200, 3))
    flipped = rng.random((200, 3)) < [0.05, 0.2, 0.4]
    codes = np.stack([first, np.where(flipped, 1 - first, first)], axis=1)
    both = multi_label_agreement(KrippendorffAlpha(), codes)
    each = [agreement(KrippendorffAlpha(), codes[:, :, label], 2) for label in range(3)]
    assert list(both.labels) == each
    assert both.mean.value == pytest.approx(np.mean([figure.value for figure in each]))
    low, high = both.mean.interval
    assert low < both.mean.value < high
    assert high - low < max(np.ptp(figure.interval) for figure in each)


def test_a_label_that_nobody_ticked_stays_out_of_the_mean():
    codes = np.zeros((30, 2, 2), int)
    codes[:, :, 0] = codes_of(np.array([[10, 3], [2, 15]]))
    both = multi_label_agreement(CohenKappa(), codes)
    assert both.labels[1].reason == ONE_LABEL
    assert both.mean.value == both.labels[0].value
    assert multi_label_agreement(CohenKappa(), codes[:, :, 1:]).mean.reason == ONE_LABEL
    assert multi_label_agreement(GwetAC1(), codes[:, :, 1:]).mean.interval[0] < 1


def test_ten_thousand_samples_with_weights_are_resampled_quickly():
    codes = random_pair(6, n=10_000)
    pi = np.random.default_rng(0).uniform(0.05, 0.5, 10_000)  # all different: the worst case
    for measure in (CohenKappa(), KrippendorffAlpha("ordinal"), GwetAC1()):
        start = time.process_time()
        figure = agreement(measure, codes, 4, Design(pi), Bootstrap(replicates=1000))
        assert time.process_time() - start < 5  # about one second on an idle machine
        assert figure.interval[1] - figure.interval[0] < 0.08


def test_every_reason_is_a_phrase_that_can_be_translated():
    assert len(set(REASONS)) == len(REASONS)
    assert all(reason and not reason.endswith(".") for reason in REASONS)
