"""May the model replace people? The alternative annotator test of Calderon, Reichart & Dror (2025),
"The Alternative Annotator Test for LLM-as-a-Judge", sections 3.1 to 3.3.

Each person in turn is compared with the model by how well either agrees with the *other* people.
Where the person's lead is shown to be below epsilon, the price of a person's effort, the model
wins; it passes if it wins against at least half of the people. The samples count evenly: give it
an even draw, answered blind.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

EPSILON = {"crowd": 0.1, "skilled": 0.15, "expert": 0.2}
LEAST_SAMPLES, LEAST_PEOPLE = 30, 2

TOO_FEW_PEOPLE = "fewer than two people have at least 30 samples that others answered too"
TOO_FEW_SAMPLES = "fewer than 30 samples that others and the model answered too"

REASONS = (TOO_FEW_PEOPLE, TOO_FEW_SAMPLES)
Alignment = Literal["match", "distance"]


@dataclass(frozen=True)
class Contest:
    """One person against the model. Advantages count ties for both, so they may sum above 1."""

    person: int  # column
    n: int
    p: float | None
    won: bool  # by the model, after correction
    model_advantage: float | None  # how often the model agrees at least as well with the others
    person_advantage: float | None
    reason: str = ""


@dataclass(frozen=True)
class AlternativeTest:
    """The outcome; `passes` is None where there is a reason."""

    contests: tuple[Contest, ...]
    epsilon: float
    alpha: float
    winning_rate: float | None
    advantage: float | None  # average advantage probability of the model
    passes: bool | None
    reason: str = ""


def alternative_annotator_test(
    people: np.ndarray,
    model: np.ndarray,
    epsilon: float = EPSILON["skilled"],
    alpha: float = 0.05,
    alignment: Alignment = "match",
) -> AlternativeTest:
    """From (samples, people) and (samples,) codes, NaN or -1 where missing.

    `match` is the share of others with the same label, `distance` minus the root mean squared
    distance to them, for ratings. False discoveries among the people are held to alpha by
    Benjamini & Yekutieli (2001). People with fewer than 30 shared samples are left out.
    """
    people, model = _with_gaps(people), _with_gaps(model)
    rounds = [_leads(people, model, person, alignment) for person in range(people.shape[1])]
    enough = [len(model_score) >= LEAST_SAMPLES for model_score, _ in rounds]
    p = [
        one_sided_p(_lead(person_score, model_score), epsilon)
        for (model_score, person_score), many in zip(rounds, enough, strict=True)
        if many
    ]
    won = iter(benjamini_yekutieli(np.array(p), alpha).tolist())
    values = iter(p)
    contests = tuple(
        _contest(person, *rounds[person], next(values), next(won))
        if enough[person]
        else Contest(person, len(rounds[person][0]), None, False, None, None, TOO_FEW_SAMPLES)
        for person in range(people.shape[1])
    )
    held = [contest for contest in contests if not contest.reason]
    if len(held) < LEAST_PEOPLE:
        return AlternativeTest(contests, epsilon, alpha, None, None, None, TOO_FEW_PEOPLE)
    rate = float(np.mean([contest.won for contest in held]))
    advantage = float(np.mean([contest.model_advantage for contest in held]))
    return AlternativeTest(contests, epsilon, alpha, rate, advantage, rate >= 0.5)


def benjamini_yekutieli(p: np.ndarray, alpha: float = 0.05) -> np.ndarray:
    """Which of these are discoveries, however the tests depend on each other."""
    m = len(p)
    if not m:
        return np.zeros(0, bool)
    order = np.argsort(p)
    limits = np.arange(1, m + 1) * alpha / (m * (1 / np.arange(1, m + 1)).sum())
    below = np.flatnonzero(p[order] <= limits)
    found = np.zeros(m, bool)
    found[order[: below[-1] + 1 if len(below) else 0]] = True
    return found


def one_sided_p(lead: np.ndarray, epsilon: float) -> float:
    """Evidence that the mean of leads of -1, 0 or 1 is below epsilon: a t-test.

    Leads that are all the same have no spread to test with. If the mean were epsilon, n times 0
    would have a chance of at most (1 - epsilon)^n and n times -1 of ((1 - epsilon) / 2)^n.
    """
    if np.ptp(lead) > 0:
        return float(stats.ttest_1samp(lead, epsilon, alternative="less").pvalue)
    if lead[0] > 0:
        return 1.0
    return float(((1 - epsilon) / (1 if lead[0] == 0 else 2)) ** len(lead))


def _with_gaps(codes: np.ndarray) -> np.ndarray:
    codes = np.asarray(codes, dtype=float)
    return np.where(codes < 0, np.nan, codes)


def _lead(person: np.ndarray, model: np.ndarray) -> np.ndarray:
    """1 where only the person is at least as good, -1 where only the model is, else 0."""
    return np.sign(np.where(np.isclose(person, model), 0, person - model))


def _leads(
    people: np.ndarray, model: np.ndarray, person: int, alignment: Alignment
) -> tuple[np.ndarray, np.ndarray]:
    """How well model and person agree with the others, on samples that all of them answered."""
    others = np.delete(people, person, axis=1)
    shared = ~np.isnan(people[:, person]) & ~np.isnan(model) & (~np.isnan(others)).any(axis=1)
    others = others[shared]
    return (
        _scores(model[shared], others, alignment),
        _scores(people[shared, person], others, alignment),
    )


def _scores(own: np.ndarray, others: np.ndarray, alignment: Alignment) -> np.ndarray:
    given = ~np.isnan(others)
    answers = given.sum(axis=1)
    if alignment == "match":
        return np.asarray((given & (others == own[:, None])).sum(axis=1) / answers)
    apart = np.where(given, np.nan_to_num(others) - own[:, None], 0)
    return np.asarray(-np.sqrt((apart**2).sum(axis=1) / answers))


def _contest(person: int, model: np.ndarray, own: np.ndarray, p: float, won: bool) -> Contest:
    lead = _lead(own, model)
    return Contest(
        person=person,
        n=len(lead),
        p=p,
        won=won,
        model_advantage=float((lead <= 0).mean()),
        person_advantage=float((lead >= 0).mean()),
    )
