"""One line a strategy: how likely each label is wrong, what each strategy would take, what is left.

Where the chances of errors come from is said, since it decides what a forecast is worth: `learned`
from people's answers (cross-fitted, `learning.errors`), `calibrated` (a map from the machine's
confidence, where a sample may have several labels), or `raw`: the confidence as it is stated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import rankdata

from synthlab.science import forecast
from synthlab.science.calibration_maps import apply_map, choose_map
from synthlab.science.forecast import Checked, Population, Taken, View
from synthlab.science.learning.errors import FEWEST_ANSWERS, Learned, learn
from synthlab.science.learning.evidence import Evidence, gather
from synthlab.science.learning.student import folds
from synthlab.science.planned_round import design_effect
from synthlab.science.selection import STRATEGIES
from synthlab.science.selection.base import Pool, Strategy
from synthlab.science.selection.people import answers_of, clues_of, said_in

LEARNED, CALIBRATED, RAW, NOTHING = "learned", "calibrated", "raw", "nothing"
RANK, CHANCE, LOT = "rank", "chance", "lot"
APART, ITSELF = "apart", "itself"  # judged by other answers than it was ranked by, or by the same
SPLITS = 3  # of people's answers into halves, one to rank by and one to judge by


@dataclass(frozen=True)
class Belief:
    """How likely the machine's label of each row is wrong, and where that comes from.

    `views` are pairs of chances learnt from separate halves of the answers. `fitted` names what
    won: a score of `learning.errors`, or a calibration map.
    """

    error: np.ndarray
    source: str
    fitted: str = ""
    views: tuple[tuple[np.ndarray, np.ndarray], ...] = ()
    unstated: int = 0  # labels whose confidence is unknown, taken to be like the others


@dataclass(frozen=True)
class Line:
    """What is expected with one strategy, or with several that rank alike, at each number of
    labels. `low` and `high` are None without enough answers drawn by lot."""

    strategies: tuple[str, ...]
    kind: str
    judged: str
    accuracy: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    design_effects: np.ndarray | None = None  # of a draw by uneven chances


def believe(
    pool: Pool, right: np.ndarray, by_lot: np.ndarray | None, rng: np.random.Generator
) -> Belief:
    """From all that people said: `pool.known` for one label a sample, else `right` (1, 0, NaN).

    A row without a machine's label is wrong for certain. Below 20 answers nothing is learnt.
    """
    silent = np.zeros(pool.size, dtype=bool) if pool.answers is None else pool.answers < 0
    if not pool.multiple and (said_in(pool) >= 0)[~silent].sum() >= FEWEST_ANSWERS:
        return _learned(pool, silent, by_lot, rng)
    stated = np.full(pool.size, np.nan) if pool.confidence is None else pool.confidence
    chosen = choose_map(stated, right) if pool.multiple else None
    source = CALIBRATED if chosen is not None and chosen.trials else RAW
    fitted = "" if chosen is None else chosen.map.name
    doubt = 1 - (stated if chosen is None else apply_map(chosen.map, stated))
    known = ~np.isnan(doubt)
    if not (known & ~silent).any():
        return Belief(np.where(silent, 1.0, np.nan), NOTHING)
    mean = float(doubt[known & ~silent].mean())
    error = np.clip(np.where(silent, 1.0, np.where(known, doubt, mean)), 0, 1)
    return Belief(error, source, fitted, unstated=int((~known & ~silent).sum()))


def _learned(
    pool: Pool, silent: np.ndarray, by_lot: np.ndarray | None, rng: np.random.Generator
) -> Belief:
    clues = clues_of(pool)
    evidence = gather(clues, rng)
    known = np.where(silent, -1, said_in(pool))
    answers, lot = answers_of(pool), by_lot

    def taught(said: np.ndarray) -> Learned:
        return learn(evidence, answers, said, clues.labels, rng, correct=False, by_lot=lot)

    everything = taught(known)
    halves = ([taught(part) for part in parts] for parts in _halves(known, answers, evidence, rng))
    views = tuple((_sure(a.error, silent), _sure(b.error, silent)) for a, b in halves)
    return Belief(_sure(everything.error, silent), LEARNED, everything.scores, views)


def _sure(error: np.ndarray, silent: np.ndarray) -> np.ndarray:
    return np.where(silent, 1.0, error)


def _halves(
    known: np.ndarray, answers: np.ndarray, evidence: Evidence, rng: np.random.Generator
) -> Sequence[tuple[np.ndarray, np.ndarray]]:
    """People's answers in two halves with as many errors in each, several times; none where a
    half would be too small to learn from."""
    rows = np.flatnonzero(known >= 0)
    if len(rows) < 2 * FEWEST_ANSWERS:
        return []
    wrong = (known != answers)[rows].astype(int)
    parts = []
    for _ in range(SPLITS):
        first = np.zeros(len(known), dtype=bool)
        first[rows[folds(wrong, rng, count=2) == 0]] = True
        parts.append((np.where(first, known, -1), np.where(first, -1, known)))
    return parts


@dataclass(frozen=True)
class Ground:
    """What every line of a forecast stands on."""

    population: Population
    belief: Belief
    checked: Checked
    labels: np.ndarray  # how many more labels of people


def lines(
    pool: Pool, ground: Ground, rng: np.random.Generator
) -> tuple[list[Line], dict[str, str]]:
    """The lines, best first, and why strategies have none. Strategies that rank alike share one;
    those that find errors by luck only share that of a draw by lot."""
    lot, alike, left_out = [], _Alike(), {}
    found: list[Line] = []
    for name, strategy in STRATEGIES.items():
        if name == "uncertainty_weighted":
            found.append(_by_chance(name, ground))
        elif name == "expected_error" and ground.belief.source == LEARNED:
            found.append(_by_predicted_error(name, ground))
        elif strategy.by_chance or not strategy.ranks:
            lot.append(name)
        else:
            try:
                alike.add(name, _scores(strategy(), pool, rng))
            except ValueError as error:
                left_out[name] = str(error)
    for names, scores in alike.groups:
        taken = forecast.by_rank(scores, ground.population)
        found.append(_line(tuple(names), RANK, taken, ground))
    found.append(_line(tuple(lot), LOT, forecast.by_lot(ground.population), ground))
    found.sort(key=lambda line: (-float(line.accuracy.mean()), line.kind == LOT))
    return found, left_out


class _Alike:
    """Strategies by the order in which they rank."""

    def __init__(self) -> None:
        self.groups: list[tuple[list[str], np.ndarray]] = []
        self._orders: list[np.ndarray] = []

    def add(self, name: str, scores: np.ndarray) -> None:
        order = rankdata(
            np.where(np.isnan(scores), np.inf, np.round(scores, forecast.DIGITS)), method="dense"
        )
        for (names, _scores), known in zip(self.groups, self._orders, strict=True):
            if np.array_equal(order, known):
                names.append(name)
                return
        self.groups.append(([name], scores))
        self._orders.append(order)


def _scores(strategy: Strategy, pool: Pool, rng: np.random.Generator) -> np.ndarray:
    """What the strategy thinks of every row, as if nobody had answered yet."""
    if strategy.name == "expected_error":  # it has not learnt anything yet
        return np.asarray(1 - pool.column("confidence"))
    drawn = strategy.select(replace(pool, known=None), pool.size, rng)
    scores = np.empty(pool.size)
    scores[drawn.rows] = drawn.scores
    return scores


def _by_predicted_error(name: str, ground: Ground) -> Line:
    taken = forecast.by_rank(ground.belief.error, ground.population)
    views = [View(forecast.by_rank(a, ground.population), b) for a, b in _pairs(ground.belief)]
    return _line((name,), RANK, taken, ground, views)


def _by_chance(name: str, ground: Ground) -> Line:
    population, error = ground.population, ground.belief.error
    taken = forecast.by_chance(error, population)
    views = [View(forecast.by_chance(a, population), b) for a, b in _pairs(ground.belief)]
    line = _line((name,), CHANCE, taken, ground, views)
    free = population.free
    effects = [design_effect(taken(float(k))[free], error[free]) for k in ground.labels]
    return replace(line, design_effects=np.array(effects))


def _pairs(belief: Belief) -> list[tuple[np.ndarray, np.ndarray]]:
    """What to rank by and what to judge by."""
    return [ordered for a, b in belief.views for ordered in ((a, b), (b, a))]


def _line(
    names: tuple[str, ...], kind: str, taken: Taken, ground: Ground, views: Sequence[View] = ()
) -> Line:
    """Without views of its own, the line does not follow people's answers, or they are too few
    to judge by others than it follows."""
    population, belief, labels = ground.population, ground.belief, ground.labels
    follows = kind == CHANCE or names == ("expected_error",)
    judged = ITSELF if follows and belief.source == LEARNED and not views else APART
    views = views or [View(taken, belief.error)]
    accuracy = forecast.accuracy(views, belief.error, population, labels)
    ends = forecast.band(taken, belief.error, population, ground.checked, labels)
    if ends is None:
        return Line(names, kind, judged, accuracy)
    return Line(names, kind, judged, np.clip(accuracy, *ends), *ends)
