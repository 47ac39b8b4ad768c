"""One point of an ordered scale for each sample."""

from dataclasses import dataclass

from annotation.task_types.single_label import SingleLabel


@dataclass(frozen=True)
class Rating(SingleLabel):
    """What it does: the annotator picks one point of a scale; each label carries its number.

    Source: Krippendorff (2004), chapter 11: ordinal data, where near misses weigh less.
    Use when: the labels are ordered steps of one thing, such as -2 to 2 or "bad" to "good".
    Not when: the order is arguable; agreement would then reward a difference that means nothing.
    """

    name = "rating"
    label = "Rating: one point of an ordered scale"
    level = "ordinal"
