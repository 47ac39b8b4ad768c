"""Coefficients of agreement, each as totals over the samples and a value of the totals.

`contributions` takes the codes of some samples, (samples, annotators) with -1 for missing, and
gives (samples, d). `value` takes (..., d) weighted totals and gives (...), NaN where undefined.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import numpy as np

from synthlab.science.figures import NO_PAIRS, UNEQUAL_OVERLAP

Level = Literal["nominal", "ordinal", "interval", "ratio"]


class Measure(Protocol):
    name: ClassVar[str]
    label: ClassVar[str]

    def refuses(self, codes: np.ndarray) -> str: ...

    def contributions(self, codes: np.ndarray, labels: int) -> np.ndarray: ...

    def value(self, totals: np.ndarray, labels: int) -> np.ndarray: ...


def counts(codes: np.ndarray, labels: int) -> np.ndarray:
    """How many annotators gave each label: (samples, labels)."""
    return np.stack([(codes == label).sum(axis=1) for label in range(labels)], axis=1)


def shares_of_pairs(given: np.ndarray) -> np.ndarray:
    """Of each sample, the share of its pairs of answers that agree; NaN below two answers."""
    answers = given.sum(axis=1)
    pairs = np.where(answers > 1, answers * (answers - 1), 1)
    return np.where(answers > 1, (given * (given - 1)).sum(axis=1) / pairs, np.nan)


def _above_chance(observed: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """(observed - chance) / (1 - chance), NaN where chance alone explains everything."""
    room = 1 - chance
    known = room > 1e-12
    return np.where(known, (observed - chance) / np.where(known, room, 1), np.nan)


def _less_than_chance(observed: np.ndarray, expected: np.ndarray, n: np.ndarray) -> np.ndarray:
    """1 - observed / expected disagreement, both times n squared; NaN where none is expected."""
    known = expected > 1e-12 * n**2
    return np.where(known, 1 - observed / np.where(known, expected, 1), np.nan)


@dataclass(frozen=True)
class PercentAgreement:
    """The share of pairs of answers that agree, averaged over the samples."""

    name: ClassVar[str] = "percent"
    label: ClassVar[str] = "Percent agreement"

    def refuses(self, codes: np.ndarray) -> str:
        return ""

    def contributions(self, codes: np.ndarray, labels: int) -> np.ndarray:
        share = shares_of_pairs(counts(codes, labels))
        paired = ~np.isnan(share)
        return np.stack([np.where(paired, share, 0), paired], axis=1)

    def value(self, totals: np.ndarray, labels: int) -> np.ndarray:
        agreed, n = totals[..., 0], totals[..., 1]
        return np.where(n > 0, agreed / np.where(n > 0, n, 1), np.nan)


@dataclass(frozen=True)
class CohenKappa:
    """Cohen (1960), weighted as in Cohen (1968): two annotators, samples that both answered.

    `scale` holds the labels' numbers for ratings; without it the steps between them are even.
    """

    weights: Literal["none", "linear", "quadratic"] = "none"
    scale: tuple[float, ...] | None = None
    name: ClassVar[str] = "kappa"
    label: ClassVar[str] = "Cohen's kappa"

    def refuses(self, codes: np.ndarray) -> str:
        if codes.shape[1] != 2:
            raise ValueError("Cohen's kappa compares two annotators.")
        return "" if (codes >= 0).all(axis=1).any() else NO_PAIRS

    def contributions(self, codes: np.ndarray, labels: int) -> np.ndarray:
        """Unweighted: whether both agree, then what each said, so that hundreds of labels fit into
        memory. Weighted: one column for each cell of the confusion matrix."""
        if self.weights == "none":
            both = (codes >= 0).all(axis=1, keepdims=True)
            said = codes[:, :, None] == np.arange(labels)
            same = codes[:, :1] == codes[:, 1:]
            return np.concatenate([same, said[:, 0], said[:, 1]], axis=1) * both.astype(float)
        cell = np.where((codes >= 0).all(axis=1), codes[:, 0] * labels + codes[:, 1], -1)
        return np.asarray(cell[:, None] == np.arange(labels * labels), dtype=float)

    def value(self, totals: np.ndarray, labels: int) -> np.ndarray:
        if self.weights == "none":
            return self._unweighted(totals, labels)
        matrix = totals.reshape(*totals.shape[:-1], labels, labels)
        n = totals.sum(axis=-1)
        apart = self._distances(labels)
        rows, columns = matrix.sum(axis=-1), matrix.sum(axis=-2)
        observed = (matrix * apart).sum(axis=(-2, -1)) * n
        expected = np.einsum("...k,kl,...l->...", rows, apart, columns)
        return _less_than_chance(observed, expected, n)

    def _unweighted(self, totals: np.ndarray, labels: int) -> np.ndarray:
        agreed, rows, columns = np.split(totals, [1, 1 + labels], axis=-1)
        n = rows.sum(axis=-1)
        return _less_than_chance((n - agreed[..., 0]) * n, n**2 - (rows * columns).sum(axis=-1), n)

    def _distances(self, labels: int) -> np.ndarray:
        at = np.arange(labels) if self.scale is None else np.asarray(self.scale, dtype=float)
        steps = np.abs(at[:, None] - at)
        return np.asarray(steps**2 if self.weights == "quadratic" else steps, dtype=float)


@dataclass(frozen=True)
class FleissKappa:
    """Fleiss (1971): the same number of answers on every sample, by whichever annotators."""

    name: ClassVar[str] = "fleiss"
    label: ClassVar[str] = "Fleiss' kappa"

    def refuses(self, codes: np.ndarray) -> str:
        answers = (codes >= 0).sum(axis=1)
        return UNEQUAL_OVERLAP if np.ptp(answers[answers > 1]) > 0 else ""

    def contributions(self, codes: np.ndarray, labels: int) -> np.ndarray:
        given = counts(codes, labels)
        share = shares_of_pairs(given)
        paired = ~np.isnan(share)
        spread = given / np.maximum(given.sum(axis=1), 1)[:, None]
        columns = np.concatenate([np.nan_to_num(share)[:, None], np.ones_like(spread)[:, :1]], 1)
        return np.asarray(np.concatenate([columns, spread], axis=1) * paired[:, None])

    def value(self, totals: np.ndarray, labels: int) -> np.ndarray:
        n = np.maximum(totals[..., 1], 1e-300)
        chance = ((totals[..., 2:] / n[..., None]) ** 2).sum(axis=-1)
        return _above_chance(totals[..., 0] / n, chance)


@dataclass(frozen=True)
class KrippendorffAlpha:
    """Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability"; missing answers allowed.

    `scale` holds the labels' numbers for the levels interval and ratio; without it 0, 1, 2 ...
    """

    level: Level = "nominal"
    scale: tuple[float, ...] | None = None
    name: ClassVar[str] = "alpha"
    label: ClassVar[str] = "Krippendorff's alpha"

    def refuses(self, codes: np.ndarray) -> str:
        return ""

    def contributions(self, codes: np.ndarray, labels: int) -> np.ndarray:
        """The coincidences within each sample: nominal, those that agree and how often each label
        occurs, so that hundreds of labels fit into memory; else one column a pair of labels."""
        given = counts(codes, labels).astype(float)
        answers = given.sum(axis=1)
        if self.level == "nominal":
            agreed = (given * (given - 1)).sum(axis=1) / np.where(answers > 1, answers - 1, 1)
            return np.where((answers > 1)[:, None], np.column_stack([agreed, given]), 0)
        pairs = given[:, :, None] * given[:, None, :] - given[:, :, None] * np.eye(labels)
        scaled = pairs / np.where(answers > 1, answers - 1, 1)[:, None, None]
        return np.where((answers > 1)[:, None], scaled.reshape(len(codes), -1), 0)

    def value(self, totals: np.ndarray, labels: int) -> np.ndarray:
        if self.level == "nominal":
            agreed, margin = totals[..., 0], totals[..., 1:]
            n = margin.sum(axis=-1)
            expected = n**2 - (margin**2).sum(axis=-1)
            return _less_than_chance((n - agreed) * (n - 1), expected, n)
        matrix = totals.reshape(*totals.shape[:-1], labels, labels)
        margin = matrix.sum(axis=-1)
        n = margin.sum(axis=-1)
        apart = self._distances(margin, labels)
        observed = (matrix * apart).sum(axis=(-2, -1)) * (n - 1)
        expected = (margin[..., :, None] * margin[..., None, :] * apart).sum(axis=(-2, -1))
        return _less_than_chance(observed, expected, n)

    def _distances(self, margin: np.ndarray, labels: int) -> np.ndarray:
        at = np.arange(labels) if self.scale is None else np.asarray(self.scale, dtype=float)
        if self.level == "ordinal":
            if (np.diff(at) < 0).any():
                raise ValueError("Ordinal labels come in the order of their numbers.")
            at = np.cumsum(margin, axis=-1) - margin / 2  # the mean rank of each label
        apart = at[..., :, None] - at[..., None, :]
        if self.level == "ratio":
            sums = at[:, None] + at
            apart = np.divide(apart, sums, out=np.zeros((labels, labels)), where=sums != 0)
        return np.asarray(apart**2, dtype=float)


@dataclass(frozen=True)
class GwetAC1:
    """Gwet (2008), any number of annotators, missing answers as in Gwet's handbook (2014).

    It stays meaningful where nearly everything has one label.
    """

    name: ClassVar[str] = "ac1"
    label: ClassVar[str] = "Gwet's AC1"

    def refuses(self, codes: np.ndarray) -> str:
        return ""

    def contributions(self, codes: np.ndarray, labels: int) -> np.ndarray:
        """Samples with a single answer count for how common the labels are."""
        given = counts(codes, labels)
        share = shares_of_pairs(given)
        spread = given / np.maximum(given.sum(axis=1), 1)[:, None]
        first = np.stack([np.nan_to_num(share), ~np.isnan(share)], axis=1)
        return np.concatenate([first, spread], axis=1)

    def value(self, totals: np.ndarray, labels: int) -> np.ndarray:
        common = totals[..., 2:]
        common = common / np.maximum(common.sum(axis=-1, keepdims=True), 1e-300)
        chance = (common * (1 - common)).sum(axis=-1) / (labels - 1)
        paired = np.maximum(totals[..., 1], 1e-300)
        return _above_chance(totals[..., 0] / paired, chance)


MEASURES = {
    measure.name: measure
    for measure in (PercentAgreement, CohenKappa, FleissKappa, KrippendorffAlpha, GwetAC1)
}
