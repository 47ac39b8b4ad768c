"""Certificates: at most a share eps of the released labels differ from what people would say.

That holds with probability 1 - alpha over the draw of the audit, for any model and any ranking
that was fixed before the draw. The share is over *all* released labels; people's labels count as
right. (A bound on the share among the labels that the model gave, as in Jung, Brahman & Choi 2025,
"Trust or Escalate", is another promise and costs more; conformal labelling keeps a share only on
average.) The audit must be one fresh uniform draw of a size that was fixed in advance: samples
whose answers shaped the labels or the ranking, a pilot for instance, may not be counted again, and
to extend an audit because its outcome disappoints breaks the promise.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats

NOT_AUDITED = "no sample has been drawn and answered for the audit yet"
AUDIT_TOO_SMALL = "the audit is too small to promise this even if no answer were wrong"
TOO_MANY_ERRORS = "the audit found errors even among the labels that seemed most certain"
NOTHING_TO_RELEASE = "there are no labels to release"

REASONS = (NOT_AUDITED, AUDIT_TOO_SMALL, TOO_MANY_ERRORS, NOTHING_TO_RELEASE)


@dataclass(frozen=True)
class Certificate:
    """A promise that holds once people have labelled the rows in `rest`.

    `reason` says why the model's labels cannot be trusted for a single row: then everything goes
    to people, and the promise holds all the same.
    """

    eps: float
    alpha: float
    method: str  # "exact" or "pac"
    accepted: np.ndarray  # rows whose label may stay, most certain first (audited ones among them)
    rest: np.ndarray  # rows that people must label still, most certain first
    used: int  # rows that the audit labelled
    errors: int  # how many of those were wrong
    threshold: float | None = None  # the highest doubt accepted; None where nothing is
    reason: str = ""

    @property
    def to_label(self) -> int:
        """How many labels of people are missing until the promise holds."""
        return len(self.rest)

    @property
    def labels(self) -> int:
        """All labels of people that the promise costs, the audit's included."""
        return self.used + self.to_label


def ranking(doubt: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows from the most certain to the least; NaN is the least. The seed breaks ties.

    It must be made, and kept, before the audit is drawn.
    """
    doubt = np.asarray(doubt, dtype=float)
    return np.asarray(np.lexsort((rng.random(len(doubt)), doubt)))


@lru_cache(maxsize=4096)
def errors_allowed(size: int, audit: int, allowed: int, alpha: float) -> int:
    """x*: the largest x with P(Hypergeometric(size, allowed + 1 + x, audit) <= x) <= alpha.

    If one error more than `allowed` stayed among the rows accepted, next to x that the audit
    found and mended, then so few found would have been too unlikely. -1: nothing can be accepted.
    """
    low, high = -1, min(audit, size - allowed - 1)
    if audit <= 0:
        return -1
    while low < high:  # the chance rises with x
        middle = (low + high + 1) // 2
        if stats.hypergeom.cdf(middle, size, allowed + 1 + middle, audit) <= alpha:
            low = middle
        else:
            high = middle - 1
    return low


def exact_certificate(
    order: np.ndarray,
    audited: np.ndarray,
    wrong: np.ndarray,
    eps: float,
    alpha: float = 0.05,
    released: int | None = None,
    doubt: np.ndarray | None = None,
) -> Certificate:
    """The exact rule for a uniform draw without replacement from a finite set.

    `order` ranks the rows that nobody had labelled before the audit, most certain first; `audited`
    are the rows drawn from them and `wrong` says which labels people changed. `released` is the
    size of the whole release if some of it had been labelled by people before. By duality with
    the exact test behind Wright (1991); a finite version of Candes, Ilyas & Zrnic (2025).
    """
    order, audited, wrong = _checked(order, audited, wrong, eps, alpha)
    size = len(order)
    if len(np.unique(audited)) < len(audited):
        raise ValueError("Without replacement no row is drawn twice.")
    allowed = _allowed(eps, size if released is None else released)
    if allowed >= size:
        return _certificate("exact", eps, alpha, order, size, audited, wrong, doubt)
    most = errors_allowed(size, len(audited), allowed, alpha)
    errors = np.sort(_positions(order)[audited[wrong]])
    cut = 0 if most < 0 else size if len(errors) <= most else int(errors[most])
    reason = AUDIT_TOO_SMALL if most < 0 else ""
    return _certificate("exact", eps, alpha, order, cut, audited, wrong, doubt, reason)


def pac_certificate(
    order: np.ndarray,
    audited: np.ndarray,
    wrong: np.ndarray,
    doubt: np.ndarray,
    rng: np.random.Generator,
    eps: float,
    alpha: float = 0.05,
) -> Certificate:
    """PAC labels (Candes, Ilyas & Zrnic 2025, "Probably Approximately Correct Labels").

    `audited` are rows drawn uniformly *with* replacement; a row drawn twice counts twice. Bets are
    made in an order of their own, since answers sorted by doubt would make them look far too good.
    A threshold is a doubt, so rows of equal doubt stand or fall together.
    Walking up, each threshold is accepted while a betting test (Waudby-Smith & Ramdas 2024) says
    that errors below it are rarer than eps; it stops at the first that fails, since the bound need
    not rise with the threshold.
    """
    order, audited, wrong = _checked(order, audited, wrong, eps, alpha)
    shuffled = rng.permutation(len(audited))
    audited, wrong = audited[shuffled], wrong[shuffled]
    ranked = np.nan_to_num(np.asarray(doubt, dtype=float), nan=np.inf)
    along = ranked[order]
    if (along[1:] < along[:-1]).any():
        raise ValueError("The ranking does not follow the doubt.")
    seen = ranked[audited]
    large_enough = _rarer(np.zeros(len(audited)), eps, alpha)
    cut = len(order) if large_enough else 0
    if large_enough:
        for level in np.unique(seen[wrong]):
            if not _rarer((wrong & (seen <= level)).astype(float), eps, alpha):
                cut = int((along < level).sum())
                break
    reason = "" if large_enough else AUDIT_TOO_SMALL
    return _certificate("pac", eps, alpha, order, cut, audited, wrong, doubt, reason)


def betting_upper_bound(values: np.ndarray, alpha: float = 0.05, steps: int = 2000) -> float:
    """An upper bound, right with probability 1 - alpha, of the mean of values from 0 to 1.

    Waudby-Smith & Ramdas (2024), "Estimating means of bounded random variables by betting",
    theorem 3, one-sided; the largest mean on a fine grid that the bets do not refute. The values
    come in the order of the draw or in a random one. Without values it is 1.
    """
    values = np.asarray(values, dtype=float)
    means = np.arange(1, steps) / steps
    parts = np.array_split(means, max(1, len(values) // 500))
    wealth = np.concatenate([_wealth(values, part, alpha) for part in parts])
    kept = np.flatnonzero(wealth < 1 / alpha)
    return float((kept[-1] + 2) / steps) if len(kept) else 1 / steps


def _rarer(values: np.ndarray, eps: float, alpha: float) -> bool:
    if not 0 < eps < 1:
        return eps >= 1
    return bool(_wealth(values, np.array([eps]), alpha)[0] >= 1 / alpha)


def _wealth(values: np.ndarray, means: np.ndarray, alpha: float) -> np.ndarray:
    """The most that bets against each of these means ever held, starting from 1."""
    n = len(values)
    if n == 0:
        return np.ones(len(means))
    t = np.arange(1, n + 1)
    average = (0.5 + np.cumsum(values)) / (t + 1)
    variance = (0.25 + np.cumsum((values - average) ** 2)) / (t + 1)
    before = np.concatenate([[0.25], variance[:-1]])
    bets = np.sqrt(2 * np.log(1 / alpha) / (before * n))
    capped = np.minimum(bets, 0.75 / (1 - means[:, None]))
    growth = np.cumsum(np.log1p(-capped * (values - means[:, None])), axis=1)
    return np.asarray(np.exp(np.clip(growth.max(axis=1), 0, 700)))


def _allowed(eps: float, released: int) -> int:
    """floor(eps * released), not one less where the product is a whole number but for rounding."""
    return int(np.floor(eps * released + 1e-9))


def _checked(
    order: np.ndarray, audited: np.ndarray, wrong: np.ndarray, eps: float, alpha: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    order, audited = np.asarray(order, dtype=int), np.asarray(audited, dtype=int)
    wrong = np.asarray(wrong).astype(bool)
    if not 0 <= eps <= 1 or not 0 < alpha < 1:
        raise ValueError("eps is a share, and alpha lies between 0 and 1.")
    if not np.array_equal(np.sort(order), np.arange(len(order))):
        raise ValueError("The ranking holds every row from 0 on once.")
    if len(audited) != len(wrong) or not np.isin(audited, order).all():
        raise ValueError("The audited rows are rows of the ranking, each with its outcome.")
    return order, audited, wrong


def _positions(order: np.ndarray) -> np.ndarray:
    positions = np.empty(len(order), int)
    positions[order] = np.arange(len(order))
    return positions


def _certificate(
    method: str,
    eps: float,
    alpha: float,
    order: np.ndarray,
    cut: int,
    audited: np.ndarray,
    wrong: np.ndarray,
    doubt: np.ndarray | None,
    reason: str = "",
) -> Certificate:
    rows, first = np.unique(audited, return_index=True)
    above = order[cut:]
    if not cut:
        reason = _why_nothing(len(order), len(audited)) or reason or TOO_MANY_ERRORS
    highest = float(doubt[order[cut - 1]]) if doubt is not None and cut else np.nan
    return Certificate(
        eps=eps,
        alpha=alpha,
        method=method,
        accepted=order[:cut],
        rest=above[~np.isin(above, rows)],
        used=len(rows),
        errors=int(wrong[first].sum()),
        threshold=None if np.isnan(highest) else highest,
        reason=reason,
    )


def _why_nothing(size: int, audited: int) -> str:
    if not size:
        return NOTHING_TO_RELEASE
    return "" if audited else NOT_AUDITED
