"""A round: a uniform audit part that measures, and a main part that a strategy chooses."""

from dataclasses import dataclass

import numpy as np

from synthlab.science.selection.base import Drawn, Pool, Strategy
from synthlab.science.selection.uniform import Uniform

AUDIT = "audit"


@dataclass(frozen=True)
class Mixture:
    """The samples of a round in the order in which people meet them, as aligned arrays.

    `inclusion` is NaN where a sample came by a deterministic strategy: it measures nothing.
    `part` is "audit" or the name of the main strategy; `scores` are the main strategy's.
    """

    rows: np.ndarray
    scores: np.ndarray
    inclusion: np.ndarray
    part: np.ndarray


def draw(pool: Pool, main: Strategy, k: int, audit: int, rng: np.random.Generator) -> Mixture:
    """First `audit` samples by lot from the whole pool, then `k` others by the main strategy.

    A sample of the audit stays one (inclusion audit/N) also where the main strategy wants it too:
    the main strategy then takes its next best, so that k + audit samples are drawn. A uniform main
    part makes all of it one uniform draw, and a draw of the whole pool is a census (inclusion 1).
    """
    if k < 0 or audit < 0:
        raise ValueError("A part of a round cannot be smaller than no sample.")
    by_lot = Uniform().select(pool, audit, rng).rows
    rest = np.setdiff1d(np.arange(pool.size), by_lot)
    picked = main.select(pool.take(rest), k, rng)
    order = _interleave(len(picked.rows), len(by_lot), rng)
    return Mixture(
        rows=np.concatenate([rest[picked.rows], by_lot])[order],
        scores=np.concatenate([picked.scores, _scores(pool.take(by_lot), main, rng)])[order],
        inclusion=_inclusion(pool.size, picked, len(by_lot))[order],
        part=np.array([main.name] * len(picked.rows) + [AUDIT] * len(by_lot), dtype=object)[order],
    )


def _scores(pool: Pool, main: Strategy, rng: np.random.Generator) -> np.ndarray:
    """What the main strategy thinks of these samples, in row order."""
    ranked = main.select(pool, pool.size, rng)
    scores = np.empty(pool.size)
    scores[ranked.rows] = ranked.scores
    return scores


def _inclusion(size: int, picked: Drawn, audit: int) -> np.ndarray:
    k = len(picked.rows)
    if k + audit >= size:
        return np.ones(k + audit)
    by_lot = audit / size
    if picked.inclusion is None:
        return np.concatenate([np.full(k, np.nan), np.full(audit, by_lot)])
    if np.ptp(picked.inclusion) > 0:
        raise ValueError("Only an even draw can be mixed with an audit: the chances must be known.")
    return np.full(k + audit, (k + audit) / size)


def _interleave(k: int, audit: int, rng: np.random.Generator) -> np.ndarray:
    """Ranks cut into equal stretches, one audit sample somewhere in each.

    Evenly spread, so that a round left half done has its share of the audit; at a random place in
    each stretch, so that an annotator cannot tell them by counting.
    """
    total = k + audit
    edges = np.linspace(0, total, audit + 1).round().astype(int)
    places = rng.integers(edges[:-1], edges[1:])
    order = np.empty(total, dtype=int)
    is_audit = np.zeros(total, dtype=bool)
    is_audit[places] = True
    order[is_audit] = np.arange(k, total)
    order[~is_audit] = np.arange(k)
    return order
