"""Is a machine annotator as often right as it says, and what remains wrong if only the sure labels
are kept? Each figure twice: for the whole set, and naive."""

from dataclasses import dataclass

import numpy as np
from django.utils.translation import gettext as _

from annotation.arrays_agreement import Judgements, LeftOut, confidences, judgements
from annotation.arrays_codes import Scope
from annotation.reports.agreement import Basis, basis
from annotation.reports.figures import SideBySide, match, resampling
from annotation.reports.machines import stated_values
from annotation.reports.reliability_maps import Maps, maps
from synthlab.science.bootstrap import Bootstrap
from synthlab.science.calibration import Bin, Binning, Reliability, brier, reliability
from synthlab.science.calibration_maps import Chosen, choose_map
from synthlab.science.estimation import Design, effective_size, proportion
from synthlab.science.figures import NO_ANSWERS, NO_DRAW, TOO_FEW_ANSWERS, Figure
from synthlab.science.risk_coverage import RiskCoverage, risk_coverage

LEAST = 10  # effective answers below which no figure of confidence is shown
# With more answers than this, confidences are taken to three digits and like answers are resampled
# together: the page comes within seconds, and its figures differ by less than their last digit.
MANY = 2_000
# Why there is nothing to show at all.
SEVERAL_LABELS, NO_MACHINE, NO_CONFIDENCE, TOO_FEW = "several", "machine", "confidence", "few"


@dataclass(frozen=True)
class Known:
    """Aligned by sample, NaN where unknown: how sure the machine was, and was it right."""

    confidence: np.ndarray
    right: np.ndarray
    design: Design
    values: tuple[tuple[float, int], ...]  # that the machine states, with how often, if few
    binning: Binning
    bootstrap: Bootstrap

    def counted(self, design: Design | None) -> np.ndarray:
        """The samples that a figure rests on: with a design only those drawn by lot."""
        both = ~np.isnan(self.confidence) & ~np.isnan(self.right)
        return both if design is None else both & design.measuring


@dataclass(frozen=True)
class Reading:
    """Everything about the confidence, counted one way. `reason` says why there are no values."""

    samples: int
    stated: Figure
    right: Figure
    reliability: Reliability
    adaptive_ece: Figure
    brier: Figure
    curve: RiskCoverage
    reason: str = ""


@dataclass(frozen=True)
class BinRow:
    """Samples of like confidence; `low` is `high` where the machine states few values."""

    low: float
    high: float
    corrected: Bin | None
    naive: Bin | None

    @property
    def one_value(self) -> bool:
        return self.low == self.high


@dataclass(frozen=True)
class Report:
    """All that the page shows. Where there is a `problem`, the rest is None."""

    scope: Scope
    basis: Basis
    left_out: LeftOut
    samples: int  # with an answer of people, a label of the machine and its confidence
    by_lot: int  # of these, drawn with a known chance
    unknown: int  # answered and labelled, but the confidence is not stated
    problem: str = ""
    corrected: Reading | None = None
    naive: Reading | None = None
    rows: tuple[SideBySide, ...] = ()
    areas: tuple[SideBySide, ...] = ()
    bins: tuple[BinRow, ...] = ()
    values: tuple[tuple[float, int], ...] = ()  # all that the machine states, where they are few
    maps: Maps | None = None


def report(scope: Scope) -> Report:
    """Read the rows once; figures start at ten answers."""
    read = judgements(scope)
    known = _known(read)
    answered, samples = ~np.isnan(known.right), known.counted(None)
    problem = _problem(scope, samples, answered)
    figures = {} if problem else _figures(known)
    return Report(
        scope=scope,
        basis=basis(read),
        left_out=read.left_out,
        samples=int(samples.sum()),
        by_lot=int(known.counted(known.design).sum()),
        unknown=int((answered & ~samples).sum()),
        problem=problem,
        **figures,
    )


@dataclass(frozen=True)
class Fitted:
    """The map that does best on answers drawn by lot, and those answers: aligned, no NaN."""

    chosen: Chosen
    confidence: np.ndarray
    right: np.ndarray
    weights: np.ndarray


def best_map(scope: Scope) -> Fitted:
    """Chosen as the page chooses it for the whole set."""
    known = _known(judgements(scope))
    counted = known.counted(known.design)
    chosen = choose_map(known.confidence, known.right, known.design, bootstrap=known.bootstrap)
    read = (known.confidence, known.right, known.design.weights)
    return Fitted(chosen, *(array[counted] for array in read))


def _known(read: Judgements) -> Known:
    scope = read.scope
    right = match(read.truth.value, read.model)
    confidence = confidences(scope, read.samples)
    kept = confidence[~np.isnan(confidence) & ~np.isnan(right)]
    values = stated_values(scope.machine) if scope.machine else ()
    # A handful of answers, each with a confidence of its own, are not bins of their own.
    few = 2 * len(np.unique(kept)) <= len(kept)
    binning: Binning = "values" if values and few else "equal_width"
    if len(kept) > MANY and binning != "values":
        confidence = np.round(confidence, 3)
    shown = values if binning == "values" else ()
    return Known(confidence, right, read.design, shown, binning, resampling(len(kept)))


def _problem(scope: Scope, samples: np.ndarray, answered: np.ndarray) -> str:
    if scope.multiple:
        return SEVERAL_LABELS
    if scope.machine is None:
        return NO_MACHINE
    if answered.sum() >= LEAST and not samples.any():
        return NO_CONFIDENCE
    return TOO_FEW if samples.sum() < LEAST else ""


def _figures(known: Known) -> dict:
    corrected, naive = _reading(known, known.design), _reading(known, None)
    return {
        "corrected": corrected,
        "naive": naive,
        "rows": _rows(corrected, naive),
        "areas": _areas(corrected.curve, naive.curve),
        "bins": _bins(corrected.reliability.bins, naive.reliability.bins, known.binning),
        "values": known.values,
        "maps": maps(known.confidence, known.right, known.design, known.bootstrap),
    }


def _reading(known: Known, design: Design | None) -> Reading:
    counted = known.counted(design)
    n = int(counted.sum())
    if reason := _refusal(design, counted):
        return _nothing(n, known.binning, reason)
    confidence, right = known.confidence[counted], known.right[counted]
    design = None if design is None else design.take(counted)
    how = {"design": design, "bootstrap": known.bootstrap}
    return Reading(
        samples=n,
        stated=proportion(confidence, design),
        right=proportion(right, design),
        reliability=reliability(confidence, right, binning=known.binning, **how),
        adaptive_ece=reliability(confidence, right, binning="equal_mass", **how).ece,
        brier=brier(confidence, right, **how),
        curve=risk_coverage(confidence, 1 - right, **how),
    )


def _refusal(design: Design | None, counted: np.ndarray) -> str:
    if not counted.any():
        return NO_ANSWERS if design is None else NO_DRAW
    if design is None:
        return TOO_FEW_ANSWERS if counted.sum() < LEAST else ""
    part = design.take(counted)
    drawn = np.bincount(part.drawn_together, weights=part.weights)
    return TOO_FEW_ANSWERS if effective_size(drawn) < LEAST - 1e-9 else ""


def _nothing(n: int, binning: Binning, reason: str) -> Reading:
    none = Figure(None, n, reason=reason)
    return Reading(
        samples=n,
        stated=none,
        right=none,
        reliability=Reliability((), binning, 0, none, none, reason=reason),
        adaptive_ece=none,
        brier=none,
        curve=RiskCoverage((), none, none, none, none, reason=reason),
        reason=reason,
    )


def _rows(corrected: Reading, naive: Reading) -> tuple[SideBySide, ...]:
    shown, plain = corrected.reliability, naive.reliability
    low = _("reads too high: noise within a bin never cancels")
    equal = _("bins with equally many samples")
    square = _("mean squared distance; a coin has 0.25")
    return (
        SideBySide("stated", _("Mean confidence"), corrected.stated, naive.stated, True),
        SideBySide("right", _("Agrees with people"), corrected.right, naive.right, True),
        SideBySide("ece", _("Calibration error, ECE"), shown.ece, plain.ece, True, low),
        SideBySide("debiased", _("ECE, bias taken off"), shown.debiased, plain.debiased, True),
        SideBySide(
            "adaptive_ece",
            _("Adaptive ECE"),
            corrected.adaptive_ece,
            naive.adaptive_ece,
            True,
            equal,
        ),
        SideBySide("brier", _("Brier score"), corrected.brier, naive.brier, False, square, 3),
    )


def _areas(corrected: RiskCoverage, naive: RiskCoverage) -> tuple[SideBySide, ...]:
    named = (
        ("aurc", _("AURC"), _("mean error rate over all coverages")),
        ("excess", _("E-AURC"), _("what AURC has above a perfect order")),
        ("optimal", _("AURC of a perfect order"), _("every error last")),
        ("random", _("AURC of a random order"), _("the error rate of everything")),
    )
    return tuple(
        SideBySide(name, label, getattr(corrected, name), getattr(naive, name), True, note)
        for name, label, note in named
    )


def _bins(
    corrected: tuple[Bin, ...], naive: tuple[Bin, ...], binning: Binning
) -> tuple[BinRow, ...]:
    """Both in the same bins; by value, the ends of a bin are that value."""
    drawn = {bin_.low: bin_ for bin_ in corrected}
    return tuple(BinRow(bin_.low, bin_.high, drawn.get(bin_.low), bin_) for bin_ in naive)
