"""People against people: together, two by two, one by one, and over time."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from annotation.arrays_agreement import Judgements, has_answer
from annotation.arrays_codes import Scope
from annotation.models import Membership
from annotation.reports.figures import (
    SideBySide,
    match,
    measures,
    resampling,
    shares,
    side_by_side,
)
from synthlab.science.agreement import MISSING, agreement
from synthlab.science.measures import Measure

MOST_PAIRS = 60
MOST_DAYS = 31
MOST_BLOCKS = 25


@dataclass(frozen=True)
class People:
    """Everyone's blind answers to the samples that at least two people answered."""

    rows: tuple[SideBySide, ...]
    samples: int  # with two answers or more
    by_lot: int
    annotators: int


@dataclass(frozen=True)
class Pair:
    """Two annotators on the samples that both answered."""

    first: str
    second: str
    samples: int
    percent: SideBySide
    kappa: SideBySide | None  # None for multi-label


@dataclass(frozen=True)
class Annotator:
    """One person's answers. In the order of the accounts, for this is no ranking."""

    name: str
    answers: int
    unsure: int
    skipped: int
    with_others: SideBySide
    with_model: SideBySide
    with_settled: SideBySide
    seconds: tuple[float, float, float] | None  # lower quartile, median, upper quartile


@dataclass(frozen=True)
class Period:
    """Single answers of a day, or of some hundred in the order they came, against the model."""

    name: str
    answers: int
    agreement: SideBySide


def among_people(judgements: Judgements) -> People:
    codes = judgements.codes
    several = _answers_a_sample(codes) >= 2
    active = has_answer(codes).any(axis=0)
    annotators = int(active.sum())
    found = measures(judgements.scope, max(annotators, 2))
    whole, drop = _without_names(codes), annotators == 2
    sides = codes[:, active] if drop else whole
    rows = tuple(
        side_by_side(
            name,
            label,
            measure,
            sides if name == "kappa" and drop else whole,
            judgements.scope,
            judgements.design,
        )
        for name, label, measure in found
        if name != "kappa" or drop
    )
    by_lot = int((several & judgements.design.measuring).sum())
    return People(rows, int(several.sum()), by_lot, annotators)


def _answers_a_sample(codes):
    return has_answer(codes).sum(axis=1)


def _without_names(codes: np.ndarray) -> np.ndarray:
    """Answers moved to the front of each row: who gave them is all the same to a measure among
    many, and rows with the same answers can then be resampled as one."""
    most = max(int(_answers_a_sample(codes).max(initial=0)), 2)
    if codes.shape[1] < most:
        filler = np.full((len(codes), most - codes.shape[1], *codes.shape[2:]), MISSING)
        codes = np.concatenate([codes, filler.astype(codes.dtype)], axis=1)
    if codes.ndim == 2:
        return -np.sort(-codes, axis=1)[:, :most]
    order = np.argsort(~has_answer(codes), axis=1, kind="stable")[:, :most]
    return np.take_along_axis(codes, order[:, :, None], axis=1)


def pseudonyms(scope: Scope, annotators: np.ndarray) -> list[str]:
    """Names for exports and for this page; people who left are numbered."""
    known = dict(
        Membership.objects.filter(project=scope.project, user__in=annotators.tolist()).values_list(
            "user", "pseudonym"
        )
    )
    return [
        known.get(int(pk)) or _("former member %(n)d") % {"n": place + 1}
        for place, pk in enumerate(annotators)
    ]


def pairs(judgements: Judgements, names: list[str]) -> tuple[list[Pair], int]:
    """The pairs with most samples in common, and how many pairs there are."""
    codes, scope = judgements.codes, judgements.scope
    has = has_answer(codes).astype(np.int64)
    shared = has.T @ has
    found = [(i, j) for i, j in zip(*np.triu_indices(len(shared), 1), strict=True) if shared[i, j]]
    shown = sorted(found, key=lambda pair: (-shared[pair], pair))[:MOST_PAIRS]
    kappa = next(measure for name, label, measure in measures(scope, 2) if name == "kappa")
    return [
        Pair(
            names[i],
            names[j],
            int(shared[i, j]),
            shares("percent", "", match(codes[:, i], codes[:, j]), judgements.design),
            None if scope.multiple else _kappa(judgements, codes[:, [i, j]], kappa),
        )
        for i, j in sorted(shown)
    ], len(found)


def _kappa(judgements: Judgements, codes: np.ndarray, measure: Measure) -> SideBySide:
    both = (codes != MISSING).all(axis=1)
    bootstrap = resampling(100_000)
    labels = len(judgements.scope.labels)
    corrected, naive = (
        agreement(measure, codes[both], labels, design, bootstrap)
        for design in (judgements.design.take(both), None)
    )
    return SideBySide("kappa", "", corrected, naive)


def one_by_one(judgements: Judgements, names: list[str]) -> list[Annotator]:
    """Each person against the others, the model and what was settled."""
    codes, design = judgements.codes, judgements.design
    return [
        Annotator(
            name=name,
            answers=int(_answers_a_sample(codes[:, [who]]).sum()),
            unsure=int(judgements.unsure[who]),
            skipped=int(judgements.skipped[who]),
            with_others=shares("others", "", _with_others(codes, who), design),
            with_model=shares("model", "", match(codes[:, who], judgements.model), design),
            with_settled=shares("settled", "", match(codes[:, who], judgements.settled), design),
            seconds=_quartiles(judgements, who),
        )
        for who, name in enumerate(names)
    ]


def _with_others(codes, who):
    """Of each sample the share of the other people's answers that equal this one's."""
    mine = codes[:, [who]]
    others = np.delete(codes, who, axis=1)
    same = (
        match(np.broadcast_to(mine, others.shape), others)
        if codes.ndim == 3
        else np.where(
            (mine != MISSING) & (others != MISSING), (mine == others).astype(float), np.nan
        )
    )
    known = ~np.isnan(same)
    n = known.sum(axis=1)
    return np.where(n > 0, np.nansum(same, axis=1) / np.maximum(n, 1), np.nan)


def _quartiles(judgements, who):
    seconds = judgements.seconds[judgements.answer_annotator == who]
    seconds = seconds[~np.isnan(seconds)]
    if not len(seconds):
        return None
    low, middle, high = np.quantile(seconds, [0.25, 0.5, 0.75]).tolist()
    return low, middle, high


def over_time(judgements: Judgements) -> list[Period]:
    """By day where the work took several, else by blocks of a hundred answers or more."""
    at, who = judgements.answer_sample, judgements.answer_annotator
    if not len(at):
        return []
    same = match(judgements.codes[at, who], judgements.model[at])
    names, period = _periods(judgements.given_at)
    return [
        Period(
            name,
            int((~np.isnan(same[period == place])).sum()),
            _period(judgements, at[period == place], same[period == place]),
        )
        for place, name in enumerate(names)
    ]


def _period(judgements, at, same):
    """A sample that several people answered in the period counts once, with the mean."""
    known = ~np.isnan(same)
    n = np.bincount(at[known], minlength=len(judgements.samples))
    sums = np.bincount(at[known], weights=same[known], minlength=len(judgements.samples))
    mean = np.where(n > 0, sums / np.maximum(n, 1), np.nan)
    return shares("period", "", mean, judgements.design)


def _periods(given_at: list[datetime]) -> tuple[list[str], np.ndarray]:
    days = np.array([localtime(moment).date().toordinal() for moment in given_at])
    each, which = np.unique(days, return_inverse=True)
    if 1 < len(each) <= MOST_DAYS:
        return [datetime.fromordinal(int(day)).date().isoformat() for day in each], which
    size = next(
        size * scale
        for scale in (1, 10, 100, 1000, 10_000, 100_000)
        for size in (100, 200, 500)
        if len(days) <= size * scale * MOST_BLOCKS
    )
    blocks = range(0, len(days), size)
    names = [f"{start + 1}–{min(start + size, len(days))}" for start in blocks]
    return names, np.arange(len(days)) // size
