"""What a machine said of a whole frame, for figures that its confidence helps with."""

from dataclasses import dataclass

import numpy as np

from annotation.arrays import CHUNK
from annotation.arrays_agreement import ROUNDING, Judgements
from annotation.arrays_certificate import frame_of
from annotation.models import Round, Suggestion

MOST = 100_000  # samples of a frame that a page reads


@dataclass(frozen=True)
class Labelled:
    """The samples of a round's frame that the machine labelled, ids ascending, and how sure it
    was: NaN where it did not say."""

    samples: np.ndarray
    confidence: np.ndarray


def measuring_rounds(read: Judgements) -> list[Round]:
    """The rounds that drew something with a known chance."""
    rounds = read.scope.rounds
    known = Round.objects.filter(pk__in=[round_.pk for round_ in rounds])
    drew = set(known.filter(items__inclusion__isnull=False).values_list("pk", flat=True))
    return [round_ for round_ in rounds if round_.pk in drew]


def labelled_frame(read: Judgements, round_: Round) -> Labelled | None:
    """None where the samples that it was drawn from can no longer be told, or are too many."""
    if round_.frame.get("size", 0) > MOST or (frame := frame_of(round_)) is None:
        return None
    said = Suggestion.objects.filter(machine=read.scope.machine).order_by("sample")
    rows = said.values_list("sample", "confidence").iterator(chunk_size=CHUNK)
    found = np.fromiter(
        ((sample, np.nan if sure is None else sure) for sample, sure in rows),
        dtype=[("sample", np.int64), ("confidence", np.float64)],
    )
    inside = found[np.isin(found["sample"], frame)]
    sure = inside["confidence"]
    stated = (sure >= 0) & (sure <= 1 + ROUNDING)  # as the reliability page reads it
    return Labelled(inside["sample"].copy(), np.where(stated, np.minimum(sure, 1), np.nan))
