"""What a round costs and brings, before anyone works: errors found against an interval's width."""

from dataclasses import dataclass

import numpy as np

from synthlab.science.intervals import wilson_interval
from synthlab.science.selection.base import Pool
from synthlab.science.selection.mixture import AUDIT, Mixture


@dataclass(frozen=True)
class Trade:
    """None stands for what cannot be said without the machine's confidence.

    `expected_errors` is the sum of 1 - confidence over the drawn samples whose confidence is
    known: right as far as the machine's confidence is. `expected_interval` is Wilson's for the
    accuracy of the whole frame, if it is the mean confidence and the measuring part finds it so.
    """

    frame: int
    samples: int
    audit: int  # drawn by lot beside the main part
    measuring: int  # drawn with a known chance, the audit among them
    unknown: int  # drawn although the machine said nothing about them, or not how sure it is
    expected_errors: float | None
    errors_in_frame: float | None
    expected_accuracy: float | None
    expected_interval: tuple[float, float] | None

    @property
    def expected_width(self) -> float | None:
        if self.expected_interval is None:
            return None
        low, high = self.expected_interval
        return high - low


def trade(pool: Pool, drawn: Mixture) -> Trade:
    doubt = np.full(pool.size, np.nan) if pool.confidence is None else 1 - pool.confidence
    known = ~np.isnan(doubt)
    measuring = int((~np.isnan(drawn.inclusion)).sum())
    accuracy = float(1 - doubt[known].mean()) if known.any() else None
    interval = None
    if accuracy is not None and measuring:
        census = measuring >= pool.size
        interval = (accuracy, accuracy) if census else wilson_interval(accuracy, measuring)
    return Trade(
        frame=pool.size,
        samples=len(drawn.rows),
        audit=int((drawn.part == AUDIT).sum()),
        measuring=measuring,
        unknown=int((~known[drawn.rows]).sum()) if known.any() else len(drawn.rows),
        expected_errors=float(np.nansum(doubt[drawn.rows])) if known.any() else None,
        errors_in_frame=float(np.nansum(doubt)) if known.any() else None,
        expected_accuracy=accuracy,
        expected_interval=interval,
    )
