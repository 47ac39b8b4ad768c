"""People against model: what a confusion matrix says, overall and label by label.

Rows are what people said, columns what the model said. Shares have the intervals of
`estimation`; F1 is 2J / (1 + J) of the share J of samples where both said the label among those
where either did, so that its interval is J's. Only macro-F1 needs resampling.
"""

from dataclasses import dataclass, replace

import numpy as np

from synthlab.science import bootstrap as resampling
from synthlab.science.agreement import DEFAULT, MISSING
from synthlab.science.bootstrap import Bootstrap
from synthlab.science.estimation import Design, effective_size, proportion
from synthlab.science.figures import (
    NEVER_GIVEN,
    NEVER_USED,
    RARE_LABELS,
    TOO_FEW_ANSWERS,
    Figure,
)

ENOUGH = 10  # effective answers below which an F1 would mislead


@dataclass(frozen=True)
class LabelFigures:
    """How one label fares. `n_eff` counts people's answers with it, as an even draw would."""

    precision: Figure
    recall: Figure
    f1: Figure
    prevalence: Figure  # how common people find the label
    support: int
    n_eff: float


@dataclass(frozen=True)
class Comparison:
    """People against model. Multi-label: `accuracy` is of whole answers, and there is no matrix."""

    accuracy: Figure
    labels: tuple[LabelFigures, ...]
    macro_f1: Figure
    matrix: np.ndarray | None = None


def confusion(
    people: np.ndarray, model: np.ndarray, labels: int, design: Design | None = None
) -> np.ndarray:
    """Codes (-1 missing) to a (labels, labels) matrix: counts, or samples of the frame they are
    estimated to stand for."""
    both = (people != MISSING) & (model != MISSING)
    weights = np.ones(len(people)) if design is None else design.weights
    cells = people[both] * labels + model[both]
    flat = np.bincount(cells, weights=weights[both], minlength=labels * labels)
    return np.asarray(flat.reshape(labels, labels))


def compare(
    people: np.ndarray,
    model: np.ndarray,
    labels: int,
    design: Design | None = None,
    bootstrap: Bootstrap = DEFAULT,
) -> Comparison:
    """Single-label and rating codes, -1 where missing."""
    both = (people != MISSING) & (model != MISSING)
    said = people[both, None] == np.arange(labels)
    given = model[both, None] == np.arange(labels)
    part = None if design is None else design.take(both)
    figures = _compare(said, given, part, bootstrap)
    return replace(figures, matrix=confusion(people, model, labels, design))


def compare_multi_label(
    people: np.ndarray,
    model: np.ndarray,
    design: Design | None = None,
    bootstrap: Bootstrap = DEFAULT,
) -> Comparison:
    """(samples, labels) of 1 ticked, 0 not; a sample with any -1 is not answered."""
    both = ((people != MISSING) & (model != MISSING)).all(axis=1)
    part = None if design is None else design.take(both)
    return _compare(people[both] == 1, model[both] == 1, part, bootstrap)


def _compare(
    said: np.ndarray, given: np.ndarray, design: Design | None, bootstrap: Bootstrap
) -> Comparison:
    accuracy = proportion((said == given).all(axis=1), design, bootstrap.level)
    if accuracy.value is None:
        unknown = LabelFigures(accuracy, accuracy, accuracy, accuracy, 0, 0.0)
        return Comparison(accuracy, (unknown,) * said.shape[1], accuracy)
    if design is not None:
        said, given = said[design.measuring], given[design.measuring]
        design = design.take(design.measuring)
    labels = tuple(
        _label_figures(said[:, label], given[:, label], design, bootstrap.level)
        for label in range(said.shape[1])
    )
    used = (said | given).any(axis=0)
    rare = any(label.n_eff < ENOUGH for label, by_any in zip(labels, used, strict=True) if by_any)
    if rare and accuracy.method != "census":
        return Comparison(accuracy, labels, Figure(None, accuracy.n, reason=RARE_LABELS))
    return Comparison(accuracy, labels, _macro_f1(said, given, design, bootstrap))


def _label_figures(
    said: np.ndarray, given: np.ndarray, design: Design | None, level: float
) -> LabelFigures:
    weights = np.ones(len(said)) if design is None else design.weights
    support, n_eff = int(said.sum()), effective_size(weights[said])
    return LabelFigures(
        precision=_within(said, given, design, level, NEVER_GIVEN),
        recall=_within(given, said, design, level, NEVER_USED),
        f1=_f1(_within(said & given, said | given, design, level, NEVER_USED), support, n_eff),
        prevalence=proportion(said, design, level),
        support=support,
        n_eff=n_eff,
    )


def _within(
    values: np.ndarray, domain: np.ndarray, design: Design | None, level: float, reason: str
) -> Figure:
    """A share among the samples of a domain, whose size in the frame is itself estimated."""
    if not domain.any():
        return Figure(None, 0, reason=reason)
    part = None if design is None else design.take(domain, domain=True)
    return proportion(values[domain], part, level)


def _f1(overlap: Figure, support: int, n_eff: float) -> Figure:
    """F1 from the overlap of both sides; hidden where too few people's answers carry it."""
    if n_eff < ENOUGH:
        reason = TOO_FEW_ANSWERS if support else NEVER_USED
        return Figure(None, support, reason=reason, n_eff=n_eff)
    interval = overlap.interval and (_dice(overlap.interval[0]), _dice(overlap.interval[1]))
    return replace(overlap, value=_dice(overlap.value or 0.0), interval=interval, n_eff=n_eff)


def _dice(overlap: float) -> float:
    return 2 * overlap / (1 + overlap)


def _macro_f1(
    said: np.ndarray, given: np.ndarray, design: Design | None, bootstrap: Bootstrap
) -> Figure:
    """The mean F1 of the labels that either side used, rare ones included.

    Its caller hides it where a label is too rare in the answers to have an F1 of its own: the
    mean would rest on chance, and labels that nobody met yet would be missing from it.
    """
    n = len(said)
    weights = np.ones(n) if design is None else design.weights
    profile = (2 * said + given).astype(int)
    strata = None if design is None else design.strata
    together = design.clusters if design is not None and design.clustered else None
    groups = resampling.group(profile, weights, strata, together)
    first = groups.first
    cells = np.concatenate([said[first] & given[first], said[first]], axis=1).astype(float)
    columns = np.concatenate([cells, given[first]], axis=1)

    def mean(totals: np.ndarray) -> np.ndarray:
        hits, by_people, by_model = np.split(totals, 3, axis=-1)
        used = by_people + by_model > 0
        each = np.where(used, 2 * hits / np.where(used, by_people + by_model, 1), 0)
        return np.where(
            used.any(axis=-1), each.sum(axis=-1) / np.maximum(used.sum(axis=-1), 1), np.nan
        )

    value = float(mean((groups.weights * groups.size) @ columns))
    if np.isnan(value):
        return Figure(None, n, reason=NEVER_USED)
    if (said == given).all():
        low = _lowest_without_error(said, design, bootstrap.level)
        return Figure(value, n, (low, value), method="korn_graubard")
    fraction = 0.0 if design is None else n / design.size
    values = resampling.replicate(groups, columns, mean, bootstrap)
    interval = resampling.interval_below_one(values, value, 1 - value, n, bootstrap.level, fraction)
    return Figure(value, n, interval, method="bootstrap" if interval else "")


def _lowest_without_error(said: np.ndarray, design: Design | None, level: float) -> float:
    """Without an error resampling would claim certainty, so the labels' own bounds are averaged."""
    lows = []
    for column in said.T[said.any(axis=0)]:
        overlap = _within(column, column, design, level, NEVER_USED)
        lows.append(_dice(overlap.interval[0] if overlap.interval else 0.0))
    return float(np.mean(lows))
