"""What figures of agreement say, in whole sentences."""

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from annotation.reports import assisted, replacing
from synthlab.science import alternative_annotator, calibration_maps, figures
from synthlab.science import assisted as helped
from synthlab.science.figures import Figure

NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"
CLOSE = 0.005  # figures that differ by less say the same
NOT_TRIED = "too few effective answers to try this map"

REASONS = {
    figures.ONE_LABEL: gettext_lazy("everyone used one label"),
    figures.NO_PAIRS: gettext_lazy("no sample has two answers"),
    figures.NO_ANSWERS: gettext_lazy("there are no answers yet"),
    figures.NO_DRAW: gettext_lazy("no answered sample was drawn with a known chance"),
    figures.UNEQUAL_OVERLAP: gettext_lazy("the samples do not all have the same number of answers"),
    figures.TOO_FEW_LABELS: gettext_lazy("there are fewer than two labels"),
    figures.NEVER_USED: gettext_lazy("nobody used this label"),
    figures.NEVER_GIVEN: gettext_lazy("the model never gave this label"),
    figures.TOO_FEW_ANSWERS: gettext_lazy("fewer than 10 effective answers"),
    figures.TOO_ALIKE: gettext_lazy("the answers are too few or too alike for an interval"),
    figures.RARE_LABELS: gettext_lazy("some labels have fewer than 10 effective answers"),
    figures.EMPTY_STRATUM: gettext_lazy("a part of the frame has no answer"),
    calibration_maps.TOO_FEW_FOR_A_MAP: gettext_lazy(
        "fewer than 20 effective answers are too few to fit a map"
    ),
    calibration_maps.ALL_ALIKE: gettext_lazy("people agreed with the model every time, or never"),
    calibration_maps.ONE_CONFIDENCE: gettext_lazy("the model always stated the same confidence"),
    calibration_maps.NO_MAP_HELPS: gettext_lazy(
        "no map was better by more than one standard error of the difference"
    ),
    NOT_TRIED: gettext_lazy("too few effective answers to try this map"),
    alternative_annotator.TOO_FEW_PEOPLE: gettext_lazy(
        "fewer than two people have 30 samples that two others answered too"
    ),
    alternative_annotator.TOO_FEW_SAMPLES: gettext_lazy(
        "fewer than 30 samples that two others answered too"
    ),
    helped.TOO_FEW: gettext_lazy("fewer than 100 answers drawn by lot"),
    helped.TOO_ALIKE: gettext_lazy(
        "fewer than 20 answers agree with the machine, or differ from it, or from what its"
        " confidence foretold"
    ),
    helped.NO_NEED: gettext_lazy("the whole set is answered"),
    assisted.SEVERAL_ROUNDS: gettext_lazy(
        "several rounds measure together: choose a single one above"
    ),
    assisted.NO_FRAME: gettext_lazy(
        "the samples that the round was drawn from can no longer be told, or are too many"
    ),
    assisted.NOT_STATED: gettext_lazy("the machine does not say how sure it is"),
    replacing.TOO_FEW_ANSWERS_EACH: gettext_lazy(
        "no sample drawn by lot has blind answers of three people and a label of the machine"
    ),
    replacing.UNEVEN: gettext_lazy(
        "the samples had different chances of being drawn, and the test counts them evenly: choose"
        " a single round above"
    ),
}
# Reasons that a better draw or more answers would mend; the others are facts about the answers.
MENDABLE = {
    figures.NO_DRAW,
    figures.NO_ANSWERS,
    figures.NO_PAIRS,
    figures.TOO_FEW_ANSWERS,
    figures.TOO_ALIKE,
    figures.RARE_LABELS,
    figures.EMPTY_STRATUM,
    calibration_maps.TOO_FEW_FOR_A_MAP,
    NOT_TRIED,
}

METHODS = {
    "wilson": gettext_lazy("Wilson"),
    "korn_graubard": gettext_lazy("Korn–Graubard"),
    "hypergeometric": gettext_lazy("exact, finite set"),
    "bootstrap": gettext_lazy("bootstrap"),
    "clopper_pearson": gettext_lazy("Clopper–Pearson"),
    "census": gettext_lazy("whole set answered"),
    "stratified": gettext_lazy("stratified, Korn–Graubard"),
    "aipw": gettext_lazy("with the model’s help, AIPW"),
    "ppi": gettext_lazy("with the model’s help, PPI++"),
}


def per_cent(share: float, digits: int = 0) -> str:
    return f"{number_format(round(100 * share, digits), digits)}{NARROW_SPACE}%"


def apart(value: float, other: float) -> tuple[str, str]:
    """Two small numbers, with as many digits as it takes to tell them apart."""
    for places in range(3, 7):
        shown = [round(x, places) for x in (value, other)]
        if value == other or (shown[0] != shown[1] and all(shown)):
            break
    return number_format(shown[0], places), number_format(shown[1], places)


def gap(corrected: Figure, naive: Figure, chosen: int, answered: int) -> str:
    """One sentence on what the naive accuracy would have made readers believe."""
    if corrected.value is None or naive.value is None:
        return ""
    numbers = {
        "naive": per_cent(naive.value),
        "corrected": per_cent(corrected.value),
        "chosen": number_format(chosen, force_grouping=True),
        "answered": number_format(answered, force_grouping=True),
    }
    if abs(corrected.value - naive.value) < CLOSE:
        return _("Here the draw makes no difference: both figures are about %(corrected)s.") % (
            numbers
        )
    if not chosen:
        text = _(
            "Not every sample had the same chance of being drawn. Counted evenly it would read"
            " %(naive)s; over the whole set it is %(corrected)s."
        )
        return text % numbers
    if corrected.value > naive.value:
        text = _(
            "Among the samples that people saw the model looks worse, %(naive)s, because"
            " %(chosen)s of the %(answered)s were chosen, not drawn by lot; over the whole set it"
            " is %(corrected)s."
        )
    else:
        text = _(
            "Among the samples that people saw the model looks better, %(naive)s, because"
            " %(chosen)s of the %(answered)s were chosen, not drawn by lot; over the whole set it"
            " is %(corrected)s."
        )
    return text % numbers


def drawn_by(rounds: list) -> str:
    """“Pilot”, or how many rounds."""
    if len(rounds) == 1:
        return _("round “%(name)s”") % {"name": rounds[0].name}
    n = len(rounds)
    return ngettext("%(n)d round", "%(n)d rounds", n) % {"n": n}


def from_lot(n: int, rounds: list) -> str:
    if not n:
        return ""
    text = ngettext(
        "from %(n)s answered sample drawn by lot in %(rounds)s",
        "from %(n)s answered samples drawn by lot in %(rounds)s",
        n,
    )
    return text % {"n": number_format(n, force_grouping=True), "rounds": drawn_by(rounds)}


def from_all(n: int, rounds: list) -> str:
    text = ngettext(
        "from the %(n)s sample answered in %(rounds)s, however drawn",
        "from all %(n)s samples answered in %(rounds)s, however drawn",
        n,
    )
    return text % {"n": number_format(n, force_grouping=True), "rounds": drawn_by(rounds)}


def with_reference(n: int) -> str:
    text = ngettext(
        "from %(n)s sample with a reference label and a label of the model",
        "from all %(n)s samples with a reference label and a label of the model",
        n,
    )
    return text % {"n": number_format(n, force_grouping=True)}


def missing(drawn_by_lot: int, answered: int, samples: int) -> str:
    """What the design lacks for a figure about the whole set, or nothing."""
    if not answered:
        return _("Nobody has answered blind in these rounds yet.")
    if not drawn_by_lot:
        return _(
            "These rounds took samples for what the model said of them. Such a choice cannot say"
            " how the rest would fare. Draw a round with an audit part: samples drawn by lot."
        )
    if not samples:
        return _(
            "Samples were drawn by lot, but none of them has both a settled answer of people and"
            " a label of this machine yet."
        )
    return ""
