"""Agreement between annotators, from a matrix of codes: (samples, annotators), -1 where missing.

Codes are 0 to labels - 1, in the codebook's order. Every measure is a function of totals over the
samples, so that weights (1 / inclusion), replicates and confusion matrices all take one road.
With a design only answers drawn by chance count, each for the samples of the frame it stands for.
"""

from dataclasses import dataclass

import numpy as np

from synthlab.science import bootstrap as resampling
from synthlab.science.bootstrap import Bootstrap, Groups
from synthlab.science.estimation import Design, proportion
from synthlab.science.figures import (
    NO_DRAW,
    NO_PAIRS,
    ONE_LABEL,
    TOO_ALIKE,
    TOO_FEW_LABELS,
    Figure,
)
from synthlab.science.measures import Measure, PercentAgreement, counts, shares_of_pairs

MISSING = -1
DEFAULT = Bootstrap()


def agreement(
    measure: Measure,
    codes: np.ndarray,
    labels: int,
    design: Design | None = None,
    bootstrap: Bootstrap | None = DEFAULT,
) -> Figure:
    """One measure of agreement; without a `bootstrap` it has no interval.

    Where no two answers differ, resampling would claim certainty: the lower end is then the value
    that the measure takes at the lower end of percent agreement.
    """
    units = _Units.of(codes, labels, design)
    level = bootstrap.level if bootstrap else DEFAULT.level
    percent = proportion(units.shares, units.design, level)
    if reason := units.undefined(measure):
        return Figure(None, percent.n, reason=reason)
    if isinstance(measure, PercentAgreement):
        return percent
    groups = units.groups()
    contributions = measure.contributions(units.codes[groups.first], labels)
    totals = (groups.weights * groups.size) @ contributions
    value = float(measure.value(totals, labels))
    if np.isnan(value):
        return Figure(None, percent.n, reason=ONE_LABEL)
    if bootstrap is None:
        return Figure(value, percent.n)
    if percent.value == 1 and percent.interval:
        low = _at_share(measure, units, percent.n, percent.interval[0])
        return Figure(value, percent.n, (min(low, value), value), method=percent.method)
    values = resampling.replicate(
        groups, contributions, lambda totals: measure.value(totals, labels), bootstrap
    )
    return _resampled(values, value, percent, units, level)


def _resampled(
    values: np.ndarray, value: float, percent: Figure, units: "_Units", level: float
) -> Figure:
    n, differing = percent.n, 1 - (percent.value or 0.0)
    fraction = units.fraction(n)
    interval = resampling.interval_below_one(values, value, differing, n, level, fraction)
    if interval is None:
        return Figure(None, n, reason=TOO_ALIKE)
    return Figure(value, n, interval, method="bootstrap")


def agreement_of_confusion(measure: Measure, matrix: np.ndarray, n: int | None = None) -> Figure:
    """A measure of two annotators from their (weighted) confusion matrix; it has no interval.

    Give `n`, the number of samples, where the cells are weights.
    """
    total, labels = float(matrix.sum()), len(matrix)
    units = round(total) if n is None else n
    if total == 0:
        return Figure(None, 0, reason=NO_PAIRS)
    if labels < 2:
        return Figure(None, units, reason=TOO_FEW_LABELS)
    cells = np.stack(np.divmod(np.arange(labels * labels), labels), axis=1)
    totals = (matrix.ravel() * units / total) @ measure.contributions(cells, labels)
    value = float(measure.value(totals, labels))
    return Figure(None, units, reason=ONE_LABEL) if np.isnan(value) else Figure(value, units)


@dataclass(frozen=True)
class MultiLabelAgreement:
    """Agreement on each label as a yes/no question, and its mean over the labels that have one."""

    labels: tuple[Figure, ...]
    mean: Figure


def multi_label_agreement(
    measure: Measure,
    codes: np.ndarray,
    design: Design | None = None,
    bootstrap: Bootstrap | None = DEFAULT,
) -> MultiLabelAgreement:
    """From (samples, annotators, labels): 1 ticked, 0 not, -1 not answered."""
    labels = tuple(
        agreement(measure, codes[:, :, label], 2, design, bootstrap)
        for label in range(codes.shape[2])
    )
    known = [figure for figure in labels if figure.value is not None]
    n = max((figure.n for figure in labels), default=0)
    if not known:
        reason = labels[0].reason if labels else TOO_FEW_LABELS
        return MultiLabelAgreement(labels, Figure(None, n, reason=reason))
    value = float(np.mean([figure.value for figure in known]))
    interval = _mean_interval(measure, codes, design, bootstrap, known)
    method = "bootstrap" if interval else ""
    return MultiLabelAgreement(labels, Figure(value, n, interval, method=method))


def _mean_interval(
    measure: Measure,
    codes: np.ndarray,
    design: Design | None,
    bootstrap: Bootstrap | None,
    known: list[Figure],
) -> tuple[float, float] | None:
    """Samples are resampled whole, so that labels that go together stay together."""
    if bootstrap is None:
        return None
    value = float(np.mean([figure.value for figure in known]))
    if all(figure.value == 1 for figure in known):
        lows = [figure.interval[0] for figure in known if figure.interval]
        return (float(np.mean(lows)), value) if lows else None
    whole = codes.reshape(len(codes), -1)
    units = _Units.of(whole, 2, design)
    groups = units.groups()
    kept = units.codes[groups.first].reshape(-1, *codes.shape[1:])
    each = [measure.contributions(kept[:, :, label], 2) for label in range(codes.shape[2])]

    def mean(totals: np.ndarray) -> np.ndarray:
        values = np.stack([measure.value(part, 2) for part in np.split(totals, len(each), axis=1)])
        defined = ~np.isnan(values)
        sums = np.where(defined, values, 0).sum(axis=0)
        return np.where(defined.any(axis=0), sums / np.maximum(defined.sum(axis=0), 1), np.nan)

    values = resampling.replicate(groups, np.concatenate(each, axis=1), mean, bootstrap)
    n = max(figure.n for figure in known)
    return resampling.interval_below_one(
        values, value, _differing(codes, design), n, bootstrap.level, units.fraction(n)
    )


def _differing(codes: np.ndarray, design: Design | None) -> float:
    """The share of pairs of answers that differ, averaged over the labels."""
    alike = multi_label_agreement(PercentAgreement(), codes, design, bootstrap=None).mean.value
    return 1 - (alike or 0.0)


@dataclass(frozen=True)
class _Units:
    """The samples that count: answered, and drawn by chance where there is a design."""

    codes: np.ndarray
    labels: int
    design: Design | None
    answered: bool  # was anything answered before the design was looked at?

    @classmethod
    def of(cls, codes: np.ndarray, labels: int, design: Design | None) -> "_Units":
        codes = np.asarray(codes)
        if codes.size and not ((codes >= MISSING) & (codes < labels)).all():
            raise ValueError(f"Codes run from 0 to {labels - 1}, with {MISSING} for missing.")
        kept = (codes != MISSING).any(axis=1)
        answered = bool(((codes != MISSING).sum(axis=1) >= 2).any())
        if design is not None:
            kept &= design.measuring
            design = design.take(kept)
        return cls(codes[kept], labels, design, answered)

    @property
    def shares(self) -> np.ndarray:
        """Of each sample, the share of its pairs of answers that agree; NaN without a pair."""
        return shares_of_pairs(counts(self.codes, self.labels))

    def fraction(self, n: int) -> float:
        """The share of a finite frame that n samples are; 0 where there is no design."""
        return n / self.design.size if self.design and n else 0.0

    def undefined(self, measure: Measure) -> str:
        """Why the measure cannot be taken of these samples, or nothing."""
        if not ((self.codes != MISSING).sum(axis=1) >= 2).any():
            return NO_DRAW if self.answered else NO_PAIRS
        if self.labels < 2:
            return TOO_FEW_LABELS
        return measure.refuses(self.codes)

    def groups(self) -> Groups:
        """Weights have mean 1, so that corrections for small samples see the real number."""
        weights = np.ones(len(self.codes)) if self.design is None else self.design.weights
        strata = None if self.design is None else self.design.strata
        together = self.design.clusters if self.design and self.design.clustered else None
        return resampling.group(self.codes, weights / weights.mean(), strata, together)


def _at_share(measure: Measure, units: _Units, n: int, share: float) -> float:
    """The measure on n pairs of answers if this share agreed and the rest differed by chance."""
    labels = units.labels
    used = counts(units.codes, labels).sum(axis=0).astype(float)
    if (used > 0).sum() == 1:
        used += used.max() * 1e-3  # one label alone: any other may be the one confused with it
    pairs = np.outer(used, used)
    np.fill_diagonal(pairs, 0)
    pairs *= (1 - share) / pairs.sum()
    np.fill_diagonal(pairs, share * used / used.sum())
    return agreement_of_confusion(measure, pairs, n).value or 0.0
