"""Which rounds are audits that can carry a certificate, and why the others cannot.

An audit is one uniform draw without replacement from a frame that can still be told, made when
the machine's labels and their ranking were fixed, and answered blind.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from annotation import arrays_certificate as arrays
from annotation.arrays_codes import Scope
from annotation.models import Round
from annotation.reports.scope import rounds_under
from synthlab.science.thresholds import errors_allowed

# Why a round is no audit; `certificate_words` says it in sentences.
PILOT = "pilot"
NOT_BLIND = "not_blind"
NOT_BY_LOT = "not_by_lot"
UNEVEN = "uneven"
FRAME_CHANGED = "frame_changed"
LABELLED_LATER = "labelled_later"

SAFE = 1e-9  # as in `science.thresholds`: a whole number stays one whatever the rounding


@dataclass(frozen=True)
class Asked:
    """What the promise should be: at most `error` wrong, with this confidence; both are shares."""

    scope: Scope  # its rounds do not matter
    error: float
    confidence: float

    @property
    def alpha(self) -> float:
        return round(1 - self.confidence, 12)


@dataclass(frozen=True)
class Audit:
    """One uniform draw whose frame, labels and ranking were fixed before it was made."""

    round: Round
    frame: np.ndarray = field(repr=False)  # ids, ascending
    confidence: np.ndarray = field(repr=False)  # of the frame; NaN: never accepted unseen
    outcomes: arrays.Outcomes = field(repr=False)
    people_before: np.ndarray = field(repr=False)  # ids outside the frame that people had labelled
    asked: Asked

    @property
    def size(self) -> int:
        return len(self.outcomes.samples)

    @property
    def released(self) -> int:
        """How many labels the share is counted over."""
        return len(self.frame) + len(self.people_before)

    @property
    def allowed(self) -> int:
        """How many of them may be wrong."""
        return int(np.floor(self.asked.error * self.released + SAFE))

    @cached_property
    def ranked(self) -> np.ndarray:
        """The rows of the frame that have a place in the ranking."""
        return np.flatnonzero(~np.isnan(self.confidence))

    @cached_property
    def counting(self) -> np.ndarray:
        """Which of the audit's samples have a place in the ranking."""
        return np.isin(self.outcomes.samples, self.frame[self.ranked])

    @property
    def survives(self) -> int:
        """How many errors the walk up the ranking outlives; -1: too small to promise anything."""
        if self.allowed >= len(self.ranked):
            return len(self.ranked)
        drawn = int(self.counting.sum())
        return errors_allowed(len(self.ranked), drawn, self.allowed, self.asked.alpha)

    @property
    def right(self) -> int:
        return int(self.outcomes.right.sum())

    @property
    def wrong(self) -> int:
        return int(self.outcomes.wrong.sum())

    @property
    def waiting(self) -> int:
        return int(self.outcomes.waiting.sum())

    @property
    def unsettled(self) -> int:
        return int(self.outcomes.unsettled.sum())


@dataclass(frozen=True)
class Refused:
    """A round that cannot carry the promise, and why."""

    round: Round
    reason: str


def audits_for(asked: Asked, people: np.ndarray) -> tuple[list[Audit], tuple[Refused, ...]]:
    """The audits, newest first, and the other rounds; `people`: samples that people labelled."""
    audits: list[Audit] = []
    refused: list[Refused] = []
    for round_ in reversed(rounds_under(asked.scope.edition)):
        found = _examine(asked, round_, people)
        if isinstance(found, Audit):
            audits.append(found)
        else:
            refused.append(found)
    return audits, tuple(refused)


def _examine(asked: Asked, round_: Round, people: np.ndarray) -> Audit | Refused:
    if round_.purpose == Round.Purpose.PILOT:
        return Refused(round_, PILOT)
    if not round_.blind:
        return Refused(round_, NOT_BLIND)
    drawn = arrays.drawn_by_lot(round_)
    if not len(drawn):
        return Refused(round_, NOT_BY_LOT)
    if not arrays.is_uniform(round_):
        return Refused(round_, UNEVEN)
    frame = arrays.frame_of(round_)
    if frame is None or not np.isin(drawn, frame).all():
        return Refused(round_, FRAME_CHANGED)
    scope = asked.scope
    assert scope.machine is not None
    confidence = arrays.stated_confidence(scope.machine, frame, before=round_.created_at)
    if np.isnan(confidence).all():
        return Refused(round_, LABELLED_LATER)
    # What people label later is right as well, but did not count when the audit was drawn.
    before = arrays.labelled_by_people(scope, before=round_.created_at)
    outside = np.setdiff1d(np.intersect1d(before, people), frame)
    outcomes = arrays.outcomes(scope, round_, drawn)
    return Audit(round_, frame, confidence, outcomes, outside, asked)
