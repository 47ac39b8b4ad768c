"""Stratified sampling: each stratum gives its share of the draw, each sample by lot."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from synthlab.science.selection.base import Drawn, Pool, affordable
from synthlab.science.selection.chances import by_lot
from synthlab.science.selection.options import Option, option

PREDICTED, LENGTH, META = "predicted", "length", "meta"
BY = Option(
    "Strata by",
    choices=(
        (PREDICTED, "the label that the machine gave"),
        (LENGTH, "length of the text"),
        (META, "metadata"),
    ),
)
BANDS = Option("Bands of length", "By length: so many, of about as many samples.", least=2, most=20)
KEY = Option("Metadata key", "By metadata: samples with the same value are a stratum.")


@dataclass(frozen=True)
class Stratified:
    """What it does: divides the budget among the strata in proportion to their sizes, at least one
    sample for each where the budget allows, and draws by lot within each.

    Source: Cochran (1977), "Sampling Techniques", chapter 5; shares are rounded by largest
    remainders (Hamilton). Every chance is known: drawn / size within a stratum.
    Use when: figures about the whole set are wanted and rare strata (a rare predicted label, a
    small source) must not be missed.
    Not when: people's time should go to the model's likely errors. With fewer samples than strata,
    the lot also decides which strata are drawn from, and all have the same chance again.
    """

    name: ClassVar[str] = "stratified"
    label: ClassVar[str] = "Stratified: by lot, every stratum with its share"
    needs: ClassVar[tuple[str, ...]] = ("strata",)
    by_chance: ClassVar[bool] = True
    ranks: ClassVar[bool] = True

    # What divides the samples is for whoever fills `Pool.strata`.
    by: str = option(PREDICTED, BY)
    bands: int = option(4, BANDS)
    key: str = option("", KEY)

    def select(self, pool: Pool, k: int, rng: np.random.Generator) -> Drawn:
        k = affordable(k, pool.size)
        codes, sizes = _coded(pool)
        if k < len(sizes):
            drawn, chances = _rounded_by_lot(sizes, k, rng), np.full(len(sizes), k / pool.size)
        else:
            drawn = allocation(sizes, k)
            chances = drawn / sizes
        mixed = rng.permutation(pool.size)
        place = np.empty(pool.size, dtype=int)  # of each sample among the shuffled of its stratum
        grouped = mixed[np.argsort(codes[mixed], kind="stable")]
        place[grouped] = np.arange(pool.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        rows = mixed[place[mixed] < drawn[codes[mixed]]]
        return Drawn(rows, np.zeros(len(rows)), chances[codes])


def allocation(sizes: np.ndarray, k: int) -> np.ndarray:
    """How many samples each stratum gives, at least 1 and at most its size; k of them in all."""
    shares = k * sizes / max(sizes.sum(), 1)
    drawn: np.ndarray = np.clip(np.floor(shares).astype(int), 1, sizes)
    while (missing := k - int(drawn.sum())) != 0:
        step = 1 if missing > 0 else -1
        movable = drawn < sizes if step > 0 else drawn > 1
        # Whoever is furthest from its share gives or takes one; ties fall to the larger stratum.
        gap = np.where(movable, step * (shares - drawn), -np.inf)
        first = np.lexsort((-sizes, -gap))[: min(abs(missing), int(movable.sum()))]
        drawn[first] += step
    return drawn


def _rounded_by_lot(sizes: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Shares rounded up or down so that each stratum is given its exact share on average."""
    shares = k * sizes / max(sizes.sum(), 1)
    drawn = np.floor(shares + 1e-9).astype(int)
    drawn[by_lot(np.maximum(shares - drawn, 0), rng)] += 1
    return np.asarray(drawn)


def _coded(pool: Pool) -> tuple[np.ndarray, np.ndarray]:
    """The place of each sample's stratum among the strata, and their sizes."""
    if pool.strata is None:
        raise ValueError("No strata are known here: say what divides these samples.")
    if pool.strata.shape != (pool.size,):
        raise ValueError("Strata are one value for each sample.")
    seen: dict[Hashable, int] = {}
    # By what they look like where they cannot be sorted: None, NaN, numbers and words together.
    values = pool.strata.tolist()
    codes = [seen.setdefault(repr(value), len(seen)) for value in values]
    return np.array(codes, dtype=int), np.bincount(codes, minlength=len(seen)).astype(int)
