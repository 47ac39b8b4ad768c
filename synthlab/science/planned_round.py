"""What one round should bring, read off a forecast: errors fixed, the interval it will give, time.

A forecast is a curve: `labels` ascending from 0 and the expected `accuracy` of the set after so
many more labels of people, of a strategy over the `frame` of samples that may still be drawn.
"""

from dataclasses import dataclass

import numpy as np

from synthlab.science.intervals import clopper_pearson_interval, shrunk_for_small


def at(labels: np.ndarray, accuracy: np.ndarray, k: float) -> float:
    """The curve between its points."""
    return float(np.interp(k, labels, accuracy))


def mixed(
    labels: np.ndarray, accuracy: np.ndarray, main: float, audit: float, frame: float
) -> float:
    """The same curve where `audit` samples are drawn by lot first and `main` by the strategy.

    The audit meets errors at their mean rate, and leaves the strategy a set that is like the whole
    one, only smaller: its next best then come in proportion.
    """
    if frame <= 0:
        return float(accuracy[0])
    lot = min(audit / frame, 1.0)
    rest = accuracy[-1] if lot >= 1 else at(labels, accuracy, min(main / (1 - lot), frame))
    return float(
        accuracy[0] + lot * (accuracy[-1] - accuracy[0]) + (1 - lot) * (rest - accuracy[0])
    )


def needed(labels: np.ndarray, accuracy: np.ndarray, target: float) -> int | None:
    """The fewest labels with which the curve reaches the target; None where it never does."""
    if accuracy[0] >= target:
        return 0
    reached = np.flatnonzero(accuracy >= target - 1e-12)
    if not len(reached):
        return None
    after = int(reached[0])
    rise = accuracy[after] - accuracy[after - 1]
    part = (target - accuracy[after - 1]) / rise if rise > 0 else 1.0
    span = labels[after] - labels[after - 1]
    return int(np.ceil(labels[after - 1] + min(part, 1.0) * span - 1e-9))


def interval_to_come(
    share: float, n: int, frame: int, design_effect: float = 1.0, level: float = 0.95
) -> tuple[float, float] | None:
    """The interval of a share that n samples drawn with known chances should give; None for n = 0.

    Clopper & Pearson's on as many answers as the draw is worth: uneven chances divide n by the
    design effect (Kish 1965) and shrink it as Korn & Graubard (1998) do; even ones gain from a
    finite frame, n (N - 1) / (N - n). A draw of the whole frame leaves no interval.
    """
    if n <= 0:
        return None
    if n >= frame:
        return share, share
    if design_effect > 1:
        worth = shrunk_for_small(n / design_effect, n, level)
    else:
        worth = n * (frame - 1) / (frame - n)
    return clopper_pearson_interval(share * worth, worth, level)


def design_effect(chances: np.ndarray, error: np.ndarray) -> float:
    """By how much uneven chances are expected to widen the variance of the share of errors.

    The expected variance of Hajek's mean under a Poisson draw (as `estimation.variance_of_mean`
    has it), over that of as many even draws; at least 1, since no interval counts on more.
    `chances` and `error` belong to the samples of the frame; chances of 0 make it endless.
    """
    n, size = float(chances.sum()), len(chances)
    share = float(error.mean()) if size else 0.0
    if not size or not 0 < share < 1:
        return 1.0
    if (chances <= 0).any():
        return float("inf")
    spread = error * (1 - share) ** 2 + (1 - error) * share**2
    variance = float(((1 - chances) / chances * spread).sum()) / size**2
    return max(1.0, variance * n / (share * (1 - share)))


@dataclass(frozen=True)
class Effort:
    """What a number of answers takes, in seconds; `low` and `high` by the quicker and slower half
    of the answers, the middle by their median."""

    answers: int
    seconds: float
    low: float | None
    high: float | None

    def cost(self, wage: float) -> float:
        """Of the median, at so much an hour."""
        return self.seconds / 3600 * wage


def effort(answers: int, median: float, quartiles: tuple[float, float] | None) -> Effort:
    low, high = (None, None) if quartiles is None else (answers * q for q in quartiles)
    return Effort(answers, answers * median, low, high)
