"""Figures as they are kept: their names, results and hashes, the same bytes whenever computed.

Numbers are kept to ten significant digits, so that another machine's last bits do not matter.
"""

import hashlib
import json
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from django.conf import settings

from annotation.arrays_agreement import Judgements
from annotation.reports.agreement import Versus, against_model
from annotation.reports.annotators import among_people
from annotation.reports.figures import resampling
from synthlab.science.figures import Figure
from synthlab.version import product_version

DIGITS = 10
OF_A_LABEL = ("precision", "recall", "f1", "prevalence")
# What decides a figure: change any of it and the code has another version.
CODE = (
    "synthlab/science/**/*.py",
    "annotation/arrays*.py",
    *(f"annotation/reports/{name}.py" for name in ("agreement", "annotators", "figures")),
    "annotation/reports/estimates.py",
)
LIBRARIES = ("numpy", "scipy")
ARRAYS = ("samples", "annotators", "codes", "settled", "model", "inclusion", "texts")


class Kept(NamedTuple):
    """One figure: its name, how its interval was made, and what is stored of it."""

    figure: str
    method: str
    result: dict[str, Any]


def figures_of(read: Judgements) -> list[Kept]:
    """The machine against people, overall and by label, and people among themselves."""
    found = _against(against_model(read)) if read.scope.machine else []
    people = [(f"people:{row.name}", row.corrected, row.naive) for row in among_people(read).rows]
    return [
        Kept(name, corrected.method, {**_result(corrected), "naive": _result(naive)})
        for name, corrected, naive in [*found, *people]
    ]


def _against(model: Versus) -> list[tuple[str, Figure, Figure]]:
    found = [(f"machine:{row.name}", row.corrected, row.naive) for row in model.rows]
    for row in model.labels:
        for part in OF_A_LABEL:
            figures = getattr(row.corrected, part), getattr(row.naive, part)
            found.append((f"machine:{part}:{row.rule.slug}", *figures))
    return found


def _result(figure: Figure) -> dict[str, Any]:
    low, high = figure.interval or (None, None)
    numbers = {"value": figure.value, "low": low, "high": high, "n_eff": figure.n_eff}
    rounded = {name: _short(number) for name, number in numbers.items()}
    return {**rounded, "n": figure.n, "reason": figure.reason}


def _short(number: float | None) -> float | None:
    """None for what is no number: JSON has no word for it."""
    if number is None or not np.isfinite(number):
        return None
    return float(f"{number:.{DIGITS}g}")


def options_of(read: Judgements) -> dict[str, Any]:
    bootstrap = resampling(len(read.samples))
    return {"level": bootstrap.level, "replicates": bootstrap.replicates, "seed": bootstrap.seed}


def hash_of_read(read: Judgements) -> str:
    """sha256 over all that the figures are computed from, as 64-bit little-endian numbers."""
    digest = hashlib.sha256()
    for name in (*ARRAYS, *(("strata",) if read.strata is not None else ())):
        array = getattr(read, name)
        kind = "<f8" if array.dtype.kind == "f" else "<i8"
        digest.update(f"{name} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array, dtype=kind).tobytes())
    digest.update(f"frame {read.frame} labels {read.scope.rules.slugs}".encode())
    return digest.hexdigest()


def canonical(result: dict[str, Any]) -> bytes:
    """The bytes that are the same for the same result."""
    return json.dumps(
        result, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def hash_of_result(result: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(result)).hexdigest()


@cache
def code_version() -> str:
    """The product, a hash of the modules that decide a figure, and the libraries under them."""
    digest = hashlib.sha256()
    for pattern in CODE:
        for path in sorted(Path(settings.BASE_DIR).glob(pattern)):
            digest.update(path.relative_to(settings.BASE_DIR).as_posix().encode())
            digest.update(path.read_bytes())
    libraries = " ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return f"{product_version()}+{digest.hexdigest()[:12]} {libraries}"
