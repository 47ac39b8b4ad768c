"""May a machine answer in a person's place? The alternative annotator test on people's answers.

It takes samples drawn by lot with equal chances, answered blind by three people or more, so that
each of them and the machine can be held against two others. Copies of one text count once.
"""

from dataclasses import dataclass

import numpy as np

from annotation.arrays_agreement import Judgements, answered, has_answer
from synthlab.science.agreement import MISSING
from synthlab.science.alternative_annotator import (
    EPSILON,
    AlternativeTest,
    Contest,
    alternative_annotator_test,
)
from synthlab.science.figures import NO_ANSWERS, NO_DRAW, Figure
from synthlab.science.intervals import clopper_pearson_interval

PEOPLE = 3  # answers a sample: a person's own, and two to hold it against
USUAL = "skilled"
SAME = 1e-9

TOO_FEW_ANSWERS_EACH = "no sample drawn by lot has blind answers of three people"
UNEVEN = "the samples had different chances of being drawn, and the test counts them evenly"


@dataclass(frozen=True)
class Rival:
    """One person against the machine; figures of how often each does at least as well."""

    name: str
    samples: int
    machine: Figure
    person: Figure
    p: float | None  # corrected for the number of people
    lost: bool  # to the machine
    reason: str = ""


@dataclass(frozen=True)
class Replacing:
    """The outcome of the test, or the `reason` why there is none."""

    effort: str  # whose time a person's answer would cost: a key of EPSILON
    epsilon: float
    samples: int  # that the test takes
    rivals: tuple[Rival, ...]
    winning_rate: float | None
    advantage: Figure
    passes: bool | None
    reason: str = ""

    @property
    def held(self) -> tuple[Rival, ...]:
        """Those with samples enough."""
        return tuple(rival for rival in self.rivals if not rival.reason)

    @property
    def lost(self) -> int:
        return sum(rival.lost for rival in self.held)


def replacing(read: Judgements, names: list[str], effort: str = USUAL) -> Replacing:
    """`effort` says how dear people's time is; `names` are those of the annotators."""
    rows = _rows(read)
    epsilon = EPSILON[effort]
    if reason := _refusal(read, rows):
        return Replacing(
            effort, epsilon, len(rows), (), None, _none(len(rows), reason), None, reason
        )
    people, machine = _comparable(read, rows)
    rating = read.scope.project.task.level != "nominal"
    found = alternative_annotator_test(
        people, machine, epsilon, alignment="distance" if rating else "match"
    )
    return Replacing(
        effort=effort,
        epsilon=epsilon,
        samples=len(rows),
        rivals=_rivals(found, names),
        winning_rate=found.winning_rate,
        advantage=found.advantage,
        passes=found.passes,
        reason=found.reason,
    )


def _rows(read: Judgements) -> np.ndarray:
    """Samples drawn by lot with answers enough and a label of the machine, a text once."""
    several = has_answer(read.codes).sum(axis=1) >= PEOPLE
    rows = np.flatnonzero(several & answered(read.model) & read.design.measuring)
    return rows[np.unique(read.texts[rows], return_index=True)[1]]


def _refusal(read: Judgements, rows: np.ndarray) -> str:
    if not read.measurable:
        return NO_DRAW if len(read.samples) else NO_ANSWERS
    if not len(rows):
        return TOO_FEW_ANSWERS_EACH
    return UNEVEN if np.ptp(read.inclusion[rows]) > SAME else ""


def _comparable(read: Judgements, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Answers as numbers: the points of a scale, else one for each different answer."""
    codes, machine = read.codes[rows], read.model[rows]
    if codes.ndim == 3:
        whole = np.concatenate([codes, machine[:, None]], axis=1)
        kinds = np.unique(whole.reshape(-1, whole.shape[2]), axis=0, return_inverse=True)[1]
        kinds = np.where((whole == MISSING).all(axis=2), MISSING, kinds.reshape(whole.shape[:2]))
        return kinds[:, :-1].astype(float), kinds[:, -1].astype(float)
    if (scale := read.scope.scale) is not None:
        points = np.array([*scale, np.nan]) - min(scale)  # below 0 is missing to the test
        return points[codes], points[machine]
    return codes.astype(float), machine.astype(float)


def _rivals(found: AlternativeTest, names: list[str]) -> tuple[Rival, ...]:
    return tuple(
        Rival(
            name=names[contest.person],
            samples=contest.n,
            machine=_share(contest.model_advantage, contest),
            person=_share(contest.person_advantage, contest),
            p=contest.adjusted,
            lost=contest.won,
            reason=contest.reason,
        )
        for contest in found.contests
        if contest.n
    )


def _share(value: float | None, contest: Contest) -> Figure:
    if value is None:
        return _none(contest.n, contest.reason)
    interval = clopper_pearson_interval(value * contest.n, contest.n)
    return Figure(value, contest.n, interval, method="clopper_pearson")


def _none(n: int, reason: str) -> Figure:
    return Figure(None, n, reason=reason)
