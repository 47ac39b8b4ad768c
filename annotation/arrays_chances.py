"""The chance that a sample had of being drawn by any of several rounds.

A round's own chances stand in its items. Several rounds need more: the chance that a sample of
one round had in the others, also where it was not drawn. It is 0 outside a round's frame. Rounds
mostly draw from what no earlier round has drawn; a sample that an earlier round's main part would
have taken for certain had then no chance left in the later one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from annotation.filters import SampleFilter
from annotation.models import Project, Round, RoundItem
from synthlab.science.estimation import union_inclusion
from synthlab.science.selection.mixture import AUDIT
from synthlab.science.selection.stratified import Stratified


@dataclass(frozen=True)
class Drawn:
    """The items of some rounds: aligned arrays, and the distinct samples in ascending order."""

    samples: np.ndarray
    round: np.ndarray  # (items,): the round's id
    at: np.ndarray  # (items,): the place in `samples`
    inclusion: np.ndarray  # (items,): NaN where no chance is known
    score: np.ndarray  # (items,): NaN where the machine said nothing


ROW = np.dtype([("round", "i8"), ("sample", "i8"), ("inclusion", "f8"), ("score", "f8")])


def drawn_from(rounds: tuple[Round, ...]) -> Drawn:
    items = RoundItem.objects.filter(round__in=[round_.pk for round_ in rounds])
    rows = items.order_by("pk").values_list("round", "sample", "inclusion", "score")
    read = np.fromiter(rows.iterator(chunk_size=10_000), dtype=ROW)
    samples, at = np.unique(read["sample"], return_inverse=True)
    return Drawn(samples, read["round"], at.reshape(-1), read["inclusion"], read["score"])


def strata_of(rounds: tuple[Round, ...], drawn: Drawn) -> np.ndarray | None:
    """The stratum of each sample as a number, where one stratified round alone measures.

    None where another round or an audit part has a share in the lot: how many of a stratum came is
    then chance, and its answers say no more than those of a draw without strata.
    """
    known = ~np.isnan(drawn.inclusion)
    measuring = [round_ for round_ in rounds if known[drawn.round == round_.pk].any()]
    if len(measuring) != 1 or measuring[0].strategy != Stratified.name:
        return None
    items = measuring[0].items.order_by("sample").values_list("sample", "stratum")
    parts = dict(items.iterator(chunk_size=10_000))
    if AUDIT in parts.values():
        return None
    names = [parts.get(pk, "") for pk in drawn.samples.tolist()]
    return np.unique(names, return_inverse=True)[1].reshape(-1)


def inclusion_of(
    project: Project, rounds: tuple[Round, ...], drawn: Drawn
) -> tuple[np.ndarray, int | None]:
    """For each sample its chance in the union of the rounds, NaN where it was only ever taken for
    certain, and the size of what the rounds drew from by chance."""
    return union(rounds, drawn, lambda round_: _in_frame(project, round_, rounds))


def union(
    rounds: tuple[Round, ...], drawn: Drawn, in_frame: Callable[[Round], np.ndarray]
) -> tuple[np.ndarray, int | None]:
    """The same from arrays: `in_frame` gives the samples that a round's filter lets through.

    What chance a round of uneven chances would have given to samples of other rounds is not known.
    Where one is among several, the round of the largest frame measures alone.
    """
    known = ~np.isnan(drawn.inclusion)
    by_chance = np.zeros(len(drawn.samples), dtype=bool)
    by_chance[drawn.at[known]] = True
    measuring = [round_ for round_ in rounds if known[drawn.round == round_.pk].any()]
    if not measuring:
        return np.full(len(drawn.samples), np.nan), None
    if len(measuring) == 1 or any(_uneven(round_, drawn) for round_ in measuring):
        only = max(measuring, key=lambda round_: _reach(round_, drawn))
        chances = _own(drawn, only, np.full(len(drawn.samples), np.nan))
        return chances, only.frame.get("size")
    rows = [_chances(round_, rounds, drawn, in_frame(round_)) for round_ in measuring]
    chances = np.where(by_chance, union_inclusion(np.array(rows)), np.nan)
    return chances, _frame(measuring, chances[by_chance])


def _frame(measuring, chances):
    """Frames overlap, so that the size of their union is what the chances say it is."""
    implied = round(float((1 / chances[~np.isnan(chances)]).sum()))
    return max(implied, *(round_.frame.get("size", 0) for round_ in measuring))


def _known(round_, drawn):
    return drawn.inclusion[(drawn.round == round_.pk) & ~np.isnan(drawn.inclusion)]


def _uneven(round_, drawn):
    return np.ptp(_known(round_, drawn)) > 1e-12


def _reach(round_, drawn):
    """The size of its frame, then of its part drawn by chance."""
    return round_.frame.get("size", 0), len(_known(round_, drawn))


def _own(drawn, round_, chances):
    """Write the chances that the round itself has noted over those given."""
    mine = (drawn.round == round_.pk) & ~np.isnan(drawn.inclusion)
    chances[drawn.at[mine]] = drawn.inclusion[mine]
    return chances


def _chances(round_, rounds, drawn, in_frame):
    """The chance of every sample in this round, whether or not it was drawn."""
    even = _known(round_, drawn)[0]
    chances = np.zeros(len(drawn.samples))
    mine = drawn.round == round_.pk
    chances[np.searchsorted(drawn.samples, in_frame)] = even
    if round_.frame.get("filter", {}).get("drawn") is False:
        for earlier in rounds:
            if earlier.pk < round_.pk:
                chances[_taken_for_certain(earlier, drawn)] = 0
    chances[drawn.at[mine]] = even
    return _own(drawn, round_, chances)


def _in_frame(project, round_, rounds):
    """Those samples of any of the rounds that this round's filter lets through, apart from their
    having been drawn, and that were there when it was drawn."""
    stated = {
        name: value
        for name, value in round_.frame.get("filter", {}).items()
        if name not in ("drawn", "answered", "answer")  # these change with the rounds themselves
    }
    passing = SampleFilter.of(stated).samples(project, at=round_.created_at)
    there = passing.filter(created_at__lte=round_.created_at, round_items__round__in=rounds)
    return np.array(list(there.values_list("pk", flat=True).distinct()), dtype=np.int64)


def _taken_for_certain(round_, drawn):
    """The samples that the round's main part took, or would have taken had the audit not."""
    mine = drawn.round == round_.pk
    main = mine & np.isnan(drawn.inclusion)
    if not main.any():
        return np.array([], dtype=int)
    cut = np.nan_to_num(drawn.score[main], nan=np.inf).min()
    reached = mine & (np.nan_to_num(drawn.score, nan=np.inf) >= cut)
    return drawn.at[main | reached]
