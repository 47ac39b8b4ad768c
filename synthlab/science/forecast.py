"""How right a set should be once people have labelled more of it: expected shares and their band.

People's labels count as right, the rest keep the machine's. What is expected is a sum of chances
of errors. The band rests on no model: a person's answer to a sample drawn by lot says whether the
machine is right on samples like it, so that the errors left after k labels are the size of what is
left times a weighted share with the interval of Korn & Graubard (1998).

A ranking by predicted errors looks too good when the same predictions judge it. A line may
therefore be given several views, each a ranking and chances that were learnt from other answers
(cross-fitting, Chernozhukov et al. 2018, section 3).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from synthlab.science.estimation import Design, effective_size, variance_of_mean
from synthlab.science.intervals import clopper_pearson_interval, shrunk_for_small
from synthlab.science.selection.active import UncertaintyWeighted

POINTS = 50
BINS = 20  # of predicted error, within which an answer stands for what is left
LEAST_CHECKED = 10  # answers drawn by lot without which no band is given
DIGITS = 9  # scores that agree so far are ties
SMALL = 1e-6  # chances so small that a frame counts as endless

# The chance of every row to be among the first k samples that go to people.
Taken = Callable[[float], np.ndarray]


@dataclass(frozen=True)
class Population:
    """The set that will be released, as arrays aligned by row. A row may stand for several samples.

    `free` may still be drawn. `waiting` was drawn but has no label of people: it keeps the
    machine's. All others have a label of people and are right.
    """

    size: int  # samples
    weights: np.ndarray  # (rows,): samples that a row stands for, the same for all free rows
    free: np.ndarray  # (rows,), bool
    waiting: np.ndarray  # (rows,), bool

    @property
    def to_draw(self) -> float:
        """How many samples may still be drawn."""
        return float(self.weights[self.free].sum())

    @property
    def each(self) -> float:
        """How many samples a free row stands for."""
        return float(self.weights[self.free][0]) if self.free.any() else 1.0


@dataclass(frozen=True)
class Checked:
    """Rows that were drawn by lot and answered by people, as arrays aligned with `rows`."""

    rows: np.ndarray
    wrong: np.ndarray  # 1 where people settled on another label
    weights: np.ndarray  # 1 / inclusion
    clusters: np.ndarray | None = None


@dataclass(frozen=True)
class View:
    """One way to see a line: which rows are taken, and how likely each is wrong."""

    taken: Taken
    error: np.ndarray  # (rows,)


def grid(population: Population, points: int = POINTS) -> np.ndarray:
    """Numbers of labels from 0 to all that may be drawn, denser at the beginning."""
    most = round(population.to_draw)
    steps = np.concatenate(
        [np.linspace(0, 1, points // 2), np.linspace(0, 1, points // 2 + 1) ** 3]
    )
    return np.unique(np.round(most * steps).astype(int))


def by_rank(scores: np.ndarray, population: Population) -> Taken:
    """The highest scores first, unknown (NaN) before all; among ties everyone is as likely."""
    urgency = -np.where(np.isnan(scores), np.inf, np.round(scores, DIGITS))
    values, place = np.unique(urgency[population.free], return_inverse=True)
    mass = np.bincount(place.reshape(-1), population.weights[population.free], len(values))
    at = np.searchsorted(values, urgency)
    above = np.concatenate([[0.0], np.cumsum(mass)])[at]
    inside = np.minimum(at, max(len(values) - 1, 0))
    tied = np.where(values[inside] == urgency, mass[inside], 0.0) if len(values) else 0 * above

    def taken(k: float) -> np.ndarray:
        part = (k - above) / np.where(tied > 0, tied, 1.0)
        return np.where(tied > 0, np.clip(part, 0, 1), (k > above).astype(float))

    return taken


def by_lot(population: Population) -> Taken:
    """Everyone is as likely."""
    rows, most = len(population.weights), max(population.to_draw, 1e-300)
    return lambda k: np.full(rows, min(1.0, k / most))


def by_chance(expected: np.ndarray, population: Population) -> Taken:
    """As uncertainty-weighted sampling draws: by lot, the likelier the greater the expected error.

    Rows that are not free get the chance that a free one with their expected error would have.
    """
    strategy, mine = UncertaintyWeighted(), expected[population.free]
    order = np.argsort(mine, kind="stable")

    def taken(k: float) -> np.ndarray:
        amount = min(round(k / population.each), len(mine))
        if not len(mine) or not amount:
            return np.zeros(len(expected))
        chances = strategy.chances(mine, amount)
        every = np.interp(expected, mine[order], chances[order])
        every[population.free] = chances
        return np.asarray(every)

    return taken


def accuracy(
    views: Sequence[View], error: np.ndarray, population: Population, labels: np.ndarray
) -> np.ndarray:
    """(labels,): the expected share of right labels after so many more labels of people.

    `error` says how many errors there are, the views which share of them is still there.
    """
    weights, free = population.weights, population.free
    held = float((weights * error)[population.waiting].sum())
    start = float((weights * error)[free].sum())
    share = np.zeros(len(labels))
    for view in views:
        mine = (weights * view.error)[free]
        left = [float(mine @ (1 - view.taken(float(k))[free])) for k in labels]
        share += np.array(left) / max(float(mine.sum()), 1e-300) / len(views)
    return np.asarray(1 - (held + start * share) / max(population.size, 1))


def band(
    taken: Taken,
    error: np.ndarray,
    population: Population,
    checked: Checked,
    labels: np.ndarray,
    level: float = 0.95,
) -> tuple[np.ndarray, np.ndarray] | None:
    """(labels,) twice: between which shares the set should then lie; None without enough answers.

    Each answer stands for the samples of like predicted error that are left. The errors left can
    only fall from point to point, and so do their limits.
    """
    if len(checked.rows) < LEAST_CHECKED:
        return None
    waiting, free = _shares_left(error, population, checked)
    weights, left = population.weights, population.free
    ends = np.empty((2, len(labels)))
    for place, k in enumerate(labels):
        chance = taken(float(k))
        size = weights[population.waiting].sum() + (weights * (1 - chance))[left].sum()
        stands = checked.weights * (waiting + free * (1 - chance[checked.rows]))
        low, high = _share(checked.wrong, stands, float(size), checked.clusters, level)
        ends[:, place] = low * size, high * size
    least = np.maximum.accumulate(ends[0][::-1])[::-1]
    most = np.minimum.accumulate(ends[1])
    return 1 - most / population.size, 1 - np.minimum(least, most) / population.size


def _shares_left(
    error: np.ndarray, population: Population, checked: Checked
) -> tuple[np.ndarray, np.ndarray]:
    """For each checked row the shares of the samples like it that wait, and that are free.

    Where earlier rounds took the least certain, answers to such samples stand for few by now.
    """
    order = np.argsort(error, kind="stable")
    ordered = population.weights[order]
    mass = (np.cumsum(ordered) - ordered / 2) / ordered.sum()
    bin_ = np.empty(len(error), dtype=int)
    bin_[order] = np.minimum((mass * BINS).astype(int), BINS - 1)
    whole = np.bincount(bin_, population.weights, BINS)

    def share(which: np.ndarray) -> np.ndarray:
        part = np.bincount(bin_[which], population.weights[which], BINS)
        return np.asarray((part / np.where(whole > 0, whole, 1))[bin_[checked.rows]])

    return share(population.waiting), share(population.free)


def _share(
    wrong: np.ndarray, weights: np.ndarray, size: float, clusters: np.ndarray | None, level: float
) -> tuple[float, float]:
    """Korn & Graubard's interval of a weighted share; weights of 0 do not count.

    It is for the share among `size` others that nobody has looked at: these differ from what was
    seen by their own chance as well, as 1 / n + 1 / size has it.
    """
    some = weights > 1e-12
    y, w = wrong[some].astype(float), weights[some]
    if not len(y) or size <= 0:
        return 0.0, 1.0
    design = Design(SMALL * w.min() / w, None, None, None if clusters is None else clusters[some])
    units = int(design.drawn_together.max()) + 1
    value = float(np.clip((w * y).sum() / w.sum(), 0, 1))
    variance = variance_of_mean(y, design) if np.ptp(y) > 0 else 0.0
    n_eff = effective_size(np.bincount(design.drawn_together, weights=w))
    if variance > 0:
        n_eff = min(units, value * (1 - value) / variance)
    n_eff = shrunk_for_small(n_eff, units, level)
    n_eff *= size / (n_eff + size)
    return clopper_pearson_interval(n_eff * value, n_eff, level)
