"""What is learnt from people's answers about where a machine is wrong, on made-up populations."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from synthlab.science.learning.errors import Lesson, gate, learn, log_loss
from synthlab.science.learning.evidence import Clues, gather, one_hot, raw_doubt, vote_shares
from synthlab.science.learning.student import folds, held_out_beliefs, teach

SIZE = 1200


def rng(seed=0):
    return np.random.default_rng(seed)


def population(seed=0, labels=2, informative=True):
    """Truth, and clues: the second of three prompts is right where the first two differ."""
    draw = rng(seed)
    truth = draw.integers(labels, size=SIZE)
    flip = draw.random((SIZE, 3)) < [0.25, 0.05, 0.3]
    votes = np.where(flip, (truth[:, None] + 1) % labels, truth[:, None])
    stated = draw.uniform(0.6, 0.99, SIZE)
    features = draw.normal(size=(SIZE, 6))
    features[:, 0] += 2 * (truth == 0)
    if not informative:
        return truth, Clues(votes[:, 0], labels, confidence=stated)
    return truth, Clues(votes[:, 0], labels, confidence=stated, votes=votes, features=features)


def asked(truth, amount, seed=1):
    known = np.full(len(truth), -1)
    rows = rng(seed).choice(len(truth), amount, replace=False)
    known[rows] = truth[rows]
    return known


def taught(truth, clues, amount=300, **options):
    known = asked(truth, amount)
    return known, learn(gather(clues, rng()), clues.answers, known, clues.labels, rng(), **options)


def test_errors_are_found_where_prompts_disagree():
    truth, clues = population()
    known, learned = taught(truth, clues)
    wrong = clues.answers != truth
    rest = known < 0
    assert learned.scores != "raw"
    first = np.argsort(-learned.machine_error[rest])[: wrong[rest].sum()]
    assert wrong[rest][first].mean() > 0.7
    by_doubt = np.argsort(-raw_doubt(clues)[rest])[: wrong[rest].sum()]
    assert wrong[rest][by_doubt].mean() < 0.35


def test_predicted_errors_add_up_to_the_errors_there_are():
    predicted, wrong = 0.0, 0
    for seed in range(6):
        truth, clues = population(seed)
        known, learned = taught(truth, clues)
        rest = known < 0
        predicted += learned.error[rest].sum()
        wrong += (learned.labels != truth)[rest].sum()
    assert predicted == pytest.approx(wrong, rel=0.2)


def test_the_corrector_releases_better_labels_than_the_machine():
    truth, clues = population()
    _, learned = taught(truth, clues)
    assert learned.corrected.sum() > 50
    assert (learned.labels == truth).mean() > (clues.answers == truth).mean() + 0.05
    assert (learned.labels[~learned.corrected] == clues.answers[~learned.corrected]).all()


def test_nothing_is_corrected_when_that_is_not_wanted():
    truth, clues = population()
    _, learned = taught(truth, clues, correct=False)
    assert not learned.corrected.any()
    assert (learned.labels == clues.answers).all()


def test_a_corrector_that_proves_nothing_corrects_nothing():
    answers, said = np.zeros(40, dtype=int), np.repeat([0, 1], 20)
    _, clues = population()
    evidence = gather(clues, rng())
    lesson = Lesson(evidence, answers, 2, np.arange(40), said)
    sure_of_one = np.tile([0.1, 0.9], (40, 1))
    assert not gate(sure_of_one, lesson).any(), "as many put wrong as right"
    assert gate(sure_of_one, Lesson(evidence, answers, 2, np.arange(40), said * 0 + 1)).all()
    hardly = np.tile([0.4, 0.6], (40, 1))
    assert not gate(hardly, Lesson(evidence, answers, 2, np.arange(40), said * 0 + 1)).any()


def test_where_nothing_can_be_learnt_the_machines_own_doubt_stays():
    _, clues = population(informative=False)
    draw = rng(9)
    right = draw.random(SIZE) < clues.confidence  # calibrated: nothing to add
    said = np.where(right, clues.answers, 1 - clues.answers)
    _, learned = taught(said, clues, amount=60)
    order = np.argsort(-learned.machine_error)
    doubt = raw_doubt(clues)[order]
    assert np.corrcoef(np.arange(SIZE), doubt)[0, 1] < -0.9


def test_answers_to_the_greatest_doubts_alone_do_not_turn_the_ranking_round():
    """Among the most doubtful, errors are as rare where doubt is greater: that is chance."""
    _, clues = population(informative=False)
    first = np.argsort(clues.confidence)[:30]
    known = np.full(SIZE, -1)
    known[first] = np.where(np.arange(30) < 10, clues.answers[first], 1 - clues.answers[first])
    learned = learn(gather(clues, rng()), clues.answers, known, 2, rng())
    sure, unsure = clues.confidence > 0.95, (clues.confidence < 0.75) & (known < 0)
    assert learned.machine_error[sure].mean() < learned.machine_error[unsure].mean()


def test_an_answer_does_not_predict_itself():
    """Pure noise: held-out chances cannot separate what was answered, fitted ones would."""
    draw = rng(3)
    clues = Clues(np.zeros(400, dtype=int), 2, features=draw.normal(size=(400, 60)))
    truth = draw.integers(2, size=400)
    known = asked(truth, 120)
    evidence = gather(clues, rng())
    learned = learn(evidence, clues.answers, known, 2, rng())
    rows = known >= 0
    wrong = truth[rows] == 1
    difference = learned.error[rows][wrong].mean() - learned.error[rows][~wrong].mean()
    assert abs(difference) < 0.1
    assert log_loss(learned.error[rows], wrong) > 0.6


def test_the_seed_decides():
    truth, clues = population()
    first, second = (taught(truth, clues)[1] for _ in range(2))
    assert first.error.tolist() == second.error.tolist()
    assert first.labels.tolist() == second.labels.tolist()


def odd_clues():
    draw = rng(5)
    some = draw.integers(3, size=90)
    gaps = np.where(draw.random(90) < 0.5, np.nan, 0.7)
    texts = draw.normal(size=(90, 5))
    texts[:, 2] = 0
    return {
        "answers alone": Clues(some, 3),
        "no confidence at all": Clues(some, 3, confidence=np.full(90, np.nan)),
        "some confidence": Clues(some, 3, confidence=gaps, signals=gaps[:, None]),
        "one label": Clues(np.zeros(90, dtype=int), 1, confidence=np.linspace(0, 1, 90)),
        "500 labels": Clues(draw.integers(500, size=90), 500, features=texts),
        "answers that could not be read": Clues(some - 1, 3, votes=np.tile(some - 2, (2, 1)).T),
        "unknown beliefs": Clues(some, 3, probabilities=np.full((90, 3), np.nan)),
        "one text for all": Clues(some, 3, features=np.ones((90, 4))),
        "no prompts": Clues(some, 3, votes=np.empty((90, 0), dtype=int)),
    }


@pytest.mark.parametrize("kind", odd_clues())
@pytest.mark.parametrize("answers", [0, 1, 19, 40, 90])
def test_odd_clues_give_chances_and_labels_and_never_a_nan(kind, answers):
    clues = odd_clues()[kind]
    evidence = gather(clues, rng())
    assert np.isfinite(evidence.table).all()
    for truth in (np.maximum(clues.answers, 0), rng(6).integers(clues.labels, size=90)):
        learned = learn(evidence, clues.answers, asked(truth, answers), clues.labels, rng())
        assert ((learned.error > 0) & (learned.error < 1)).all()
        assert learned.labels.shape == (90,)


def test_people_who_never_disagree_leave_little_error():
    _, clues = population()
    _, learned = taught(clues.answers, clues)
    assert learned.error.max() < 0.1
    assert not learned.corrected.any()


def test_too_few_answers_teach_nothing():
    truth, clues = population()
    _, learned = taught(truth, clues, amount=19)
    assert learned.scores == "raw"
    assert learned.error == pytest.approx(1 - clues.confidence)


def test_doubt_is_in_the_label_that_would_be_released():
    votes = np.array([[0, 1, 1, 1], [1, 1, 1, -1]])
    clues = Clues(np.array([0, 1]), 2, votes=votes)
    assert raw_doubt(clues).tolist() == [0.75, 0.25]
    assert vote_shares(clues).tolist() == [[0.25, 0.75, 0], [0, 0.75, 0.25]]


def test_rare_labels_have_no_column():
    codes = np.repeat([0, 1, 2], [60, 30, 9])
    assert one_hot(codes).sum(axis=0).tolist() == [60, 30]


def test_a_student_agrees_with_scikit_learn():
    draw = rng(2)
    table = draw.normal(size=(300, 8))
    for labels in (2, 4):
        codes = (table[:, :labels] + draw.normal(size=(300, labels))).argmax(axis=1)
        ours = teach(table, codes, labels).beliefs(table)
        theirs = LogisticRegression(C=0.15, tol=1e-8, max_iter=1000).fit(table, codes)
        counts = np.bincount(codes, minlength=labels)
        share = ((counts + 0.5 / labels) / 300.5).sum()
        assert ours == pytest.approx(share * theirs.predict_proba(table), abs=0.01)


@pytest.mark.parametrize("labels", [2, 4])
def test_a_student_learns_a_change_to_the_log_odds_it_starts_from(labels):
    draw = rng(8)
    start, noise = 2 * draw.normal(size=(600, labels)), draw.normal(size=(600, 5))
    chances = np.exp(start) / np.exp(start).sum(axis=1, keepdims=True)
    codes = (draw.random((600, 1)) > chances.cumsum(axis=1)).sum(axis=1)
    told = teach(noise, codes, labels, offset=start).beliefs(noise, start)
    untold = teach(noise, codes, labels).beliefs(noise)
    assert np.abs(told - chances).mean() < 0.05 < np.abs(untold - chances).mean()


def test_a_student_is_held_out_from_what_it_predicts():
    noise = rng(4).normal(size=(200, 40))
    codes = rng(5).integers(2, size=200)
    mine = held_out_beliefs(noise, codes, 2, rng())[np.arange(200), codes]
    assert mine.mean() < 0.55


def test_each_fold_has_its_share_of_each_label():
    codes = np.repeat([0, 1], [80, 20])
    fold = folds(codes, rng())
    assert np.bincount(fold[codes == 1]).tolist() == [4] * 5
