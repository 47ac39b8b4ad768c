"""The accuracy of a machine with the help of its own confidence: people's answers say how often it
is right at each confidence, and its confidence in all other samples is known.

Shown beside the accuracy that rests on the answers alone, never in its place.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from annotation.arrays_agreement import Judgements
from annotation.arrays_assisted import labelled_frame, measuring_rounds
from annotation.reports.figures import match
from synthlab.science.assisted import ENOUGH, TOO_FEW, cross_fitted, helped_proportion
from synthlab.science.figures import Figure

EDGE = 1e-6  # confidences of 0 and 1 have no logit

SEVERAL_ROUNDS = "several rounds measure together"
NO_FRAME = "the samples that it was drawn from can no longer be told, or are too many for a page"
NOT_STATED = "the machine does not say how sure it is"


@dataclass(frozen=True)
class Assisted:
    """The assisted figure, or the `reason` why there is none."""

    figure: Figure
    worth: float | None = None  # plain answers that would vary as little
    reason: str = ""


def assisted(read: Judgements) -> Assisted | None:
    """None where a sample may have several labels: there is no one confidence."""
    if read.scope.multiple or read.scope.machine is None:
        return None
    right = match(read.truth.value, read.model)
    counted = ~np.isnan(right) & read.design.measuring
    n = int(counted.sum())
    if n < ENOUGH:
        return _none(n, TOO_FEW)
    rounds = measuring_rounds(read)
    if len(rounds) > 1:
        return _none(n, SEVERAL_ROUNDS)
    frame = labelled_frame(read, rounds[0])
    if frame is None or not np.isin(read.samples[counted], frame.samples).all():
        return _none(n, NO_FRAME)
    if np.isnan(frame.confidence).all():
        return _none(n, NOT_STATED)
    design = read.design.take(counted)
    rows = np.searchsorted(frame.samples, read.samples[counted])
    sure = special.logit(np.clip(frame.confidence, EDGE, 1 - EDGE))[:, None]
    predictions = cross_fitted(right[counted], design, sure, rows)
    found = helped_proportion(right[counted], design, predictions)
    if not found.helps:
        return _none(n, found.reason)
    return Assisted(found.figure, found.worth)


def _none(n: int, reason: str) -> Assisted:
    return Assisted(Figure(None, n, reason=reason), reason=reason)
