"""May the model replace people?"""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from synthlab.science.alternative_annotator import (
    TOO_FEW_PEOPLE,
    TOO_FEW_SAMPLES,
    adjusted,
    alternative_annotator_test,
    benjamini_yekutieli,
    one_sided_p,
)


def panel(rng, right, samples=200, labels=3):
    """People and a model who give the true label this often and otherwise any other."""
    truth = rng.integers(0, labels, samples)
    columns = [
        np.where(rng.random(samples) < share, truth, (truth + rng.integers(1, labels)) % labels)
        for share in right
    ]
    return np.stack(columns[:-1], axis=1), columns[-1]


@pytest.mark.parametrize("seed", range(5))
def test_discoveries_agree_with_statsmodels(seed):
    p = np.random.default_rng(seed).beta(0.3, 2, 12)
    expected = multipletests(p, 0.05, method="fdr_by")[0]
    assert benjamini_yekutieli(p, 0.05).tolist() == expected.tolist()
    assert benjamini_yekutieli(np.array([])).tolist() == []


def slow_test(people, model, epsilon):
    """The paper's definitions, one sample at a time."""
    p, advantages = [], []
    for person in range(people.shape[1]):
        leads, better = [], []
        for row, said in zip(people, model, strict=True):
            others = [answer for j, answer in enumerate(row) if j != person and answer >= 0]
            if row[person] < 0 or said < 0 or not others:
                continue
            by_model = np.mean([answer == said for answer in others])
            by_person = np.mean([answer == row[person] for answer in others])
            leads.append(int(by_person >= by_model) - int(by_model >= by_person))
            better.append(by_model >= by_person)
        p.append(stats.ttest_1samp(leads, epsilon, alternative="less").pvalue)
        advantages.append(np.mean(better))
    return p, float(np.mean(advantages))


def test_it_follows_the_paper_with_missing_answers():
    rng = np.random.default_rng(1)
    people, model = panel(rng, (0.8, 0.7, 0.9, 0.8))
    people[rng.random(people.shape) < 0.2] = -1
    model[:10] = -1
    found = alternative_annotator_test(people, model, 0.15)
    p, advantage = slow_test(people, model, 0.15)
    assert [contest.p for contest in found.contests] == pytest.approx(p)
    won = multipletests(p, 0.05, method="fdr_by")[0]
    assert [contest.won for contest in found.contests] == won.tolist()
    assert found.winning_rate == pytest.approx(won.mean())
    assert found.advantage.value == pytest.approx(advantage)


def test_a_good_model_passes_and_a_poor_one_does_not():
    good = alternative_annotator_test(*panel(np.random.default_rng(2), (0.75, 0.75, 0.75, 0.95)))
    assert (good.passes, good.winning_rate) == (True, 1.0)
    poor = alternative_annotator_test(*panel(np.random.default_rng(3), (0.95, 0.95, 0.95, 0.5)))
    assert (poor.passes, poor.winning_rate) == (False, 0.0)
    assert poor.advantage.value < good.advantage.value


def test_a_larger_epsilon_is_more_lenient():
    people, model = panel(np.random.default_rng(4), (0.85, 0.85, 0.85, 0.83), 120)
    strict, lenient = (alternative_annotator_test(people, model, eps) for eps in (0.0, 0.3))
    assert strict.winning_rate < lenient.winning_rate


def test_ratings_are_judged_by_their_distance():
    rng = np.random.default_rng(5)
    truth = rng.integers(1, 6, 150)
    people = np.clip(truth[:, None] + rng.integers(-1, 2, (150, 3)), 1, 5)
    near, far = truth, (truth + 1) % 5 + 1
    assert alternative_annotator_test(people, near, alignment="distance").passes
    assert not alternative_annotator_test(people, far, alignment="distance").passes


def test_too_little_gives_a_reason_and_no_number():
    people, model = panel(np.random.default_rng(6), (0.8, 0.8, 0.8), 29)
    few = alternative_annotator_test(people, model)
    assert (few.passes, few.winning_rate, few.advantage.value) == (None, None, None)
    assert few.reason == TOO_FEW_PEOPLE
    assert {contest.reason for contest in few.contests} == {TOO_FEW_SAMPLES}
    people, model = panel(np.random.default_rng(7), (0.8, 0.8), 100)
    assert alternative_annotator_test(people, model).reason == TOO_FEW_PEOPLE
    nobody = alternative_annotator_test(np.empty((0, 0)), np.empty(0))
    assert (nobody.contests, nobody.reason) == ((), TOO_FEW_PEOPLE)
    unlabelled = alternative_annotator_test(np.zeros((50, 3)), np.full(50, -1))
    assert unlabelled.reason == TOO_FEW_PEOPLE


def test_someone_with_few_samples_is_left_out_of_the_rate():
    people, model = panel(np.random.default_rng(8), (0.7, 0.7, 0.7, 0.95), 100)
    people[20:, 2] = -1
    found = alternative_annotator_test(people, model)
    assert [contest.reason for contest in found.contests] == ["", "", TOO_FEW_SAMPLES]
    assert found.winning_rate == np.mean([contest.won for contest in found.contests[:2]])


def test_complete_agreement_is_evidence_only_as_far_as_it_goes():
    same = np.zeros((40, 3), int)
    found = alternative_annotator_test(same, same[:, 0], 0.15)
    assert found.passes
    assert found.contests[0].p == pytest.approx(0.85**40)
    assert one_sided_p(np.zeros(40), 0.0) == 1
    assert one_sided_p(np.ones(40), 0.2) == 1
    assert one_sided_p(-np.ones(5), 0.2) == pytest.approx(0.4**5)


def test_adjusted_p_values_are_those_of_statsmodels():
    p = np.array([0.01, 0.04, 0.03, 0.5])
    # By hand: p_(i) m c(m) / i with c(4) = 25/12, made monotone from the largest down.
    assert adjusted(p) == pytest.approx([1 / 12, 1 / 9, 1 / 9, 1.0])
    assert adjusted(p) == pytest.approx(multipletests(p, method="fdr_by")[1])
    assert (benjamini_yekutieli(p, 0.1) == (adjusted(p) <= 0.1)).all()
    assert adjusted(np.zeros(0)).size == 0


def test_the_interval_of_the_average_advantage_holds_the_truth():
    """Three people of one accuracy and a model that is worse on a binary question: the mean over
    many panels is taken for the truth."""
    found = [
        alternative_annotator_test(
            *panel(np.random.default_rng([8, seed]), (0.85, 0.85, 0.85, 0.75), labels=2)
        ).advantage
        for seed in range(150)
    ]
    truth = np.mean([figure.value for figure in found])
    hits = [figure.interval[0] <= truth <= figure.interval[1] for figure in found]
    assert np.mean(hits) >= 0.93
    assert np.mean([figure.interval[1] - figure.interval[0] for figure in found]) < 0.2
    same = np.zeros((40, 3))
    perfect = alternative_annotator_test(same, same[:, 0]).advantage
    assert (perfect.value, perfect.interval[1]) == (1.0, 1.0)
    assert 0.9 < perfect.interval[0] < 1
