"""Maps from a machine's confidence to how often people agree, kept only where they help.

Temperature (Guo et al. 2017), Platt's sigmoid (1999) on the logit of the confidence, with his
smoothed targets, and isotonic regression (Zadrozny & Elkan 2002). Each is judged on samples that
it was not fitted on: within the sample an isotonic map always looks perfect. A map is a name and
numbers, so that it can be stored as JSON and applied anywhere by `apply_map`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special
from sklearn.isotonic import IsotonicRegression

from synthlab.science.agreement import DEFAULT
from synthlab.science.bootstrap import Bootstrap
from synthlab.science.calibration import brier
from synthlab.science.estimation import Design, effective_size, variance_of_mean
from synthlab.science.figures import NO_ANSWERS, NO_DRAW, Figure

EDGE = 1e-6  # confidences of 0 and 1 have no logit; they are taken for this and 1 - this
HOTTEST = 20.0  # temperatures are sought from 1 / this to this
FEW, MANY = 300, 1000  # below: Platt alone; above: isotonic too
LEAST = 20  # effective answers without which no map is fitted

TOO_FEW_FOR_A_MAP = "fewer than 20 effective answers are too few to fit a map"
ALL_ALIKE = "people agreed with the model every time, or never"
ONE_CONFIDENCE = "the model always stated the same confidence"
NO_MAP_HELPS = "no map was better than the confidence as it is by more than the margin"

REASONS = (TOO_FEW_FOR_A_MAP, ALL_ALIKE, ONE_CONFIDENCE, NO_MAP_HELPS)


@dataclass(frozen=True)
class CalibrationMap:
    """A fitted map: `raw`, `temperature` (t), `platt` (slope, intercept), `isotonic` (x, y)."""

    name: str
    parameters: Mapping[str, tuple[float, ...]]

    def as_json(self) -> dict[str, object]:
        parameters = {name: list(values) for name, values in self.parameters.items()}
        return {"name": self.name, "parameters": parameters}

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> "CalibrationMap":
        """What `as_json` gave; ValueError where it is something else."""
        name, parameters = stored.get("name"), stored.get("parameters")
        if name not in PARAMETERS or not isinstance(parameters, Mapping):
            raise ValueError("This is no stored calibration map.")
        if set(parameters) != set(PARAMETERS[str(name)]):
            raise ValueError(f"The calibration map {name} has other parameters.")
        numbers = {
            key: tuple(float(value) for value in values) for key, values in parameters.items()
        }
        return cls(str(name), numbers)


PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "raw": (),
    "temperature": ("t",),
    "platt": ("slope", "intercept"),
    "isotonic": ("x", "y"),
}
RAW = CalibrationMap("raw", {})


def apply_map(fitted: CalibrationMap, confidence: np.ndarray) -> np.ndarray:
    """The calibrated confidence; NaN stays NaN. Platt and isotonic maps may produce ties."""
    c = np.asarray(confidence, dtype=float)
    numbers = fitted.parameters
    if fitted.name == "raw":
        return c.copy()
    if fitted.name == "temperature":
        return np.asarray(special.expit(_logit(c) / numbers["t"][0]))
    if fitted.name == "platt":
        return np.asarray(special.expit(numbers["slope"][0] * _logit(c) + numbers["intercept"][0]))
    if fitted.name == "isotonic":
        return np.asarray(np.interp(c, numbers["x"], numbers["y"]))
    raise ValueError(f"There is no calibration map called {fitted.name}.")


def fit_map(
    name: str, confidence: np.ndarray, right: np.ndarray, weights: np.ndarray | None = None
) -> CalibrationMap:
    """One map fitted on all of these samples (no NaN), weighted by 1 / inclusion."""
    w = np.ones(len(right)) if weights is None else np.asarray(weights, dtype=float)
    fits = {"temperature": _temperature, "platt": _platt, "isotonic": _isotonic}
    if name == "raw":
        return RAW
    return CalibrationMap(name, fits[name](confidence, np.asarray(right, dtype=float), w))


@dataclass(frozen=True)
class Trial:
    """How a map did on samples that it was not fitted on."""

    name: str
    brier: Figure
    gain: float  # by how much its Brier score is below that of the raw confidence
    margin: float  # one standard error of the gain: what it had to exceed


@dataclass(frozen=True)
class Chosen:
    """The map to use, and why. `reason` says why it is the raw confidence."""

    map: CalibrationMap
    held_out: np.ndarray  # (samples,) each calibrated by a map that did not see it; NaN if unknown
    trials: tuple[Trial, ...]
    n: int
    n_eff: float
    reason: str = ""


def choose_map(
    confidence: np.ndarray,
    right: np.ndarray,
    design: Design | None = None,
    folds: int = 5,
    bootstrap: Bootstrap = DEFAULT,
) -> Chosen:
    """The map with the lowest held-out Brier score, if it beats the raw confidence by more than
    one standard error of the difference; otherwise the raw confidence.

    Below 300 effective answers only Platt's is tried, and the isotonic one only above 1,000. The
    folds follow the bootstrap's seed. Use `held_out` to measure on these same samples.
    """
    c, y = np.asarray(confidence, dtype=float), np.asarray(right, dtype=float)
    answered = ~np.isnan(c) & ~np.isnan(y)
    kept = answered if design is None else answered & design.measuring
    weights = np.ones(len(c)) if design is None else design.weights
    n, n_eff = int(kept.sum()), effective_size(weights[kept])
    as_it_is = np.where(kept, c, np.nan)
    if not n:
        reason = NO_DRAW if answered.any() else NO_ANSWERS
        return Chosen(RAW, as_it_is, (), 0, 0.0, reason)
    together = None if design is None else design.take(kept).drawn_together
    texts = n if together is None else len(np.unique(together))
    if reason := _refuses(c[kept], y[kept], min(n_eff, texts)):
        return Chosen(RAW, as_it_is, (), n, n_eff, reason)
    fold = _folds(y[kept], together, folds, np.random.default_rng(bootstrap.seed))
    trials, held_out = [_trial("raw", c, c, y, design, bootstrap)], {"raw": as_it_is}
    for name in _candidates(n_eff):
        held_out[name] = np.full(len(c), np.nan)
        held_out[name][kept] = _cross_fitted(name, c[kept], y[kept], weights[kept], fold)
        trials.append(_trial(name, held_out[name], c, y, design, bootstrap))
    good = [trial for trial in trials[1:] if trial.gain > trial.margin]
    if not good:
        return Chosen(RAW, as_it_is, tuple(trials), n, n_eff, NO_MAP_HELPS)
    best = max(good, key=lambda trial: trial.gain).name
    fitted = fit_map(best, c[kept], y[kept], weights[kept])
    return Chosen(fitted, held_out[best], tuple(trials), n, n_eff)


def _refuses(confidence: np.ndarray, right: np.ndarray, n_eff: float) -> str:
    if n_eff < LEAST:
        return TOO_FEW_FOR_A_MAP
    if np.ptp(right) == 0:
        return ALL_ALIKE
    return ONE_CONFIDENCE if np.ptp(confidence) == 0 else ""


def _candidates(n_eff: float) -> tuple[str, ...]:
    if n_eff < FEW:
        return ("platt",)
    return ("temperature", "platt", "isotonic") if n_eff > MANY else ("temperature", "platt")


def _folds(
    right: np.ndarray, together: np.ndarray | None, folds: int, rng: np.random.Generator
) -> np.ndarray:
    """The fold of each sample: hits and misses spread evenly, copies of a text in one."""
    if together is None:
        together = np.arange(len(right))
    hits = np.bincount(together, weights=right) / np.bincount(together)
    order = np.lexsort((rng.random(len(hits)), hits))
    fold = np.empty(len(hits), int)
    fold[order] = np.arange(len(hits)) % folds
    return fold[together]


def _cross_fitted(
    name: str, confidence: np.ndarray, right: np.ndarray, weights: np.ndarray, fold: np.ndarray
) -> np.ndarray:
    predicted = np.empty(len(right))
    for held in np.unique(fold):
        out = fold == held
        fitted = fit_map(name, confidence[~out], right[~out], weights[~out])
        predicted[out] = apply_map(fitted, confidence[out])
    return predicted


def _trial(
    name: str,
    predicted: np.ndarray,
    raw: np.ndarray,
    right: np.ndarray,
    design: Design | None,
    bootstrap: Bootstrap,
) -> Trial:
    known = ~np.isnan(predicted) & ~np.isnan(right)
    if design is not None:
        known &= design.measuring
    gains = ((raw - right) ** 2 - (predicted - right) ** 2)[known]
    w = np.ones(len(gains)) if design is None else design.weights[known]
    gain = float(np.average(gains, weights=w))
    if design is None:
        margin = float(np.std(gains, ddof=1)) / math.sqrt(len(gains))
    else:
        margin = math.sqrt(variance_of_mean(gains, design.take(known)))
    return Trial(name, brier(predicted, right, design, bootstrap), gain, margin)


def _logit(confidence: np.ndarray) -> np.ndarray:
    return np.asarray(special.logit(np.clip(confidence, EDGE, 1 - EDGE)))


def _temperature(c: np.ndarray, y: np.ndarray, w: np.ndarray) -> dict[str, tuple[float, ...]]:
    """The one divisor of the logit with the least log loss."""
    logits = _logit(c)

    def loss(log_t: float) -> float:
        signed = np.where(y == 1, -1, 1) * logits / math.exp(log_t)
        return float(w @ np.logaddexp(0, signed))

    limit = math.log(HOTTEST)
    found = optimize.minimize_scalar(loss, bounds=(-limit, limit), method="bounded")
    return {"t": (math.exp(float(found.x)),)}


def _platt(c: np.ndarray, y: np.ndarray, w: np.ndarray) -> dict[str, tuple[float, ...]]:
    """Logistic regression on the logit, towards targets a little off 0 and 1."""
    scaled = w * len(w) / w.sum()
    hits, misses = float(scaled[y == 1].sum()), float(scaled[y == 0].sum())
    target = np.where(y == 1, (hits + 1) / (hits + 2), 1 / (misses + 2))
    logits = _logit(c)

    def loss(at: np.ndarray) -> tuple[float, np.ndarray]:
        score = at[0] * logits + at[1]
        slope = scaled * (special.expit(score) - target)
        value = float(scaled @ (np.logaddexp(0, score) - target * score))
        return value / len(w), np.array([slope @ logits, slope.sum()]) / len(w)

    found = optimize.minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS")
    return {"slope": (float(found.x[0]),), "intercept": (float(found.x[1]),)}


def _isotonic(c: np.ndarray, y: np.ndarray, w: np.ndarray) -> dict[str, tuple[float, ...]]:
    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(c, y, sample_weight=w)
    x, steps = model.X_thresholds_, model.y_thresholds_
    return {"x": tuple(map(float, x)), "y": tuple(map(float, steps))}
