"""What may be released without a person's look, and what that promises.

At most a share `error` of the released labels differs from what people would say, with the stated
confidence over the draw of one audit: the exact rule for a finite set (`science.thresholds`).
"""

from dataclasses import dataclass

import numpy as np

from annotation import arrays_certificate as arrays
from annotation.reports.certificate_audits import Asked, Audit, Refused, audits_for
from annotation.reports.certificate_plan import Planned, planned
from synthlab.science.thresholds import exact_certificate

# Why nothing is promised.
TOO_SMALL = "too_small"
NO_MACHINE = "no_machine"
NO_AUDIT = "no_audit"
WAITING = "waiting"
TOO_MANY_ERRORS = "too_many_errors"

BEFORE, AFTER = 20, 4  # how many wrong samples of the audit are shown where the walk ends


@dataclass(frozen=True)
class Miss:
    """A sample of the audit whose label is not known to be right."""

    number: int  # counted from the surest
    sample: int
    confidence: float
    wrong: bool  # people settled on another label
    waiting: bool  # an answer was asked for and is missing
    stops: bool  # the walk up the ranking ends just before it


@dataclass(frozen=True)
class Promise:
    """What is accepted by an audit, and what people must label for the promise to hold.

    `threshold` is the lowest confidence accepted, None where nothing is. Equal confidences are
    accepted together or not at all.
    """

    threshold: float | None
    accepted: int  # labels of the machine that are released unseen
    to_label: int  # samples that people must still label
    undrawn: int  # of these, in no round yet
    by_people: int  # of all that the promise covers, labelled by people already
    covered: int  # all samples that it covers
    uncovered: int  # samples of the project that it says nothing about
    misses: tuple[Miss, ...]

    @property
    def holds(self) -> bool:
        """Nothing is left to label."""
        return not self.to_label


@dataclass(frozen=True)
class Report:
    """All that the page and the command show. `reason` says why nothing is accepted yet."""

    asked: Asked
    audit: Audit | None = None
    promise: Promise | None = None
    reason: str = ""
    refused: tuple[Refused, ...] = ()
    looks: int = 0  # audits that could have carried this promise and have answers
    plan: Planned | None = None  # the next audit, where one is needed

    @property
    def certified(self) -> bool:
        return self.promise is not None and self.promise.threshold is not None


def report(asked: Asked) -> Report:
    """The promise by the newest audit that is complete and large enough, else the way to one."""
    scope = asked.scope
    if scope.machine is None:
        return Report(asked, reason=NO_MACHINE)
    people = np.intersect1d(arrays.labelled_by_people(scope), arrays.everything(scope))
    audits, refused = audits_for(asked, people)
    if not audits:
        return Report(asked, None, None, NO_AUDIT, refused, plan=_plan(asked, people))
    # Size is known before any answer is, so that to choose by it is no second look.
    audit = max(audits, key=lambda audit: (audit.survives >= 0, not audit.waiting, audit.round.pk))
    promise = promise_by(audit, people)
    reason = _reason(audit, promise)
    looks = sum(a.survives >= 0 and a.waiting < a.size for a in audits)
    plan = _plan(asked, people) if reason in (TOO_SMALL, TOO_MANY_ERRORS) else None
    return Report(asked, audit, promise, reason, refused, looks, plan)


def _reason(audit, promise):
    if audit.survives < 0:
        return TOO_SMALL
    if promise.threshold is not None:
        return ""
    return WAITING if audit.waiting else TOO_MANY_ERRORS


def _plan(asked, people):
    return planned(asked.scope, asked.error, asked.alpha, people)


def promise_by(audit: Audit, people: np.ndarray) -> Promise:
    """Walk down from the surest label; stop before the first confidence with one error too many.

    `people` are the samples that people have labelled by now. Whatever they label beside the
    audit only makes the promise safer.
    """
    frame, accepted = audit.frame, _accepted(audit)
    unsure = audit.outcomes.samples[~(audit.outcomes.right | audit.outcomes.wrong)]
    ours = np.setdiff1d(np.setdiff1d(frame[accepted], people), unsure)
    to_label = np.setdiff1d(frame, np.union1d(people, ours))
    every = arrays.everything(audit.asked.scope)
    covered = np.union1d(frame, people)
    kept = audit.confidence[accepted]
    return Promise(
        threshold=float(kept.min()) if len(kept) else None,
        accepted=len(ours),
        to_label=len(to_label),
        undrawn=len(np.intersect1d(to_label, arrays.undrawn(audit.asked.scope))),
        by_people=len(people),
        covered=len(covered),
        uncovered=len(np.setdiff1d(every, covered)),
        misses=_misses(audit),
    )


def _accepted(audit: Audit) -> np.ndarray:
    """The rows of the frame whose label may stay, by the exact rule with ties as one step.

    To stop at the edge of a tie accepts less than the rule would: the promise stays.
    """
    doubt = -audit.confidence[audit.ranked]
    lot = audit.outcomes.samples[audit.counting]
    found = exact_certificate(
        np.argsort(doubt, kind="stable"),
        np.searchsorted(audit.frame[audit.ranked], lot),
        ~audit.outcomes.right[audit.counting],
        audit.asked.error,
        audit.asked.alpha,
        released=audit.released,
    )
    if len(found.accepted) == len(doubt):
        return audit.ranked
    edge = np.delete(np.arange(len(doubt)), found.accepted)
    return audit.ranked[doubt < doubt[edge].min()]


def _misses(audit: Audit) -> tuple[Miss, ...]:
    """The samples that count as errors, surest first: those around the one that ends the walk."""
    wrong = audit.counting & ~audit.outcomes.right
    samples, known = audit.outcomes.samples[wrong], audit.outcomes.wrong[wrong]
    waiting = audit.outcomes.waiting[wrong]
    sure = audit.confidence[np.searchsorted(audit.frame, samples)]
    order = np.lexsort((samples, -sure))
    end = max(0, min(audit.survives, len(order)))
    return tuple(
        Miss(
            place + 1,
            int(samples[order[place]]),
            float(sure[order[place]]),
            bool(known[order[place]]),
            bool(waiting[order[place]]),
            place == audit.survives,
        )
        for place in range(max(0, end - BEFORE), min(end + AFTER, len(order)))
    )
