"""Drawing a fixed number of samples so that each has exactly the chance that was wanted.

Systematic sampling with unequal probabilities over a random order: Madow (1949), Hartley & Rao
(1962). For every order the chance is exact: sample i owns a stretch of length pi_i of the line from
0 to n, stretches are at most 1 long, and one point is put into each unit of the line, all at the
same uniform offset, so that a stretch holds a point with probability pi_i. The random order makes
every pair possible and the draw nearly as free as a Poisson draw of fixed size.
"""

import numpy as np

CERTAIN = 1 - 1e-9  # nearer to 1 than this is 1: rounding must not leave a sure sample out


def proportional(sizes: np.ndarray, k: int) -> np.ndarray:
    """Chances in proportion to positive sizes that sum to k; who would exceed 1 is sure to come,
    and the others share what is left (size 0 gets 0). Fewer positive sizes than k: all are sure.
    """
    chances = np.zeros(len(sizes))
    open_ = np.asarray(sizes) > 0
    left = k
    while left > 0 and open_.any():
        shares = np.asarray(sizes[open_] * (left / sizes[open_].sum()))
        sure = np.flatnonzero(open_)[shares >= CERTAIN]
        if not len(sure):
            chances[open_] = shares
            break
        chances[sure] = 1
        open_[sure] = False
        left = k - int((chances == 1).sum())
    return chances


def by_lot(chances: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows, in random order, of which each is drawn with its chance; chances sum to a whole number.

    As many rows as that number come, always.
    """
    sure = np.flatnonzero(chances >= CERTAIN)
    order = rng.permutation(np.flatnonzero((chances > 0) & (chances < CERTAIN)))
    line = np.cumsum(chances[order])
    total = float(line[-1]) if len(line) else 0.0
    count = round(total)
    if abs(total - count) > 1e-6 * max(count, 1):
        raise ValueError("The chances of a draw of fixed size sum to a whole number.")
    if not count:
        return rng.permutation(sure)
    # Scaled, so that the line ends at the whole number exactly.
    points = rng.random() + np.arange(count)
    hit = np.searchsorted(line * (count / total), points, side="right")
    return rng.permutation(np.concatenate([sure, order[np.minimum(hit, len(order) - 1)]]))
