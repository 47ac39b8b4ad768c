"""People's labels needed until at most a share eps of the released labels is wrong, and how often
that promise is broken."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from bench.curves import Prepared
from synthlab.science.audits import plan_audit
from synthlab.science.learning.errors import Learned, learn
from synthlab.science.thresholds import Certificate, exact_certificate, pac_certificate, ranking

ALPHA = 0.05
DRAWS = 500  # of the audits that are not planned, at most a quarter of the set
PILOT, FEWEST, MOST = 0.03, 80, 150  # share of the set, and samples
LARGEST_PILOT = 0.1  # of a small set
ROUTED_FIRST = 0.6  # of all labels that the plan expects to route: asked for before the audit
A_ROUND = 0.05  # share of the set after which is learnt again
PILOTS = 25  # at most; one for every eight runs, audits are drawn again for each


@dataclass(frozen=True)
class Frozen:
    """What is fixed before an audit is drawn: labels and ranking of the rows nobody labelled."""

    free: np.ndarray  # rows
    wrong: np.ndarray  # (free,): whether people would say another label than the released
    doubt: np.ndarray  # (free,)
    audit: int
    chose: str


Outcome = tuple[float, bool]  # share of all samples that people labelled, whether it is broken


def oracle(prepared: Prepared, eps: float) -> float:
    """The share to label if it were known where on the raw ranking the errors are."""
    order = ranking(raw(prepared), np.random.default_rng(0))
    errors = np.cumsum(prepared.wrong[order])
    return float(1 - np.searchsorted(errors, allowed(prepared, eps), side="right") / len(order))


def pac(prepared: Prepared, eps: float, runs: int, seed: int) -> Iterator[Outcome]:
    """Ties are broken by lot before the draw, or a threshold could only be one of few doubts."""
    wrong = prepared.wrong
    for run in range(runs):
        rng = np.random.default_rng((seed, run))
        drawn = rng.integers(len(wrong), size=_draws(prepared))
        order = ranking(raw(prepared), rng)
        doubt = np.empty(len(order))
        doubt[order] = np.arange(len(order)) / len(order)
        found = pac_certificate(order, drawn, wrong[drawn], doubt, rng, eps, ALPHA)
        yield _outcome(found, drawn, wrong, prepared, eps)


def exact(prepared: Prepared, eps: float, runs: int, seed: int) -> Iterator[Outcome]:
    doubt, wrong = raw(prepared), prepared.wrong
    for run in range(runs):
        rng = np.random.default_rng((seed, run))
        order = ranking(doubt, rng)
        drawn = rng.choice(len(doubt), _draws(prepared), replace=False)
        found = exact_certificate(order, drawn, wrong[drawn], eps, ALPHA)
        yield _outcome(found, drawn, wrong, prepared, eps)


def automatic(prepared: Prepared, eps: float, runs: int, seed: int) -> Iterator[Outcome]:
    """Pilot, learn, route what is certainly routed, learn again, freeze, plan, audit.

    Each pilot is followed by several audits, each drawn for itself: the promise is one about
    the draw of the audit, whatever was frozen before.
    """
    pilots = min(PILOTS, max(1, runs // 8))
    for pilot in range(pilots):
        rng = np.random.default_rng((seed, pilot))
        frozen = freeze(prepared, eps, rng)
        for _ in range(pilot, runs, pilots):
            yield _audited(frozen, prepared, eps, rng)


METHODS: dict[str, Callable[[Prepared, float, int, int], Iterator[Outcome]]] = {
    "pac": pac,
    "exact": exact,
    "automatic": automatic,
}


def freeze(prepared: Prepared, eps: float, rng: np.random.Generator) -> Frozen:
    recorded = prepared.recorded
    size, gold = recorded.size, recorded.gold
    known = np.full(size, -1)
    first = min(np.clip(PILOT * size, FEWEST, MOST), LARGEST_PILOT * size)
    pilot = rng.permutation(size)[: int(first)]
    known[pilot] = gold[pilot]
    by_lot = known >= 0
    routed = 0
    while True:
        learned = _learn(prepared, known, by_lot, rng)
        free = np.flatnonzero(known < 0)
        plan = plan_audit(learned.error[free], eps, ALPHA, released=size)
        soon = int(ROUTED_FIRST * (routed + plan.routed)) - routed
        if not len(free) or soon < 0.4 * A_ROUND * size:
            break
        order = free[np.lexsort((rng.random(len(free)), -learned.error[free]))]
        asked = order[: min(soon, max(50, int(A_ROUND * size)))]
        known[asked] = gold[asked]
        routed += len(asked)
    wrong = (learned.labels != gold)[free]
    chose = "corrected" if learned.corrected.any() else learned.scores
    return Frozen(free, wrong, learned.error[free], plan.audit, chose)


def raw(prepared: Prepared) -> np.ndarray:
    return np.nan_to_num(prepared.evidence.doubt, nan=1.0)


def allowed(prepared: Prepared, eps: float) -> int:
    return int(np.floor(eps * prepared.recorded.size + 1e-9))


def _learn(
    prepared: Prepared, known: np.ndarray, by_lot: np.ndarray, rng: np.random.Generator
) -> Learned:
    clues = prepared.recorded.clues
    return learn(
        prepared.evidence,
        clues.answers,
        known,
        clues.labels,
        rng,
        correct=prepared.recorded.relabels,
        by_lot=by_lot,
    )


def _draws(prepared: Prepared) -> int:
    return min(DRAWS, prepared.recorded.size // 4)


def _audited(frozen: Frozen, prepared: Prepared, eps: float, rng: np.random.Generator) -> Outcome:
    size, left = prepared.recorded.size, len(frozen.free)
    if left == 0:
        return 1.0, False
    order = ranking(frozen.doubt, rng)
    drawn = rng.choice(left, frozen.audit, replace=False)
    found = exact_certificate(order, drawn, frozen.wrong[drawn], eps, ALPHA, released=size)
    share, broken = _outcome(found, drawn, frozen.wrong, prepared, eps)
    return share + (size - left) / size, broken


def _outcome(
    found: Certificate, drawn: np.ndarray, wrong: np.ndarray, prepared: Prepared, eps: float
) -> Outcome:
    kept = wrong.copy()
    kept[drawn] = False
    kept[found.rest] = False
    return found.labels / prepared.recorded.size, bool(kept.sum() > allowed(prepared, eps))
