"""Putting a calibration map in force for a machine and an edition, or the confidence as it is."""

import hashlib

import numpy as np
from django.db.models import Max

from annotation.arrays_codes import Scope
from annotation.models import Adjudication, Annotation, CalibrationMap
from annotation.reports.maps_in_force import AS_IT_IS, in_force
from annotation.reports.reliability import Fitted, best_map
from annotation.reports.words import REASONS
from synthlab.science.calibration_maps import RAW


class NoMap(ValueError):
    """There is no map to use; the message says why."""


def use_map(scope: Scope) -> CalibrationMap:
    """Store the map that does best on held-out answers drawn by lot; raises NoMap.

    Where none is better than the confidence as it is, and one is in force, that ends.
    """
    found = best_map(scope)
    raw = found.chosen.map.name == RAW.name
    if raw and in_force(scope.machine, scope.edition) is None:
        raise NoMap(str(REASONS.get(found.chosen.reason, found.chosen.reason)))
    stored = found.chosen.map.as_json()
    return CalibrationMap.objects.create(
        machine=scope.machine,
        codebook=scope.edition,
        kind=AS_IT_IS if raw else stored["name"],
        parameters=stored["parameters"],
        inputs=_inputs(scope, found),
        held_out={trial.name: trial.brier.value for trial in found.chosen.trials},
    )


def _inputs(scope: Scope, found: Fitted) -> dict:
    """What it was fitted on; staleness is judged by all answers of the edition's rounds."""
    return {
        "rounds": [round_.pk for round_ in scope.rounds],
        "answers": found.chosen.n,
        "until": {
            "annotation": _newest(Annotation.objects.filter(project=scope.project)),
            "adjudication": _newest(Adjudication.objects.filter(project=scope.project)),
        },
        "sha256": _hash(found.confidence, found.right, found.weights),
    }


def _newest(rows) -> int:
    return rows.aggregate(newest=Max("pk"))["newest"] or 0


def _hash(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.asarray(array, dtype="<f8").tobytes())
    return digest.hexdigest()
