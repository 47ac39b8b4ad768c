"""Forecasts: asked for by people, worked out by the worker, kept for ever beside what came of them.

A new one never takes an older one's place: what was expected before a round must stand when its
answers are in.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.timezone import now
from django.utils.translation import gettext as _
from threadpoolctl import threadpool_limits

from annotation import arrays_forecast as arrays
from annotation.actions.features import make_features
from annotation.arrays_features import NoFeatures
from annotation.models import Annotation, Codebook, Forecast, MachineAnnotator, Project, User
from synthlab.science import forecast as science
from synthlab.science import forecast_lines
from synthlab.science.figures import Figure
from synthlab.science.forecast_lines import Belief, Line
from synthlab.science.learning.errors import FEWEST_ANSWERS
from synthlab.version import product_version

SEED = 0  # of folds, halves and parts read by lot: the same rows give the same forecast
TRIES = 5  # workers that may die over one forecast before it is given up
LEASE = timedelta(minutes=5)  # renewed at every step; no step of a million samples takes as long
MOST_TEXTS = 200_000  # samples whose texts are turned into vectors for a forecast alone
DIGITS = 6


class LeaseLost(Exception):
    """Another worker has taken the forecast over."""


def ask(
    machine: MachineAnnotator, codebook: Codebook, user: User | None = None, *, wait: bool = False
) -> Forecast:
    """A new forecast, or the one that is being worked out. It is done at once with `wait`, or
    where it is small and learns nothing from texts; else it is left to the worker."""
    try:
        with transaction.atomic():
            forecast = Forecast.objects.create(
                project=machine.project, machine=machine, codebook=codebook, created_by=user
            )
    except IntegrityError:
        open_ = [Forecast.State.WAITING, Forecast.State.WORKING]
        forecast = Forecast.objects.get(machine=machine, codebook=codebook, state__in=open_)
    small = arrays.pool_size(machine.project) <= settings.FORECAST_AT_ONCE
    if wait or (small and not _learns(machine.project)):
        work_on(forecast)
        forecast.refresh_from_db()
    return forecast


def work_on_due() -> bool:
    """Work out the forecast that has waited longest; False: none is due."""
    forecast = Forecast.objects.due().order_by("pk").first()
    return forecast is not None and work_on(forecast)


def work_on(forecast: Forecast) -> bool:
    """Claim and work it out; False: another worker has it, or it was given up."""
    if not _claim(forecast):
        return False
    held = Forecast.objects.select_related("project", "machine__project", "codebook")
    forecast = held.get(pk=forecast.pk)
    try:
        with threadpool_limits(1, user_api="blas"):  # the matrices are small, the cores shared
            inputs, result = _worked_out(forecast, lambda: _hold(forecast))
        _hold(
            forecast,
            state=Forecast.State.DONE,
            inputs=inputs,
            result=result,
            lease_until=None,
            finished_at=now(),
        )
    except NoFeatures:
        error = _("The samples changed while it was worked out: ask for it again.")
        _hold(forecast, state=Forecast.State.FAILED, error=error, lease_until=None)
        return False
    except LeaseLost:
        return False
    return True


def _claim(forecast):
    given_up = forecast.version >= TRIES
    due = Forecast.objects.due().filter(pk=forecast.pk, version=forecast.version)
    said = _(
        "Working it out broke off %(tries)s times. Ask whoever runs this site to read the log."
    )
    changed = due.update(
        state=Forecast.State.FAILED if given_up else Forecast.State.WORKING,
        version=F("version") + 1,
        lease_until=Now() + LEASE,
        error=said % {"tries": TRIES} if given_up else "",
    )
    return bool(changed) and not given_up


def _hold(forecast, **columns):
    """Keep the lease, with other columns; who lost it stops here."""
    mine = Forecast.objects.filter(
        pk=forecast.pk, version=forecast.version, state=Forecast.State.WORKING
    )
    if not mine.update(**{"lease_until": Now() + LEASE, **columns}):
        raise LeaseLost


def _learns(project: Project) -> bool:
    """Are there answers that a student could learn from? Only then texts are read."""
    answers = Annotation.objects.filter(project=project)[:FEWEST_ANSWERS]
    return not project.task.multiple and answers.count() >= FEWEST_ANSWERS


def _worked_out(forecast: Forecast, beat: Callable[[], None]) -> tuple[dict, dict]:
    machine, project = forecast.machine, forecast.project
    texts = _learns(project) and _has_vectors(project)
    beat()
    newest = arrays.marks(project, machine)
    ground = arrays.ground(machine, forecast.codebook, SEED, texts=texts)
    beat()
    inputs = {
        "frame": ground.frame.hash,
        "seed": SEED,
        "newest": newest,
        "texts": texts,
        "code": product_version(),
    }
    counts = {"counts": ground.counts, "measured": _figure(ground.measured)}
    if not ground.counts["samples"]:
        return inputs, {"reason": arrays.NO_SAMPLES, **counts}
    if ground.counts["silent"] == ground.counts["samples"]:
        return inputs, {"reason": arrays.NO_SUGGESTIONS, **counts}
    rng = np.random.default_rng(SEED)
    belief = forecast_lines.believe(ground.pool, ground.right, _by_lot(ground), rng)
    beat()
    if belief.source == forecast_lines.NOTHING:
        return inputs, {"reason": arrays.NO_CONFIDENCE, **counts}
    labels = science.grid(ground.population)
    stands = forecast_lines.Ground(ground.population, belief, ground.checked, labels)
    lines, left_out = forecast_lines.lines(ground.pool, stands, rng)
    return inputs, {
        **counts,
        **_of_belief(belief, ground.population),
        "labels": labels.tolist(),
        "lines": [_line(line) for line in lines],
        "left_out": sorted(left_out),
    }


def _has_vectors(project):
    """Stored, or made now where that does not take too long."""
    if arrays.pool_size(project) <= MOST_TEXTS:
        make_features(project)
        return True
    return project.feature_tables.exists()


def _by_lot(ground):
    return ground.by_lot if ground.by_lot.any() else None


def _of_belief(belief: Belief, population: science.Population) -> dict[str, Any]:
    free, weights = population.free, population.weights
    mine = float((weights * belief.error)[free].sum()) / max(population.to_draw, 1e-300)
    return {
        "source": belief.source,
        "fitted": belief.fitted,
        "unstated": belief.unstated,
        "expected_error": round(mine, DIGITS),  # of the samples that may still be drawn
    }


def _line(line: Line) -> dict[str, Any]:
    stored = {"strategies": list(line.strategies), "kind": line.kind, "judged": line.judged}
    for name in ("accuracy", "low", "high", "design_effects"):
        values = getattr(line, name)
        stored[name] = None if values is None else [_number(x) for x in values.tolist()]
    return stored


def _number(x: float) -> float | None:
    """None for what JSON cannot hold."""
    return round(x, DIGITS) if np.isfinite(x) else None


def _figure(figure: Figure) -> dict[str, Any]:
    return {"value": figure.value, "interval": figure.interval, "n": figure.n}
