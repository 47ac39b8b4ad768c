"""What one machine said to each way of asking, as numbers."""

from collections.abc import Sequence

import numpy as np

from annotation.models import MachineAnnotator, Suggestion
from synthlab.science.selection.base import ABSENT, UNPARSABLE

CHUNK = 10_000


def has_votes(machine: MachineAnnotator) -> bool:
    """Was it ever asked about a sample in several ways?"""
    return machine.suggestions.filter(votes__isnull=False).exists()


def votes_of(
    machine_id: int | None, samples: np.ndarray, slugs: Sequence[str], newest: int | None = None
) -> np.ndarray | None:
    """(samples, ways of asking): the place of each label among the slugs, UNPARSABLE for what
    names none of them ("unsure" among it), ABSENT where it was not asked. None: it never was.

    Samples are ids, ascending. Of multi-label answers each different set has a number of its own.
    `newest` is the last suggestion that counts.
    """
    rows = Suggestion.objects.filter(machine=machine_id, votes__isnull=False).order_by("sample")
    if newest is not None:
        rows = rows.filter(pk__lte=newest)
    columns: dict[str, np.ndarray] = {}
    numbers = {slug: place for place, slug in enumerate(slugs)}
    for sample, votes in rows.values_list("sample", "votes").iterator(chunk_size=CHUNK):
        row = int(np.searchsorted(samples, sample))
        if row == len(samples) or samples[row] != sample:
            continue
        for vote in votes:
            if vote["prompt"] not in columns:
                columns[vote["prompt"]] = np.full(len(samples), ABSENT)
            columns[vote["prompt"]][row] = _number(vote["code"], numbers, set(slugs))
    return np.column_stack(list(columns.values())) if columns else None


def _number(code: str | None, numbers: dict[str, int], slugs: set[str]) -> int:
    """A new set of labels gets the next number."""
    if code is None:
        return UNPARSABLE
    if code not in numbers and set(code.split("|")) - {""} <= slugs:
        numbers[code] = len(numbers)
    return numbers.get(code, UNPARSABLE)
