"""The error that remains if only the most confident share of the labels is kept.

Risk is the share of errors among what is kept, coverage the share kept (Geifman & El-Yaniv 2017).
AURC is the mean risk over all coverages, and E-AURC what it has above a perfect ranking (Geifman,
Uziel & El-Yaniv 2019). The band holds at each single threshold. Whoever looks at it first and
then picks a threshold has no promise: that takes a certificate (`thresholds`).
"""

from dataclasses import dataclass, replace

import numpy as np

from synthlab.science import bootstrap as resampling
from synthlab.science.agreement import DEFAULT
from synthlab.science.bootstrap import Bootstrap
from synthlab.science.estimation import Design, effective_size, proportion
from synthlab.science.figures import NO_ANSWERS, NO_DRAW, Figure

CELLS = 100  # of like confidence, within which replicates do not tell samples apart


@dataclass(frozen=True)
class Point:
    """What keeping every label from this confidence up would mean."""

    threshold: float
    coverage: float
    risk: Figure


@dataclass(frozen=True)
class RiskCoverage:
    """The curve, from the most confident labels to all, and its summaries."""

    points: tuple[Point, ...]
    aurc: Figure
    optimal: Figure  # the AURC of a perfect ranking with as many errors
    excess: Figure  # E-AURC
    random: Figure  # the AURC of a random ranking: the share of errors in all
    unknown: int = 0  # answered, but the confidence is unknown, so they are on no curve
    reason: str = ""


def risk_coverage(
    confidence: np.ndarray,
    wrong: np.ndarray,
    design: Design | None = None,
    points: int = 50,
    bootstrap: Bootstrap = DEFAULT,
) -> RiskCoverage:
    """From (samples,) confidences and 1 wrong, 0 right (NaN unknown). Equal confidences are kept
    or dropped together; AURC takes them in random order."""
    c, y = np.asarray(confidence, dtype=float), np.asarray(wrong, dtype=float)
    answered = ~np.isnan(y)
    kept = answered & ~np.isnan(c)
    unknown = int((answered & np.isnan(c)).sum())
    some = bool(kept.any())
    if design is not None:
        kept &= design.measuring
        design = design.take(kept)
    if not kept.any():
        none = Figure(None, 0, reason=NO_DRAW if some else NO_ANSWERS)
        return RiskCoverage((), none, none, none, none, unknown, none.reason)
    c, y = c[kept], y[kept]
    everything = proportion(y, design, bootstrap.level)
    aurc, optimal, excess = _areas(c, y, design, everything, bootstrap)
    curve = _curve(c, y, design, points, bootstrap.level)
    return RiskCoverage(curve, aurc, optimal, excess, everything, unknown)


def area(confidence: np.ndarray, wrong: np.ndarray, weights: np.ndarray) -> float:
    """The weighted AURC, no NaN; within equal confidences every order is as likely."""
    inverse = np.unique(-confidence, return_inverse=True)[1].reshape(-1)
    mass = np.bincount(inverse, weights=weights)
    smooth = (np.bincount(inverse, weights=weights * wrong) / mass)[inverse]
    order = np.argsort(inverse, kind="stable")
    return _mean_risk(smooth[order], weights[order])


def _mean_risk(wrong: np.ndarray, weights: np.ndarray) -> float:
    risks = np.cumsum(weights * wrong) / np.cumsum(weights)
    return float(weights @ risks / weights.sum())


def _curve(
    c: np.ndarray, y: np.ndarray, design: Design | None, points: int, level: float
) -> tuple[Point, ...]:
    w = np.ones(len(y)) if design is None else design.weights
    values = np.unique(c)[::-1]
    coverage = np.array([w[c >= value].sum() for value in values]) / w.sum()
    wanted = np.linspace(0, 1, points + 1)[1:]
    places = np.unique(np.minimum(np.searchsorted(coverage, wanted - 1e-12), len(values) - 1))
    shown = []
    for place in places:
        inside = c >= values[place]
        part = None if design is None else design.take(inside, domain=True)
        risk = proportion(y[inside], part, level)
        shown.append(Point(float(values[place]), min(1.0, float(coverage[place])), risk))
    return tuple(shown)


def _areas(
    c: np.ndarray, y: np.ndarray, design: Design | None, everything: Figure, bootstrap: Bootstrap
) -> tuple[Figure, Figure, Figure]:
    """AURC, its least possible value, and the difference."""
    w = np.ones(len(y)) if design is None else design.weights
    best = np.argsort(y, kind="stable")
    values = np.array([area(c, y, w), _mean_risk(y[best], w[best])])
    values = np.append(values, max(0.0, values[0] - values[1]))
    n, n_eff = len(y), effective_size(w)
    if np.ptp(y) == 0:
        return _where_all_alike(values, everything)
    inverse = np.unique(-c, return_inverse=True)[1].reshape(-1)
    mass = np.cumsum(np.bincount(inverse, weights=w))
    cells = np.ceil(CELLS * mass / mass[-1] - 1e-9).astype(int)[inverse]
    strata = None if design is None else design.strata
    together = design.clusters if design is not None and design.clustered else None
    groups = resampling.group(np.stack([cells, y.astype(int)], axis=1), w, strata, together)
    one_hot = cells[groups.first, None] == np.arange(1, CELLS + 1)
    columns = np.concatenate([one_hot, one_hot * y[groups.first, None]], axis=1).astype(float)
    replicates = resampling.replicate(groups, columns, _approximate, bootstrap)
    shift = values - _approximate((groups.weights * groups.size) @ columns)
    fraction = 0.0 if design is None else n / design.size
    figures = []
    for value, column in zip(values, (replicates + shift).T, strict=True):
        interval = resampling.interval(np.clip(column, 0, 1), value, bootstrap.level, fraction)
        figures.append(Figure(float(value), n, interval, n_eff=n_eff, method="bootstrap"))
    return figures[0], figures[1], figures[2]


def _approximate(totals: np.ndarray) -> np.ndarray:
    """AURC, optimal and excess of (..., 2 * CELLS) totals, as if errors lay evenly in a cell."""
    mass, errors = np.split(totals, 2, axis=-1)
    after, found = np.cumsum(mass, axis=-1), np.cumsum(errors, axis=-1)
    before, earlier = after - mass, found - errors
    rate = errors / np.where(mass > 0, mass, 1)
    grows = np.log(np.where(before > 0, after, 1) / np.where(before > 0, before, 1))
    whole = after[..., -1]
    aurc = (rate * mass + (earlier - rate * before) * grows).sum(axis=-1) / whole
    right = 1 - found[..., -1] / whole
    optimal = 1 - right + right * np.log(np.where(right > 0, right, 1))
    return np.stack([aurc, optimal, aurc - optimal], axis=-1)


def _where_all_alike(values: np.ndarray, everything: Figure) -> tuple[Figure, Figure, Figure]:
    """Resampling learns nothing here: the area lies where the share of errors may lie."""
    low, high = everything.interval or (0.0, 1.0)
    aurc = replace(everything, value=float(values[0]))
    return aurc, replace(aurc, value=float(values[1])), replace(
        aurc, value=float(values[2]), interval=(0.0, high - low)
    )  # fmt: skip
