"""Measuring a share without peeking: either so many answers, fixed in advance, or a monitor that
may be looked at after every answer.

Both are for answers drawn evenly and taken in a random order. Stopping an ordinary interval when
it looks good declares a model of 0.88 to be above 0.90 in most runs.

The monitor's e-value is a mixture likelihood ratio against the threshold (Robbins 1970; Ramdas,
Grünwald, Vovk & Shafer 2023, "Game-Theoretic Statistics and Safe Anytime-Valid Inference"): with
probability 1 - alpha it never reaches 1 / alpha while the share is at most the threshold (Ville
1939). The confidence sequence inverts the ratio of prior to posterior (Waudby-Smith & Ramdas 2020,
"Confidence Sequences for Sampling Without Replacement"); in a finite frame it ends as a point.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from synthlab.science.figures import NO_ANSWERS
from synthlab.science.intervals import clopper_pearson_interval

GRID = 400  # alternatives that the mixture holds in a finite frame
MOST = 1_000_000
BLOCK = 2_000  # answers at a time, so that memory stays small

NOT_ABOVE = "the share must lie above the threshold for that to be shown"
WHOLE_SET = "that takes answers to the whole set"
TOO_MANY = "that takes more than a million answers"

REASONS = (NOT_ABOVE, WHOLE_SET, TOO_MANY)


@dataclass(frozen=True)
class FixedPlan:
    """A number of answers to collect before anyone looks at the outcome."""

    n: int | None
    passes_at: int | None = None  # right answers with which the threshold counts as exceeded
    power: float | None = None  # the chance of that, if the share is what was assumed
    half_width: float | None = None  # of the interval that is then to be expected
    reason: str = ""


def plan_half_width(
    half_width: float, share: float = 0.5, level: float = 0.95, frame: int | None = None
) -> FixedPlan:
    """How many even draws until the exact interval is this narrow, if the share is as assumed.

    The interval is Clopper & Pearson's on n (N - 1) / (N - n) answers, which is what an even draw
    from a finite frame of N is worth. 0.5 is the widest case.
    """
    if not 0 < half_width < 1 or not 0 <= share <= 1:
        raise ValueError("The half width and the share lie between 0 and 1.")
    most = MOST if frame is None else frame
    if _half_width(most, share, level, frame) > half_width:
        return FixedPlan(None, reason=TOO_MANY)
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        if _half_width(middle, share, level, frame) <= half_width:
            high = middle
        else:
            low = middle
    reason = WHOLE_SET if high == frame else ""
    return FixedPlan(high, half_width=_half_width(high, share, level, frame), reason=reason)


def _half_width(n: int, share: float, level: float, frame: int | None) -> float:
    if n == frame:
        return 0.0
    worth = n if frame is None else n * (frame - 1) / (frame - n)
    low, high = clopper_pearson_interval(share * worth, worth, level)
    return (high - low) / 2


def plan_to_show(
    threshold: float,
    share: float,
    power: float = 0.8,
    alpha: float = 0.05,
    frame: int | None = None,
) -> FixedPlan:
    """The fewest even draws that show a share above the threshold with this power.

    By the exact one-sided binomial test (with a frame: hypergeometric). Its power goes up in small
    teeth: n is the first to reach what is wanted.
    """
    if not 0 < threshold < 1 or not 0 <= share <= 1:
        raise ValueError("The threshold and the share lie between 0 and 1.")
    most = MOST if frame is None else frame
    if share <= threshold:
        return FixedPlan(None, reason=NOT_ABOVE)
    low, block = _surely_too_few(threshold, share, power, alpha, frame) + 1, 256
    while low <= most:
        n = np.arange(low, min(low + block, most + 1))
        passes, reached = _exact_power(n, threshold, share, alpha, frame)
        enough = np.flatnonzero(reached >= power)
        if len(enough):
            first = enough[0]
            size = int(n[first])
            reason = WHOLE_SET if size == frame else ""
            return FixedPlan(size, int(passes[first]), float(reached[first]), reason=reason)
        low, block = low + block, min(2 * block, 65_536)
    return FixedPlan(None, reason=WHOLE_SET if frame else TOO_MANY)


def _surely_too_few(
    threshold: float, share: float, power: float, alpha: float, frame: int | None
) -> int:
    """Most of what the normal formula says where that is much, to keep the exact search short;
    the teeth of the exact power are smaller there."""
    spread = stats.norm.isf(alpha) * math.sqrt(threshold * (1 - threshold))
    spread += stats.norm.ppf(power) * math.sqrt(share * (1 - share))
    n = (max(spread, 0.0) / (share - threshold)) ** 2
    n = n if frame is None else n / (1 + n / frame)
    return int((0.95 if n > 10_000 else 0.9) * n) if n > 2000 else 0


def _exact_power(
    n: np.ndarray, threshold: float, share: float, alpha: float, frame: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """The least number of right answers that refutes the threshold, and how likely it is."""
    if frame is None:
        passes = stats.binom.isf(alpha, n, threshold) + 1
        return passes, stats.binom.sf(passes - 1, n, share)
    null, real = math.floor(threshold * frame + 1e-9), round(share * frame)
    # The answer lies above the mean and, but for oddities, not above the binomial one.
    low = np.maximum(n * null // frame - 1, 0)
    high = np.minimum(stats.binom.isf(alpha, n, null / frame).astype(int) + 2, n + 1)
    high = np.where(stats.hypergeom.sf(high - 1, frame, null, n) <= alpha, high, n + 1)
    while (high - low > 1).any():
        middle = (low + high) // 2
        refuted = stats.hypergeom.sf(middle - 1, frame, null, n) <= alpha
        low, high = np.where(refuted, low, middle), np.where(refuted, middle, high)
    return high, stats.hypergeom.sf(high - 1, frame, real, n)


@dataclass(frozen=True)
class Monitor:
    """What may be said after each answer, and still holds after any later one."""

    n: int
    share: float | None
    interval: tuple[float, float] | None  # of the confidence sequence, after the last answer
    e_value: float  # evidence that the share is above the threshold; 1 is none; no more than 1e304
    needed: float  # 1 / alpha
    declared_at: int | None  # after how many answers the e-value first reached it
    trail: np.ndarray  # (n,) e-values
    lower: np.ndarray  # (n,) ends of the confidence sequence
    upper: np.ndarray
    reason: str = ""


def monitor(
    right: np.ndarray, threshold: float, alpha: float = 0.05, frame: int | None = None
) -> Monitor:
    """From answers in the order of a uniform draw: 1 right, 0 wrong, NaN (left out) unknown.

    Once declared, the share is above the threshold with confidence 1 - alpha whatever comes. The
    interval is two-sided with its own confidence 1 - alpha.
    """
    if not 0 < threshold < 1 or not 0 < alpha < 1:
        raise ValueError("The threshold and alpha lie between 0 and 1.")
    y = np.asarray(right, dtype=float)
    y = y[~np.isnan(y)]
    if not np.isin(y, (0, 1)).all():
        raise ValueError("An answer is right, 1, or wrong, 0.")
    if frame is not None and frame < len(y):
        raise ValueError("A frame holds at least what was drawn from it.")
    empty = np.zeros(0)
    if not len(y):
        return Monitor(0, None, None, 1.0, 1 / alpha, None, empty, empty, empty, NO_ANSWERS)
    hits, n = np.cumsum(y), np.arange(1, len(y) + 1)
    trail = np.exp(np.minimum(log_e_value(hits, n, threshold, frame), 700))
    lower, upper = confidence_sequence(hits, n, alpha, frame)
    reached = np.flatnonzero(trail >= 1 / alpha)
    return Monitor(
        n=len(y),
        share=float(y.mean()),
        interval=(float(lower[-1]), float(upper[-1])),
        e_value=float(trail[-1]),
        needed=1 / alpha,
        declared_at=int(reached[0]) + 1 if len(reached) else None,
        trail=trail,
        lower=lower,
        upper=upper,
    )


def log_e_value(
    hits: np.ndarray, n: np.ndarray, threshold: float, frame: int | None = None
) -> np.ndarray:
    """The logarithm of the e-value after n answers of which `hits` were right, elementwise.

    The mixture is uniform over the shares above the threshold.
    """
    s, f = np.asarray(hits, dtype=float), np.asarray(n - hits, dtype=float)
    if frame is not None:
        blocks = range(0, len(s), BLOCK)
        each = [slice(start, start + BLOCK) for start in blocks]
        found = [_log_e_value_of_frame(s[at], f[at], threshold, frame) for at in each]
        return np.concatenate([np.zeros(0), *found])
    above = special.betaincc(s + 1, f + 1, threshold)
    seen = above > 1e-290  # below, the exact value is lost; no evidence at all is the safe one
    mixture = special.betaln(s + 1, f + 1) + np.log(np.where(seen, above, 1))
    null = s * math.log(threshold) + f * math.log1p(-threshold)
    return np.where(seen, mixture - math.log1p(-threshold) - null, -np.inf)


def _log_e_value_of_frame(s: np.ndarray, f: np.ndarray, threshold: float, frame: int) -> np.ndarray:
    """Against the largest count of right labels that is not above the threshold."""
    most = math.floor(threshold * frame + 1e-9)
    counts = np.unique(np.linspace(most + 1, frame, GRID).round())
    likely = _log_sequence(counts, s[:, None], f[:, None], frame)
    mixture = special.logsumexp(likely, axis=1) - math.log(len(counts))
    null = _log_sequence(np.array([float(most)]), s[:, None], f[:, None], frame)[:, 0]
    # More right answers than the null has: it is refuted for good.
    return np.where(np.isneginf(null), np.inf, mixture - np.where(np.isneginf(null), 0, null))


def _log_sequence(counts: np.ndarray, s: np.ndarray, f: np.ndarray, frame: int) -> np.ndarray:
    """Log chance of s right and f wrong answers, in one order, if so many of the frame are right;
    up to what does not depend on the count."""
    wrong = frame - counts
    possible = (s <= counts) & (f <= wrong)
    left, rest = np.where(possible, counts - s, 0), np.where(possible, wrong - f, 0)
    chance = special.gammaln(counts + 1) - special.gammaln(left + 1)
    chance = chance + special.gammaln(wrong + 1) - special.gammaln(rest + 1)
    return np.where(possible, chance, -np.inf)


def confidence_sequence(
    hits: np.ndarray, n: np.ndarray, alpha: float = 0.05, frame: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Ends of intervals of the share that hold at all n at once, with probability 1 - alpha.

    `hits` and `n` run along the answers. Each interval is cut to those before it.
    """
    s, f = np.asarray(hits, dtype=float), np.asarray(n - hits, dtype=float)
    lower, upper = (_ends if frame is None else _ends_of_frame)(s, f, alpha, frame or 0)
    highest, lowest = np.maximum.accumulate(lower), np.minimum.accumulate(upper)
    # Cut to nothing: that has a probability below alpha, or the order was not a random one. The
    # newest interval then stands alone.
    crossed = highest > lowest
    return np.where(crossed, lower, highest), np.where(crossed, upper, lowest)


def _ends(s: np.ndarray, f: np.ndarray, alpha: float, _: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the posterior density falls to alpha times the uniform prior's."""

    def inside(p: np.ndarray) -> np.ndarray:
        density = special.xlogy(s, p) + special.xlog1py(f, -p) - special.betaln(s + 1, f + 1)
        return np.asarray(density > math.log(alpha))

    mode = s / (s + f)
    return _outermost(inside, mode, 0.0), _outermost(inside, mode, 1.0)


def _ends_of_frame(
    s: np.ndarray, f: np.ndarray, alpha: float, frame: int
) -> tuple[np.ndarray, np.ndarray]:
    """The counts whose posterior under a uniform prior is above alpha times the prior."""
    rest = frame - s - f
    scale = math.log(frame + 1) - math.log(alpha)

    def inside(u: np.ndarray) -> np.ndarray:  # u of the rest are right; log-concave in u
        ways = special.gammaln(u + s + 1) - special.gammaln(u + 1)
        ways = ways + special.gammaln(rest - u + f + 1) - special.gammaln(rest - u + 1)
        total = (
            special.betaln(s + 1, f + 1) + special.gammaln(frame + 2) - special.gammaln(rest + 1)
        )
        return np.asarray(ways - total + scale > 0)

    mode = rest * s / (s + f)
    low, high = _outermost(inside, mode, 0.0), _outermost(inside, mode, rest)
    return (s + np.ceil(low - 1e-6)) / frame, (s + np.floor(high + 1e-6)) / frame


def _outermost(
    inside: Callable[[np.ndarray], np.ndarray], start: np.ndarray, end: float | np.ndarray
) -> np.ndarray:
    """How far towards the end each interval reaches from a start that is inside it, by halving."""
    reached, beyond = start, np.broadcast_to(end, start.shape)
    for _ in range(60):
        middle = (reached + beyond) / 2
        good = inside(middle)
        reached, beyond = np.where(good, middle, reached), np.where(good, beyond, middle)
    return beyond
