"""Planning the audit of "route, then audit": how many labels, before anyone labels.

The model's labels and the ranking are fixed, with what a pilot taught; then a fresh uniform draw
is judged by the exact rule of `thresholds`. The predicted errors decide only how large the draw
is: if they mislead, the promise costs more labels, but it holds.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from synthlab.science.thresholds import NOTHING_TO_RELEASE, errors_allowed

NO_SAVING = "an audit would save nothing: let people label everything"

REASONS = (NO_SAVING, NOTHING_TO_RELEASE)

SEEN = 20_000  # places of the ranking, evenly spread, at which a plan is reckoned


@dataclass(frozen=True)
class AuditPlan:
    """How many labels are missing to certify eps at alpha, as far as the predictions hold."""

    eps: float
    alpha: float
    audit: int  # how many to draw; 0: no audit pays, people label everything
    routed: float  # labels that people are then expected to have to add
    errors_allowed: int  # sampled errors that the walk up the ranking survives; -1 without audit
    least: int  # the smallest audit that can certify anything at all
    size: int  # rows that nobody has labelled yet
    reason: str = ""

    @property
    def missing(self) -> float:
        """All labels still to be made, the audit's and those after it."""
        return self.audit + self.routed


def least_audit(size: int, allowed: int, alpha: float = 0.05, errors: int = 0) -> int:
    """The smallest uniform audit after which so many sampled errors may still be survived."""
    low, high = 1, size
    while low < high:
        middle = (low + high) // 2
        if errors_allowed(size, middle, allowed, alpha) >= errors:
            high = middle
        else:
            low = middle + 1
    return low


def plan_audit(
    predicted: np.ndarray, eps: float, alpha: float = 0.05, released: int | None = None
) -> AuditPlan:
    """The audit with the least expected number of labels in all.

    `predicted` is the chance of every row not yet labelled by people to be wrong (NaN counts as
    certainly wrong); the ranking follows it. The errors that the audit meets are taken as Poisson.
    """
    p = np.sort(np.nan_to_num(np.asarray(predicted, dtype=float), nan=1.0))
    size = len(p)
    if ((p < 0) | (p > 1)).any() or not 0 <= eps <= 1 or not 0 < alpha < 1:
        raise ValueError("Predicted errors, eps and alpha lie between 0 and 1.")
    if not size:
        return AuditPlan(eps, alpha, 0, 0.0, -1, 0, 0, NOTHING_TO_RELEASE)
    allowed = int(np.floor(eps * (size if released is None else released) + 1e-9))
    if allowed >= size:
        return AuditPlan(eps, alpha, 0, 0.0, 0, 0, size)
    least = least_audit(size, allowed, alpha)
    expected = np.cumsum(p)
    costs = {m: _routed(expected, m, allowed, alpha) for m in _grid(least, size, 40)}
    for _ in range(2):
        best = min(costs, key=lambda m: (m + costs[m], m))
        known = sorted(costs)
        place = known.index(best)
        low, high = known[max(place - 1, 0)], known[min(place + 1, len(known) - 1)]
        near = (m for m in _grid(low, high, 12) if m not in costs)
        costs |= {m: _routed(expected, m, allowed, alpha) for m in near}
    best = min(costs, key=lambda m: (m + costs[m], m))
    if best + costs[best] >= size - 0.5:
        return AuditPlan(eps, alpha, 0, float(size), -1, least, size, NO_SAVING)
    most = errors_allowed(size, best, allowed, alpha)
    return AuditPlan(eps, alpha, best, costs[best], most, least, size)


def _grid(low: int, high: int, points: int) -> list[int]:
    return sorted({int(m) for m in np.geomspace(low, max(low, high), points).round()})


def _routed(expected: np.ndarray, audit: int, allowed: int, alpha: float) -> float:
    """How many rows beyond the cut, and not in the audit, people should expect to label."""
    size = len(expected)
    most = errors_allowed(size, audit, allowed, alpha)
    if most < 0:
        return float(size - audit)
    step = max(1, size // SEEN)
    met = expected[step // 2 :: step] * audit / size
    return float(size * (1 - special.pdtr(most, met).mean()) * (1 - audit / size))
