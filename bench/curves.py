"""Accuracy of the released set against the share that people labelled, for each strategy."""

from dataclasses import dataclass, replace

import numpy as np

from bench.recorded import Recorded
from synthlab.science.learning.errors import learn
from synthlab.science.learning.evidence import Evidence
from synthlab.science.selection import STRATEGIES
from synthlab.science.selection.base import Pool
from synthlab.science.selection.co_annotating import CoAnnotating

STEP, STEPS = 0.025, 20  # half of the samples, a round of 2.5 % at a time
FIRST_BY_LOT = 0.2  # of the first round; the rest of it follows the machine's own doubt
FEWEST_FIRST, MOST_FIRST = 40, 0.1  # samples of the first round, and its share of a small set
LEARNING = {"error_model": False, "expected_error": True}  # with the corrector?
DRAWN_ONCE = (
    "uniform",
    "least_confidence",
    "max_entropy",
    "margin",
    "co_annotating",
    "student_disagreement",
    "vote_k",
    "fast_vote_k",
    "k_means",
)
BY_FEATURES = {"student_disagreement", "vote_k", "fast_vote_k", "k_means"}
LARGEST = {"vote_k": 20_000, "fast_vote_k": 20_000, "k_means": 5_000}  # samples


@dataclass(frozen=True)
class Prepared:
    """A recorded set with what is computed once for it."""

    recorded: Recorded
    evidence: Evidence
    pool: Pool

    @property
    def wrong(self) -> np.ndarray:
        return np.asarray(self.recorded.gold != self.recorded.clues.answers)


def pool_of(recorded: Recorded, evidence: Evidence) -> Pool:
    """What the strategies see. Without stated probabilities, the votes' shares are the belief."""
    clues = recorded.clues
    doubt, votes = evidence.doubt, clues.votes
    beliefs = clues.probabilities
    if beliefs is None and votes is not None and clues.labels <= 100:
        counts = (votes[:, :, None] == np.arange(clues.labels)).sum(axis=1) + 1e-9
        beliefs = counts / counts.sum(axis=1, keepdims=True)
    return Pool(
        size=recorded.size,
        probabilities=beliefs,
        features=clues.features,
        confidence=None if np.isnan(doubt).all() else 1 - doubt,
        answers=clues.answers,
        votes=votes,
    )


def offered(prepared: Prepared) -> list[str]:
    """The strategies that this set has what they need for."""
    pool = prepared.pool
    lacking = set() if pool.features is not None else set(BY_FEATURES)
    lacking |= {name for name, most in LARGEST.items() if pool.size > most}
    if pool.probabilities is None:
        lacking |= {"max_entropy", "margin"}
    if pool.votes is None:
        lacking |= {"co_annotating"}
    if pool.confidence is None:
        lacking |= {"least_confidence", "vote_k"}
    return [name for name in (*DRAWN_ONCE, *LEARNING) if name not in lacking]


def curve(prepared: Prepared, strategy: str, seed: int) -> np.ndarray:
    """(STEPS + 1,): accuracy of all released labels, people's counting as right."""
    rng = np.random.default_rng(seed)
    if strategy in LEARNING:
        return _learning(prepared, LEARNING[strategy], rng)
    size = prepared.recorded.size
    pool = prepared.pool
    if strategy == "uniform":
        order = rng.permutation(size)
    else:
        half = _amounts(size)[-1]
        chosen = {CoAnnotating.name: CoAnnotating, **STRATEGIES}[strategy]()
        order = chosen.select(replace(pool, known=None), half, rng).rows
    found = np.concatenate([[0], np.cumsum(prepared.wrong[order])])
    return np.asarray(1 - (prepared.wrong.sum() - found[_amounts(size)]) / size)


def bounds(prepared: Prepared) -> tuple[np.ndarray, np.ndarray]:
    """What a random and an all-knowing choice of samples give on average."""
    size, errors = prepared.recorded.size, prepared.wrong.sum()
    amounts = _amounts(size)
    left = errors * (1 - amounts / size), np.maximum(0, errors - amounts)
    return 1 - left[0] / size, 1 - left[1] / size


def area(accuracies: np.ndarray) -> float:
    """Under the curve, normalised, x 100."""
    return float(100 * np.trapezoid(accuracies) / (len(accuracies) - 1))


def _amounts(size: int) -> np.ndarray:
    return np.round(STEP * size * np.arange(STEPS + 1)).astype(int)


def _learning(prepared: Prepared, correct: bool, rng: np.random.Generator) -> np.ndarray:
    recorded, evidence = prepared.recorded, prepared.evidence
    gold, answers = recorded.gold, recorded.clues.answers
    known, labels = np.full(recorded.size, -1), answers
    urgency = np.nan_to_num(evidence.doubt, nan=1.0)
    amounts = _amounts(recorded.size)
    first = int(min(max(FEWEST_FIRST, STEP * recorded.size), MOST_FIRST * recorded.size))
    by_lot = rng.permutation(recorded.size)[: int(FIRST_BY_LOT * first)]
    known[by_lot[: amounts[1]]] = gold[by_lot[: amounts[1]]]
    accuracies = [np.mean(answers == gold)]
    for amount in amounts[1:]:
        free = np.flatnonzero(known < 0)
        wanted = amount - (recorded.size - len(free))
        asked = free[np.lexsort((rng.random(len(free)), -urgency[free]))][: max(0, wanted)]
        known[asked] = gold[asked]
        learned = learn(
            evidence,
            answers,
            known,
            recorded.clues.labels,
            rng,
            correct=correct and recorded.relabels,
        )
        urgency, labels = learned.error, learned.labels
        accuracies.append(np.mean(np.where(known >= 0, known, labels) == gold))
    return np.array(accuracies)
