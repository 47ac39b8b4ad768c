"""How many answers an audit would take that nobody has drawn yet, and what it should leave."""

import math
from dataclasses import dataclass

import numpy as np

from annotation import arrays_certificate as arrays
from annotation.arrays_agreement import judgements
from annotation.arrays_codes import Scope
from annotation.reports.figures import match
from annotation.reports.scope import rounds_under, scope_of
from synthlab.science.audits import AuditPlan, plan_audit
from synthlab.science.calibration_maps import apply_map, choose_map


@dataclass(frozen=True)
class Planned:
    """The audit with the fewest labels in all, as far as the machine's confidence can be trusted.

    `audit` is about the samples that the machine has ranked; a draw meets others too, which only
    people can label. `taught` is how many answers drawn by lot corrected the stated confidence;
    0: it is taken as it is.
    """

    audit: AuditPlan
    unranked: int
    taught: int

    @property
    def draw(self) -> int:
        """How many samples to draw, so that enough of them are ranked; 0: no audit pays."""
        ranked = self.audit.size
        return math.ceil(self.audit.audit * (ranked + self.unranked) / ranked) if ranked else 0

    @property
    def routed(self) -> int:
        """Labels that people are then expected to add."""
        met = self.draw - self.audit.audit
        return round(self.audit.routed) + self.unranked - met


def planned(scope: Scope, error: float, alpha: float, people: np.ndarray) -> Planned:
    """A fresh uniform draw from the pool's samples that no round has drawn.

    `people` are the samples that people have labelled. What their answers teach moves only the
    size of the draw, so that even a pilot may teach.
    """
    assert scope.machine is not None
    pool = arrays.undrawn(scope)
    stated = arrays.stated_confidence(scope.machine, pool)
    fitted, taught = _learned(scope)
    wrong = np.clip(1 - apply_map(fitted, stated[~np.isnan(stated)]), 0, 1)
    released = len(pool) + len(np.setdiff1d(people, pool))
    plan = plan_audit(wrong, error, alpha, released)
    return Planned(plan, len(pool) - len(wrong), taught)


def _learned(scope):
    """The map from stated to true confidence, and from how many answers."""
    rounds = rounds_under(scope.edition)
    read = judgements(scope_of(scope.project, scope.edition, rounds, scope.machine))
    right = match(read.truth.value, read.model)
    known = read.design.measuring & ~np.isnan(right)
    confidence = arrays.stated_confidence(scope.machine, read.samples)
    chosen = choose_map(confidence[known], right[known])
    return chosen.map, chosen.n if chosen.map.name != "raw" else 0
