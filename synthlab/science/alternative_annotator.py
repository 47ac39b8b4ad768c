"""May the model replace people? The alternative annotator test of Calderon, Reichart & Dror (2025),
"The Alternative Annotator Test for LLM-as-a-Judge", sections 3.1 to 3.3.

Each person in turn is compared with the model by how well either agrees with the *other* people.
Where the person's lead is shown to be below epsilon, the price of a person's effort, the model
wins; it passes if it wins against at least half of the people. The samples count evenly: give it
an even draw, answered blind.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from synthlab.science.figures import Figure
from synthlab.science.intervals import clopper_pearson_interval, short_of_one

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
    adjusted: float | None  # p after correction for the number of people
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
    advantage: Figure  # average advantage probability of the model
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
    columns = [_leads(people, model, person, alignment) for person in range(people.shape[1])]
    leads = np.stack(columns, axis=1) if columns else np.empty((len(people), 0))
    shared = (~np.isnan(leads)).sum(axis=0)
    enough = np.flatnonzero(shared >= LEAST_SAMPLES)
    p = np.array([one_sided_p(_known(leads[:, person]), epsilon) for person in enough])
    corrected = dict(zip(enough.tolist(), zip(p, adjusted(p), strict=True), strict=True))
    contests = tuple(
        _contest(person, _known(leads[:, person]), *corrected[person], alpha)
        if person in corrected
        else Contest(person, int(shared[person]), None, None, False, None, None, TOO_FEW_SAMPLES)
        for person in range(people.shape[1])
    )
    if len(enough) < LEAST_PEOPLE:
        n = int((~np.isnan(leads)).any(axis=1).sum())
        none = Figure(None, n, reason=TOO_FEW_PEOPLE)
        return AlternativeTest(contests, epsilon, alpha, None, none, None, TOO_FEW_PEOPLE)
    rate = float(np.mean([contest.won for contest in contests if not contest.reason]))
    average = _average_advantage(leads[:, enough])
    return AlternativeTest(contests, epsilon, alpha, rate, average, rate >= 0.5)


def _average_advantage(leads: np.ndarray) -> Figure:
    """The mean over people of how often the model is at least as good, with the interval of
    `short_of_one`: a sample that several people answered varies as one."""
    kept = leads[~np.isnan(leads).all(axis=1)]
    known, n = ~np.isnan(kept), len(kept)
    at_least = np.where(known, kept <= 0, 0.0)
    each = at_least.sum(axis=0) / known.sum(axis=0)
    value = float(each.mean())
    if value in (0.0, 1.0):
        interval = clopper_pearson_interval(n * value, n)
        return Figure(value, n, interval, method="clopper_pearson")
    pulls = (np.where(known, at_least - each, 0) / known.sum(axis=0)).sum(axis=1) / len(each)
    deviation = math.sqrt(float((pulls**2).sum()) * n / (n - 1))
    low, high = short_of_one(value, deviation, 1 - value, n, n)
    return Figure(value, n, (max(low, 0.0), high), method="korn_graubard")


def benjamini_yekutieli(p: np.ndarray, alpha: float = 0.05) -> np.ndarray:
    """Which of these are discoveries, however the tests depend on each other."""
    return np.asarray(adjusted(p) <= alpha)


def adjusted(p: np.ndarray) -> np.ndarray:
    """The least alpha at which Benjamini & Yekutieli (2001) call each of these a discovery."""
    m = len(p)
    order, places = np.argsort(p), np.arange(1, m + 1)
    raised = np.asarray(p)[order] * m * (1 / places).sum() / places
    found = np.empty(m)
    found[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0)
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


def _known(lead: np.ndarray) -> np.ndarray:
    return np.asarray(lead[~np.isnan(lead)])


def _leads(people: np.ndarray, model: np.ndarray, person: int, alignment: Alignment) -> np.ndarray:
    """By how well either agrees with the others: 1 where only the person is at least as good, -1
    where only the model is, else 0; NaN where not all of them answered."""
    others = np.delete(people, person, axis=1)
    shared = ~np.isnan(people[:, person]) & ~np.isnan(model) & (~np.isnan(others)).any(axis=1)
    others = others[shared]
    said = _scores(model[shared], others, alignment)
    own = _scores(people[shared, person], others, alignment)
    lead = np.full(len(people), np.nan)
    lead[shared] = np.sign(np.where(np.isclose(own, said), 0, own - said))
    return lead


def _scores(own: np.ndarray, others: np.ndarray, alignment: Alignment) -> np.ndarray:
    given = ~np.isnan(others)
    answers = given.sum(axis=1)
    if alignment == "match":
        return np.asarray((given & (others == own[:, None])).sum(axis=1) / answers)
    apart = np.where(given, np.nan_to_num(others) - own[:, None], 0)
    return np.asarray(-np.sqrt((apart**2).sum(axis=1) / answers))


def _contest(person: int, lead: np.ndarray, p: float, corrected: float, alpha: float) -> Contest:
    return Contest(
        person=person,
        n=len(lead),
        p=float(p),
        adjusted=float(corrected),
        won=bool(corrected <= alpha),
        model_advantage=float((lead <= 0).mean()),
        person_advantage=float((lead >= 0).mean()),
    )
