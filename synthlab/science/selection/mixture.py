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
    recall: float | None = None  # of the main strategy, see Drawn


def draw(pool: Pool, main: Strategy, k: int, audit: int, rng: np.random.Generator) -> Mixture:
    """`audit` samples by lot and `k` others by the main strategy: k + audit different ones.

    Beside a deterministic strategy the audit is drawn first, from the whole pool (inclusion
    audit/N), and stays an audit also where the main strategy wants its samples too: that takes its
    next best. A strategy that draws by chance goes first, with chances pi that sum to k, and the
    audit is drawn from what it left. All of it then measures: whichever k the strategy took, a
    sample it left has the same chance audit/(N - k) in the audit, so that its chance of being in
    the round is exactly pi + (1 - pi) audit/(N - k). For a uniform strategy that is (k + audit)/N.
    A draw of the whole pool is a census (inclusion 1).
    """
    if k < 0 or audit < 0:
        raise ValueError("A part of a round cannot be smaller than no sample.")
    audit = min(audit, pool.size)
    k = min(k, pool.size - audit)
    parts = _chance_first if main.by_chance else _audit_first
    taken, by_lot, inclusion = parts(pool, main, k, audit, rng)
    order = _interleave(k, audit, rng)
    return Mixture(
        rows=np.concatenate([taken.rows, by_lot])[order],
        scores=np.concatenate([taken.scores, _scores(pool.take(by_lot), main, rng)])[order],
        inclusion=np.ones(k + audit) if k + audit == pool.size else inclusion[order],
        part=np.array([main.name] * k + [AUDIT] * audit, dtype=object)[order],
        recall=taken.recall,
    )


Parts = tuple[Drawn, np.ndarray, np.ndarray]  # main part, rows of the audit, inclusion of both


def _audit_first(pool: Pool, main: Strategy, k: int, audit: int, rng: np.random.Generator) -> Parts:
    by_lot = Uniform().select(pool, audit, rng).rows
    rest = np.setdiff1d(np.arange(pool.size), by_lot)
    picked = main.select(pool.take(rest), k, rng)
    inclusion = np.concatenate([np.full(k, np.nan), np.full(audit, audit / max(pool.size, 1))])
    taken = Drawn(rest[picked.rows], picked.scores, recall=picked.recall)
    return taken, by_lot, inclusion


def _chance_first(
    pool: Pool, main: Strategy, k: int, audit: int, rng: np.random.Generator
) -> Parts:
    taken = main.select(pool, k, rng)
    if taken.chances is None:
        raise ValueError("Only a draw by chance can be mixed with an audit: its chances are known.")
    rest = np.setdiff1d(np.arange(pool.size), taken.rows)
    by_lot = rest[Uniform().select(pool.take(rest), audit, rng).rows]
    pi = taken.chances[np.concatenate([taken.rows, by_lot])]
    return taken, by_lot, pi + (1 - pi) * audit / max(pool.size - k, 1)


def _scores(pool: Pool, main: Strategy, rng: np.random.Generator) -> np.ndarray:
    """What the main strategy thinks of these samples, in row order; 0 where it only thinks of
    those that it draws."""
    scores = np.zeros(pool.size)
    if main.ranks:
        ranked = main.select(pool, pool.size, rng)
        scores[ranked.rows] = ranked.scores
    return scores


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
