"""What divides the samples of a frame into strata: the machine's labels, lengths or metadata."""

from dataclasses import dataclass

import numpy as np
from django.db.models import F
from django.db.models.functions import Length
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotation.filters import SampleFilter
from annotation.models import Project
from synthlab.science.selection.strata import merged, quantile_bands
from synthlab.science.selection.stratified import LENGTH, META, Stratified

CHUNK = 10_000
MOST_STRATA = 30  # of metadata: what is rarer is drawn together
MOST_KEYS = 50
LOOKED_AT = 200  # samples whose metadata tell which keys there are
NAME_LENGTH = 40  # of a stratum, as the items of a round hold it


class NoStrata(ValueError):
    """These samples cannot be divided so; the message says why and what to do."""


@dataclass(frozen=True)
class Strata:
    """The stratum of each sample as its place among `names`, and what a manager should know."""

    codes: np.ndarray
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def meta_keys(project: Project) -> list[str]:
    """The metadata keys of a project's first and last samples, by the alphabet."""
    samples = project.samples.order_by("pk").values_list("meta", flat=True)
    looked_at = [*samples[:LOOKED_AT], *samples.reverse()[:LOOKED_AT]]
    keys = {key for meta in looked_at if isinstance(meta, dict) for key in meta}
    return sorted(keys)[:MOST_KEYS]


def strata_of(project: Project, which: SampleFilter, samples: np.ndarray, by: Stratified) -> Strata:
    """Divide these samples of a frame (ids, ascending) as the strategy asks; raises NoStrata."""
    rows = which.samples(project).order_by("pk")
    if by.by == LENGTH:
        lengths = _aligned(samples, rows, Length("text"), lambda length: length or 0)
        return _by_length(np.array(lengths, dtype=float), by.bands)
    if by.by == META:
        return _by_meta(
            _aligned(samples, rows, F("meta"), lambda meta: _value(meta, by.key)), by.key
        )
    return _by_label(_aligned(samples, rows, F("said_code"), _word))


def _aligned(samples, rows, column, read) -> list:
    """What is read of each sample, as of None for one that has left the frame meanwhile."""
    found = rows.annotate(dividing=column).values_list("pk", "dividing")
    known = {pk: read(value) for pk, value in found.iterator(chunk_size=CHUNK)}
    return [known.get(sample, read(None)) for sample in samples.tolist()]


def _word(value) -> str:
    """A word that is told apart from there being none, which is ""."""
    return "" if value is None else f"={value}"


def _value(meta, key: str) -> str:
    value = meta.get(key) if isinstance(meta, dict) else None
    return "" if value == "" else _word(value)


def _by_label(words: list[str]) -> Strata:
    names, strata = np.unique(np.array(words, dtype=str), return_inverse=True)
    return Strata(strata.reshape(-1), tuple(_label(name) for name in names.tolist()))


def _label(word: str) -> str:
    if not word:
        return "label: no answer"
    return f"label: {word[1:] or 'none'}"[:NAME_LENGTH]


def _by_length(lengths: np.ndarray, bands: int) -> Strata:
    codes, ends = quantile_bands(lengths, bands)
    notes = ()
    if len(ends) < bands:
        found = ngettext(
            "Many texts are equally long: there is %(n)d band of length.",
            "Many texts are equally long: there are %(n)d bands of length.",
            len(ends),
        )
        notes = (found % {"n": len(ends)},)
    return Strata(codes, tuple(f"length: {low:.0f} to {high:.0f}" for low, high in ends), notes)


def _by_meta(words: list[str], key: str) -> Strata:
    if not key:
        raise NoStrata(_("Metadata key: choose the key whose values divide the samples."))
    different = len(set(words) - {""})
    if not different:
        text = _("Metadata key: no sample of the frame has “%(key)s”. Choose another one.")
        raise NoStrata(text % {"key": key})
    if different > MOST_STRATA and different > len(words) / 2:
        text = _(
            "Metadata key: “%(key)s” has %(n)d different values in %(all)d samples, so that it "
            "divides nothing. Choose another one."
        )
        raise NoStrata(text % {"key": key, "n": different, "all": len(words)})
    codes, kept, rare = merged(words, MOST_STRATA)
    names = [f"{key}: {word[1:]}"[:NAME_LENGTH] if word else f"no {key}" for word in kept]
    if not rare:
        return Strata(codes, tuple(name[:NAME_LENGTH] for name in names))
    names[-1] = f"{key}: other values"
    text = _("“%(key)s” has %(n)d rare values: they are drawn together as one stratum.")
    notes = (text % {"key": key, "n": rare},)
    return Strata(codes, tuple(name[:NAME_LENGTH] for name in names), notes)
