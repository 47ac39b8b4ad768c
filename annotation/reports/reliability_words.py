"""What figures of confidence say, in whole sentences."""

from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotation.reports.overview import Step
from annotation.reports.reliability import (
    LEAST,
    NO_CONFIDENCE,
    NO_MACHINE,
    SEVERAL_LABELS,
    TOO_FEW,
    Reading,
    Report,
)
from annotation.reports.reliability_maps import Verdict
from annotation.reports.words import CLOSE, REASONS, apart, per_cent
from synthlab.science.figures import NO_DRAW


def problem(report: Report) -> Step | None:
    """Why there is nothing to show, and what would change that; None where there is something."""
    project = report.scope.project

    def step(words: str, button: str, name: str) -> Step:
        return Step(words, button, reverse(name, args=[project.pk]))

    if report.problem == SEVERAL_LABELS:
        return step(
            _(
                "Here a sample may have several labels, and the machine is sure of each to another"
                " degree: there is no one confidence that could be right or wrong. The agreement"
                " page measures label by label."
            ),
            _("See the agreement"),
            "annotation:agreement",
        )
    if report.problem == NO_MACHINE:
        words = _("No machine has labelled anything yet, so nothing claims to be sure.")
        return step(words, _("Start a label run"), "generation:run_new")
    if report.problem == NO_CONFIDENCE:
        words = _(
            "This machine does not say how sure it is. Label with a technique that asks for"
            " probabilities, or choose another machine."
        )
        return step(words, _("Start a label run"), "generation:run_new")
    return _too_few(report, step) if report.problem == TOO_FEW else None


def _too_few(report: Report, step) -> Step:
    n = report.samples
    said = ngettext(
        "%(n)s sample of these rounds has a settled answer of people, given blind, and a label"
        " of this machine with its confidence. Figures start at %(least)s.",
        "%(n)s samples of these rounds have a settled answer of people, given blind, and a label"
        " of this machine with its confidence. Figures start at %(least)s.",
        n,
    )
    words = said % {"n": n, "least": LEAST}
    if report.left_out.open:
        return step(words, _("See the rounds"), "annotation:rounds")
    return step(words, _("Draw a round with an audit part"), "annotation:round_new")


def missing(report: Report) -> str:
    """What the design lacks for figures about the whole set, or nothing."""
    if report.corrected is None or not report.corrected.reason:
        return ""
    if report.corrected.reason == NO_DRAW:
        if report.basis.drawn_by_lot:
            return _(
                "Samples were drawn by lot, but none of them has both a settled answer of people"
                " and a confidence of this machine yet."
            )
        return _(
            "These rounds took samples for what the model said of them. Such a choice cannot say"
            " how the rest would fare. Draw a round with an audit part: samples drawn by lot."
        )
    text = ngettext(
        "Only %(n)s answered sample was drawn by lot, and figures start at %(least)s evenly drawn"
        " ones. Draw a round with an audit part.",
        "Only %(n)s answered samples were drawn by lot, and figures start at %(least)s evenly"
        " drawn ones. Draw a round with an audit part.",
        report.by_lot,
    )
    return text % {"n": report.by_lot, "least": LEAST}


def claim(reading: Reading) -> str:
    """Does it claim too much? Said only where the interval of how often it is right is clear."""
    stated, right = reading.stated, reading.right
    if stated.value is None or right.value is None or right.interval is None:
        return ""
    numbers = {
        "stated": per_cent(stated.value, 1),
        "right": per_cent(right.value, 1),
        "low": per_cent(right.interval[0], 1),
        "high": per_cent(right.interval[1], 1),
    }
    low, high = right.interval
    if stated.value > high:
        text = _(
            "It claims too much: on average it is %(stated)s sure, and people agree with"
            " %(right)s (%(low)s to %(high)s) of its labels."
        )
    elif stated.value < low:
        text = _(
            "It claims too little: on average it is %(stated)s sure, and people agree with"
            " %(right)s (%(low)s to %(high)s) of its labels."
        )
    else:
        text = _(
            "On average it is as sure as it is right, as far as these answers can tell: %(stated)s"
            " sure, and people agree with %(right)s (%(low)s to %(high)s). Bins may still differ."
        )
    return text % numbers


def gap(report: Report) -> str:
    """One sentence on what the naive error would have made readers believe."""
    if report.corrected is None or report.naive is None:
        return ""
    corrected, naive = report.corrected.reliability.ece, report.naive.reliability.ece
    if corrected.value is None or naive.value is None:
        return ""
    numbers = {
        "naive": per_cent(naive.value, 1),
        "corrected": per_cent(corrected.value, 1),
        "chosen": number_format(report.samples - report.by_lot, force_grouping=True),
        "samples": number_format(report.samples, force_grouping=True),
    }
    if abs(corrected.value - naive.value) < CLOSE:
        return _("Here the draw makes no difference: both figures are about %(corrected)s.") % (
            numbers
        )
    if report.samples == report.by_lot:
        text = _(
            "Not every sample had the same chance of being drawn. Counted evenly it would read"
            " %(naive)s; over the whole set it is %(corrected)s."
        )
        return text % numbers
    text = _(
        "Among the samples that people saw it would read %(naive)s, because %(chosen)s of the"
        " %(samples)s were chosen, not drawn by lot; over the whole set it is %(corrected)s."
    )
    return text % numbers


def verdict(found: Verdict) -> str:
    """Which map to use, and how it was found out."""
    if found.reason:
        return _("The confidence is kept as it is: %(reason)s.") % {
            "reason": REASONS.get(found.reason, found.reason)
        }
    text = _(
        "%(map)s wins: on answers that it was not fitted on, its Brier score is %(gain)s below"
        " that of the raw confidence, more than one standard error of the difference (%(margin)s)."
    )
    gain, margin = apart(found.gain or 0.0, found.margin or 0.0)
    return text % {"map": found.label, "gain": gain, "margin": margin}


def mapped_error(found: Verdict) -> str:
    """The calibration error with the winning map, on answers that it was not fitted on."""
    if found.ece is None or found.ece.value is None or found.ece.interval is None:
        return ""
    text = _("With it the calibration error, held out, is %(ece)s (%(low)s to %(high)s).")
    low, high = found.ece.interval
    return text % {
        "ece": per_cent(found.ece.value, 1),
        "low": per_cent(low, 1),
        "high": per_cent(high, 1),
    }
