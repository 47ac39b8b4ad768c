"""Figures in pairs: corrected for how the samples were drawn, and naive, never one alone."""

from dataclasses import dataclass

import numpy as np
from django.utils.translation import gettext as _

from annotation.arrays_codes import Scope
from synthlab.science.agreement import MISSING, agreement, multi_label_agreement
from synthlab.science.bootstrap import Bootstrap
from synthlab.science.estimation import Design, proportion
from synthlab.science.figures import Figure
from synthlab.science.measures import (
    CohenKappa,
    FleissKappa,
    GwetAC1,
    KrippendorffAlpha,
    Measure,
    PercentAgreement,
)


@dataclass(frozen=True)
class SideBySide:
    """One figure twice. `corrected` speaks for the whole set, `naive` for the answered samples."""

    name: str
    label: str
    corrected: Figure
    naive: Figure
    share: bool = False  # from 0 to 1 and shown as per cent; else from -1 to 1
    note: str = ""
    digits: int = 2  # after the point, of what is no share


def measures(scope: Scope, people: int) -> list[tuple[str, str, Measure]]:
    """What is measured between two sides (`people` = 2) or among more: name, label, measure."""
    rating, scale = scope.project.task.level != "nominal", scope.scale
    found: list[tuple[str, str, Measure]] = [
        ("percent", _("Percent agreement"), PercentAgreement())
    ]
    if people > 2:
        found.append(("fleiss", _("Fleiss’ kappa"), FleissKappa()))
    elif rating:
        kappa = CohenKappa(weights="quadratic", scale=scale)
        found.append(("kappa", _("Cohen’s kappa, quadratic weights"), kappa))
    else:
        found.append(("kappa", _("Cohen’s kappa"), CohenKappa()))
    if rating:
        ordinal = KrippendorffAlpha("ordinal", scale)
        interval = KrippendorffAlpha("interval", scale)
        found.append(("alpha_ordinal", _("Krippendorff’s alpha, ordinal"), ordinal))
        found.append(("alpha_interval", _("Krippendorff’s alpha, interval"), interval))
    name = _("Krippendorff’s alpha, nominal") if rating else _("Krippendorff’s alpha")
    found.append(("alpha", name, KrippendorffAlpha()))
    found.append(("ac1", _("Gwet’s AC1"), GwetAC1()))
    return found


def resampling(samples: int) -> Bootstrap:
    """Fewer replicates where many samples make each one dear and precise."""
    return Bootstrap(replicates=1000 if samples <= 10_000 else 400 if samples <= 50_000 else 200)


def side_by_side(
    name: str, label: str, measure: Measure, codes: np.ndarray, scope: Scope, design: Design
) -> SideBySide:
    """Codes are (samples, annotators), for multi-label (samples, annotators, labels): then it is
    the mean over the labels, each a yes/no question."""
    bootstrap = resampling(len(codes))

    def figure(weighting: Design | None) -> Figure:
        if codes.ndim == 3:
            return multi_label_agreement(measure, codes, weighting, bootstrap).mean
        return agreement(measure, codes, len(scope.labels), weighting, bootstrap)

    share = isinstance(measure, PercentAgreement)
    return SideBySide(name, label, figure(design), figure(None), share)


def shares(name: str, label: str, values: np.ndarray, design: Design, level=0.95) -> SideBySide:
    """The mean of a share known for each sample; NaN where it is not."""
    corrected = proportion(values, design, level)
    return SideBySide(name, label, corrected, proportion(values, None, level), share=True)


def match(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """1 where two sides gave the same whole answer, 0 where not, NaN where one is missing."""
    if left.ndim == 1:
        same, both = left == right, (left != MISSING) & (right != MISSING)
    else:
        same = (left == right).all(axis=-1)
        both = ((left != MISSING) & (right != MISSING)).all(axis=-1)
    return np.where(both, same.astype(float), np.nan)
