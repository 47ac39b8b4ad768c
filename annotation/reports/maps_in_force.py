"""The map that turns a machine's stated confidence into how often people agree, as it is in force.

There is one for a machine and an edition: the newest that was stored. It is stale when people have
answered or settled more since; another machine or edition simply has none.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from annotation.models import (
    Adjudication,
    Annotation,
    CalibrationMap,
    Codebook,
    MachineAnnotator,
)
from annotation.reports.reliability_maps import NAMES
from annotation.reports.scope import rounds_under
from synthlab.science import calibration_maps as science

AS_IT_IS = "identity"  # stored where a map is taken out of force again
SHOWN = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)  # what the page of a machine translates


@dataclass(frozen=True)
class InForce:
    """A stored map with what a reader must know of it."""

    row: CalibrationMap
    fitted: science.CalibrationMap

    @property
    def label(self) -> str:
        return str(NAMES[self.row.kind])

    @property
    def answers(self) -> int:
        return self.row.inputs["answers"]

    @cached_property
    def newer(self) -> int:
        """Answers and settlements that came since, in the rounds that follow the edition."""
        rounds, until = rounds_under(self.row.codebook), self.row.inputs["until"]
        said = Annotation.objects.filter(round_item__round__in=rounds, blind=True, extra=False)
        settled = Adjudication.objects.filter(round_item__round__in=rounds)
        return (
            said.filter(pk__gt=until["annotation"]).count()
            + settled.filter(pk__gt=until["adjudication"]).count()
        )

    @property
    def stale(self) -> bool:
        return self.newer > 0

    @property
    def table(self) -> list[tuple[float, float]]:
        """Pairs of stated confidence and the chance that it stands for."""
        return [(said, self.chance(said)) for said in SHOWN]

    def chance(self, confidence: float) -> float:
        return float(self.chances(np.array([confidence]))[0])

    def chances(self, confidence: np.ndarray) -> np.ndarray:
        """How often people agree at each of these confidences; NaN stays NaN."""
        return science.apply_map(self.fitted, confidence)


def in_force(machine: MachineAnnotator, codebook: Codebook) -> InForce | None:
    """The map of a machine under an edition."""
    return _loaded(machine.maps.filter(codebook=codebook).order_by("-pk").first())


def newest_of(machine: MachineAnnotator) -> InForce | None:
    """The map of a machine under whichever edition it was last stored."""
    return newest_for([machine.pk]).get(machine.pk)


def newest_for(machines: Collection[int]) -> dict[int, InForce]:
    """The same for several machines, by their ids and by one query."""
    rows = CalibrationMap.objects.filter(machine__in=machines).select_related("codebook")
    newest = {row.machine_id: row for row in rows.order_by("pk")}
    loaded = {machine: _loaded(row) for machine, row in newest.items()}
    return {machine: found for machine, found in loaded.items() if found}


def _loaded(row):
    if row is None or row.kind == AS_IT_IS:
        return None
    stored = {"name": row.kind, "parameters": row.parameters}
    return InForce(row, science.CalibrationMap.from_json(stored))
