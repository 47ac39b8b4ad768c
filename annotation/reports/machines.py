"""How sure a machine annotator is: distributions of its confidence and entropy."""

import math
from dataclasses import dataclass

from django.db.models import Avg, Count, F, FloatField, Q
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Floor, Least

BINS = 20
MEASURES = ("confidence", "entropy")


@dataclass(frozen=True)
class Bar:
    """The samples whose value lies in [low, high); the last bar holds its upper end too."""

    low: float
    high: float
    count: int
    by_label: tuple[int, ...]  # in the order of the codebook; the last is every other answer


@dataclass(frozen=True)
class Distribution:
    measure: str
    top: float  # the largest value that the measure can take
    bars: tuple[Bar, ...]
    missing: int
    distinct: tuple[tuple[float, int], ...]  # counts by value, where there are few values

    @property
    def largest(self):
        return max((bar.count for bar in self.bars), default=0)


@dataclass(frozen=True)
class LabelRow:
    """One label: how often the machine gave it, and how surely."""

    slug: str
    name: str
    count: int
    confidence: float | None


def distribution(machine, measure, label=""):
    """Counts in twenty equal bins, in two queries. For multi-label tasks `label` narrows the
    confidence to the machine's probability of that one label."""
    rules = machine.codebook.rules()
    rows, top = _values(machine, rules, measure, label)
    places = {slug: place for place, slug in enumerate(rules.slugs)}
    counts = [[0] * (len(places) + 1) for _ in range(BINS)]
    binned = rows.exclude(measured=None).annotate(
        bin=Least(Floor(F("measured") * (BINS / top)), float(BINS - 1))
    )
    for number, code, n in binned.values_list("bin", "code").annotate(n=Count("pk")):
        counts[int(number)][places.get(code, len(places))] += n
    bars = tuple(
        Bar(top * i / BINS, top * (i + 1) / BINS, sum(row), tuple(row))
        for i, row in enumerate(counts)
    )
    return Distribution(measure, top, bars, rows.filter(measured=None).count(), _distinct(rows))


def _values(machine, rules, measure, label):
    """The suggestions with `measured` to be binned, and the largest value it can take."""
    rows = machine.suggestions.all()
    if machine.project.task.multiple:
        if label:
            probability = Cast(KeyTextTransform(label, "probabilities"), FloatField())
            return rows.annotate(measured=probability), 1.0
    elif label:
        rows = rows.filter(code=label)
    top = 1.0
    if measure == "entropy":
        top = math.log(2 if machine.project.task.multiple else max(len(rules.slugs), 2))
    return rows.annotate(measured=F(measure)), top


def stated_values(machine):
    """How often the machine states each confidence; nothing where there are many values."""
    return _distinct(machine.suggestions.annotate(measured=F("confidence")))


def _distinct(rows, most=14):
    """Stated confidences pile up on few values; then the counts by value say more than bins."""
    found = (
        rows.exclude(measured=None)
        .values_list("measured")
        .annotate(n=Count("pk"))
        .order_by("measured")
    )
    values = [(value, n) for value, n in found[: most + 1]]
    return tuple(values) if len(values) <= most else ()


def label_rows(machine):
    """One row a label of the machine's edition, also those that it never gave."""
    rules = machine.codebook.rules()
    if machine.project.task.multiple:
        return tuple(_multiple_row(machine, label) for label in rules.labels)
    given = machine.suggestions.values("code").annotate(n=Count("pk"), mean=Avg("confidence"))
    found = {row["code"]: (row["n"], row["mean"]) for row in given}
    return tuple(
        LabelRow(label.slug, label.name, *found.get(label.slug, (0, None)))
        for label in rules.labels
    )


def _multiple_row(machine, label):
    probability = Cast(KeyTextTransform(label.slug, "probabilities"), FloatField())
    row = machine.suggestions.annotate(p=probability).aggregate(
        n=Count("pk", filter=Q(p__gte=0.5)), mean=Avg("p", filter=Q(p__gte=0.5))
    )
    return LabelRow(label.slug, label.name, row["n"], row["mean"])


def behind(machine, measure, low, high, label=""):
    """The suggestions behind a bar, the least sure first."""
    rows, top = _values(machine, machine.codebook.rules(), measure, label)
    upper = Q(measured__lte=high) if high >= top - 1e-9 else Q(measured__lt=high - 1e-12)
    rows = rows.filter(upper, measured__gte=low - 1e-12).select_related("sample")
    return rows.order_by("-measured" if measure == "entropy" else "measured", "pk")


def machines_of(project):
    """The machine annotators of a project with how much each has labelled."""
    rows = project.machines.select_related("codebook").order_by("-pk")
    return rows.annotate(
        labelled=Count("suggestions"), mean_confidence=Avg("suggestions__confidence")
    )
