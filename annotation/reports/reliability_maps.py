"""Which map from confidence to how often people agree does best on answers it was not fitted on."""

from dataclasses import dataclass

import numpy as np
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.reports.figures import SideBySide
from annotation.reports.words import NOT_TRIED, apart
from synthlab.science.bootstrap import Bootstrap
from synthlab.science.calibration import reliability
from synthlab.science.calibration_maps import PARAMETERS, Chosen, Trial, choose_map
from synthlab.science.estimation import Design
from synthlab.science.figures import Figure

NAMES: dict[str, str | Promise] = {
    "raw": gettext_lazy("Confidence as it is (raw)"),
    "temperature": gettext_lazy("Temperature"),
    "platt": gettext_lazy("Platt’s sigmoid"),
    "isotonic": gettext_lazy("Isotonic"),
}


@dataclass(frozen=True)
class Verdict:
    """The map to use, counted one way. `reason` says why the confidence is kept as it is."""

    name: str
    samples: int
    reason: str
    gain: float | None  # by how much its held-out Brier score is below that of the raw confidence
    margin: float | None
    ece: Figure | None  # of the held-out mapped confidence

    @property
    def label(self) -> str:
        return str(NAMES[self.name])


@dataclass(frozen=True)
class Maps:
    """Every map's held-out Brier score, and which one wins."""

    rows: tuple[SideBySide, ...]
    corrected: Verdict
    naive: Verdict


def maps(confidence: np.ndarray, right: np.ndarray, design: Design, bootstrap: Bootstrap) -> Maps:
    """Arrays are aligned by sample, NaN where unknown. Every map is cross-fitted."""
    found = {
        way: choose_map(confidence, right, part, bootstrap=bootstrap)
        for way, part in (("corrected", design), ("naive", None))
    }
    tried = {way: {trial.name: trial for trial in found[way].trials} for way in found}
    rows = tuple(
        _row(name, [(found[way], tried[way].get(name)) for way in found])
        for name in PARAMETERS
        if any(name in trials for trials in tried.values())
    )
    corrected = _verdict(found["corrected"], right, design, bootstrap)
    return Maps(rows, corrected, _verdict(found["naive"], right, None, bootstrap))


def _row(name: str, sides: list[tuple[Chosen, Trial | None]]) -> SideBySide:
    corrected, naive = (
        trial.brier if trial else Figure(None, chosen.n, reason=_untried(chosen))
        for chosen, trial in sides
    )
    trial = sides[0][1] or sides[1][1]
    note = "" if name == "raw" or trial is None else _gained(trial)
    return SideBySide(name, str(NAMES[name]), corrected, naive, note=note, digits=3)


def _untried(chosen: Chosen) -> str:
    return NOT_TRIED if chosen.trials else chosen.reason


def _gained(trial: Trial) -> str:
    text = _("better than raw by %(gain)s; it takes more than %(margin)s")
    if trial.gain < 0:
        text = _("worse than raw by %(gain)s")
    gain, margin = apart(abs(trial.gain), trial.margin)
    return text % {"gain": gain, "margin": margin}


def _verdict(
    chosen: Chosen, right: np.ndarray, design: Design | None, bootstrap: Bootstrap
) -> Verdict:
    name = chosen.map.name
    won = next((trial for trial in chosen.trials if trial.name == name != "raw"), None)
    if won is None:
        return Verdict(name, chosen.n, chosen.reason, None, None, None)
    after = reliability(chosen.held_out, right, design, bootstrap=bootstrap).ece
    return Verdict(name, chosen.n, "", won.gain, won.margin, after)
