"""Is a machine as often right as it says? Confidence against people's answers, with intervals.

`confidence` is the probability that the machine gave to its own label, `right` 1 where people
agree and 0 where not, both (samples,), NaN where unknown. With a design every answer counts for
the samples of the frame it stands for.

The expected calibration error (Naeini, Cooper & Hauskrecht 2015; bins as in Guo et al. 2017) is
biased upwards: noise within a bin never cancels. So it is shown beside a figure with the bias, as
resampling sees it, taken off (Kumar, Liang & Ma 2019, section 5), and beside Brier's score (1950),
which has no such bias. Its interval resamples the error with the sign of every bin's gap as it was
seen, around the figure without the bias: the plain percentile interval counts the bias twice, and
gaps that resampling folds at zero make it too short. Over simulated draws of 300 it covered the
truth in 90 to 96 %, least where the machine is nearly calibrated.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from synthlab.science import bootstrap as resampling
from synthlab.science.agreement import DEFAULT
from synthlab.science.bootstrap import Bootstrap, Groups
from synthlab.science.estimation import Design, effective_size, proportion
from synthlab.science.figures import NO_ANSWERS, NO_DRAW, Figure

Binning = Literal["equal_width", "equal_mass", "values"]
FEW_VALUES = 15  # fewer distinct confidences than this are bins of their own


@dataclass(frozen=True)
class Bin:
    """Samples of like confidence. Bins are (low, high], but for 0, which is in the first."""

    low: float
    high: float
    count: int
    share: float  # of the frame, as the weights have it
    confidence: float  # weighted mean
    accuracy: Figure


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram and the error that it shows. Empty bins are left out."""

    bins: tuple[Bin, ...]
    binning: Binning
    distinct: int  # how many different confidences there are
    ece: Figure
    debiased: Figure
    unknown: int = 0  # answered, but the machine's confidence is unknown
    reason: str = ""


@dataclass(frozen=True)
class Calibration:
    """What a page shows about one machine's confidence."""

    reliability: Reliability
    adaptive_ece: Figure
    brier: Figure


def calibration(
    confidence: np.ndarray,
    right: np.ndarray,
    design: Design | None = None,
    bins: int = 10,
    bootstrap: Bootstrap = DEFAULT,
) -> Calibration:
    """Bins of equal width, or one for each confidence where there are few different ones."""
    return Calibration(
        reliability(confidence, right, design, None, bins, bootstrap),
        reliability(confidence, right, design, "equal_mass", bins, bootstrap).ece,
        brier(confidence, right, design, bootstrap),
    )


def reliability(
    confidence: np.ndarray,
    right: np.ndarray,
    design: Design | None = None,
    binning: Binning | None = None,
    bins: int = 10,
    bootstrap: Bootstrap = DEFAULT,
) -> Reliability:
    """The diagram and the ECE in the same bins. Equal confidences never fall into two bins."""
    known = _Known.of(confidence, right, design)
    distinct = len(np.unique(known.confidence))
    if binning is None:
        binning = "values" if distinct < FEW_VALUES else "equal_width"
    if known.reason:
        none = Figure(None, 0, reason=known.reason)
        return Reliability((), binning, 0, none, none, known.unknown, known.reason)
    places = _places(known, binning, bins)
    shown = tuple(
        _bin(known, places == place, binning, (place, bins), bootstrap.level)
        for place in np.unique(places)
    )
    ece, debiased = _ece(known, places, bootstrap)
    return Reliability(shown, binning, distinct, ece, debiased, known.unknown)


def brier(
    confidence: np.ndarray,
    right: np.ndarray,
    design: Design | None = None,
    bootstrap: Bootstrap = DEFAULT,
) -> Figure:
    """Mean squared distance between confidence and being right: 0 is perfect, 0.25 is a coin."""
    known = _Known.of(confidence, right, design)
    if known.reason:
        return Figure(None, 0, reason=known.reason)
    loss = (known.confidence - known.right) ** 2
    if np.ptp(loss) == 0 or np.ptp(known.right) == 0:  # resampling would claim too much
        return proportion(loss, known.design, bootstrap.level)
    groups = known.groups(np.zeros(known.n, int))
    columns = np.stack([loss, np.ones(known.n)], axis=1)[groups.first]
    value = float(np.average(loss, weights=known.weights))
    replicates = resampling.replicate(
        groups, columns, lambda totals: totals[:, 0] / totals[:, 1], bootstrap
    )
    interval = resampling.interval(replicates, value, bootstrap.level, known.fraction)
    return Figure(value, known.n, interval, n_eff=known.n_eff, method="bootstrap")


@dataclass(frozen=True)
class _Known:
    """The samples that count: answered, with a confidence, drawn by chance if there is a design."""

    confidence: np.ndarray
    right: np.ndarray
    design: Design | None
    unknown: int
    reason: str

    @classmethod
    def of(cls, confidence: np.ndarray, right: np.ndarray, design: Design | None) -> "_Known":
        c, y = np.asarray(confidence, dtype=float), np.asarray(right, dtype=float)
        if ((c < 0) | (c > 1)).any():
            raise ValueError("A confidence lies between 0 and 1.")
        answered = ~np.isnan(y)
        kept = answered & ~np.isnan(c)
        reason = "" if kept.any() else NO_ANSWERS
        if design is not None:
            kept &= design.measuring
            reason = reason or ("" if kept.any() else NO_DRAW)
            design = design.take(kept)
        unknown = int((answered & np.isnan(c)).sum())
        return cls(c[kept], y[kept], design, unknown, reason)

    @property
    def n(self) -> int:
        return len(self.right)

    @property
    def weights(self) -> np.ndarray:
        return np.ones(self.n) if self.design is None else self.design.weights

    @property
    def n_eff(self) -> float:
        return effective_size(self.weights)

    @property
    def fraction(self) -> float:
        """The share of a finite frame that was answered; 0 where there is no design."""
        return 0.0 if self.design is None else self.n / self.design.size

    def groups(self, places: np.ndarray) -> Groups:
        values = np.unique(self.confidence, return_inverse=True)[1].reshape(-1)
        profile = np.stack([places, values, self.right.astype(int)], axis=1)
        strata = None if self.design is None else self.design.strata
        together = self.design.clusters if self.design and self.design.clustered else None
        return resampling.group(profile, self.weights, strata, together)


def _places(known: _Known, binning: Binning, bins: int) -> np.ndarray:
    """The bin of each sample, as a number; bins of equal mass are weighted."""
    values, inverse = np.unique(known.confidence, return_inverse=True)
    inverse = inverse.reshape(-1)
    if binning == "values":
        return inverse
    if binning == "equal_width":
        edges = np.linspace(0, 1, bins + 1)[1:-1]
        return np.searchsorted(edges, known.confidence)
    mass = np.bincount(inverse, weights=known.weights, minlength=len(values))
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    return np.asarray(np.floor(bins * middle)).astype(int)[inverse]


def _bin(
    known: _Known, inside: np.ndarray, binning: Binning, place: tuple[int, int], level: float
) -> Bin:
    c, w = known.confidence[inside], known.weights[inside]
    number, bins = place
    edges = (number / bins, (number + 1) / bins)
    low, high = edges if binning == "equal_width" else (float(c.min()), float(c.max()))
    part = None if known.design is None else known.design.take(inside, domain=True)
    return Bin(
        low=low,
        high=high,
        count=int(inside.sum()),
        share=float(w.sum() / known.weights.sum()),
        confidence=float(np.average(c, weights=w)),
        accuracy=proportion(known.right[inside], part, level),
    )


def _ece(known: _Known, places: np.ndarray, bootstrap: Bootstrap) -> tuple[Figure, Figure]:
    """The plain error and the one with its bias taken off; both share an interval."""
    _, places = np.unique(places, return_inverse=True)
    one_hot = places.reshape(-1)[:, None] == np.arange(places.max() + 1)
    gaps = (known.right - known.confidence)[:, None] * one_hot
    groups = known.groups(places.reshape(-1))
    columns = np.concatenate([gaps, np.ones((known.n, 1))], axis=1)[groups.first]

    def error(totals: np.ndarray) -> np.ndarray:
        return np.asarray(np.abs(totals[..., :-1]).sum(axis=-1) / totals[..., -1])

    totals = (groups.weights * groups.size) @ columns
    value = float(error(totals))
    if np.ptp(known.right) == 0:
        low, high = _where_all_alike(known, places.reshape(-1), bootstrap.level)
        interval = (min(low, value), max(high, value))
        figure = Figure(value, known.n, interval, n_eff=known.n_eff, method="korn_graubard")
        return figure, figure
    signs = np.append(np.sign(totals[:-1]), 0)
    replicates = resampling.replicate(
        groups,
        columns,
        lambda totals: np.stack([error(totals), totals @ signs / totals[:, -1]], axis=1),
        bootstrap,
    )
    rest = max(0.0, 1 - known.fraction)
    debiased = max(0.0, value - rest * (float(replicates[:, 0].mean()) - value))
    tail = (1 - bootstrap.level) / 2
    low, high = debiased + np.sqrt(rest) * (np.quantile(replicates[:, 1], [tail, 1 - tail]) - value)
    interval = (max(0.0, min(float(low), debiased)), min(1.0, max(float(high), debiased)))
    around = (min(interval[0], value), max(interval[1], value))
    method = "bootstrap"
    return (
        Figure(value, known.n, around, n_eff=known.n_eff, method=method),
        Figure(debiased, known.n, interval, n_eff=known.n_eff, method=method),
    )


def _where_all_alike(known: _Known, places: np.ndarray, level: float) -> tuple[float, float]:
    """Without a single error (or hit) resampling learns nothing of the noise: the interval is then
    what the ECE could be if every bin were right as often as accuracy's interval allows."""
    accuracy = proportion(known.right, known.design, level).interval or (0.0, 1.0)
    mass = np.bincount(places, weights=known.weights)
    means = np.bincount(places, weights=known.weights * known.confidence) / mass
    possible = np.linspace(*accuracy, 201)
    errors = np.abs(possible[:, None] - means) @ (mass / mass.sum())
    return float(errors.min()), float(errors.max())
