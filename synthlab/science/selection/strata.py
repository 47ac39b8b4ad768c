"""Cutting samples into strata: numbers into bands of like size, words with the rare ones merged."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

OTHER = "other"


def quantile_bands(values: np.ndarray, bands: int) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """The band of each value, from 0 on, and the smallest and largest value of each band.

    Equal values share a band, so that there are fewer and less even ones where many are equal.
    """
    if bands < 1:
        raise ValueError("Numbers are cut into at least one band.")
    if not len(values):
        return np.zeros(0, dtype=int), []
    edges = np.quantile(values, np.arange(1, bands) / bands, method="inverted_cdf")
    # A value at an edge lies below it: then each band ends with a quantile of the values.
    codes = np.unique(np.searchsorted(edges, values, side="left"), return_inverse=True)[1]
    codes = codes.reshape(-1)
    ends = [(values[codes == code].min(), values[codes == code].max()) for code in np.unique(codes)]
    return codes, [(float(low), float(high)) for low, high in ends]


def merged(words: Sequence[str], most: int) -> tuple[np.ndarray, list[str], int]:
    """The stratum of each word, the strata's names, the commonest first, and how many different
    words were merged into the last one, OTHER, so that there are at most so many strata.

    Ties fall by the alphabet.
    """
    if most < 1:
        raise ValueError("Words make at least one stratum.")
    ranked = sorted(Counter(words).items(), key=lambda pair: (-pair[1], pair[0]))
    kept = [word for word, _ in ranked]
    rare = len(kept) - (most - 1) if len(kept) > most else 0
    names = [*kept[: most - 1], OTHER] if rare else kept
    place = {word: min(index, len(names) - 1) for index, word in enumerate(kept)}
    return np.array([place[word] for word in words], dtype=int), names, rare
