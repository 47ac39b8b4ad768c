"""Kept figures as pages show them."""

from dataclasses import dataclass

from django.db.models import Count, Min
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from annotation.models import Estimate, Project, Round
from synthlab.science.figures import Figure

TITLES = {
    "percent": gettext_lazy("Percent agreement"),
    "exact": gettext_lazy("Whole answers equal"),
    "kappa": gettext_lazy("Cohen’s kappa"),
    "fleiss": gettext_lazy("Fleiss’ kappa"),
    "alpha": gettext_lazy("Krippendorff’s alpha"),
    "alpha_ordinal": gettext_lazy("Krippendorff’s alpha, ordinal"),
    "alpha_interval": gettext_lazy("Krippendorff’s alpha, interval"),
    "ac1": gettext_lazy("Gwet’s AC1"),
    "macro_f1": gettext_lazy("Macro F1"),
    "precision": gettext_lazy("Precision"),
    "recall": gettext_lazy("Recall"),
    "f1": gettext_lazy("F1"),
    "prevalence": gettext_lazy("Prevalence"),
}
SHARES = {"percent", "exact", "macro_f1", "precision", "recall", "f1", "prevalence"}
SIDES = {
    "machine": gettext_lazy("People against the machine"),
    "people": gettext_lazy("People against people"),
}


@dataclass(frozen=True)
class Row:
    """One kept figure beside the naive one."""

    side: str
    title: str
    label: str  # the label that it is about; "" for all
    corrected: Figure
    naive: Figure
    share: bool
    hash: str


@dataclass(frozen=True)
class Batch:
    """What one request kept; `first` stands for it."""

    first: Estimate
    figures: int
    headline: Row
    rounds: list[Round]


def batches(project: Project, most: int) -> list[Batch]:
    """The newest first. Three queries."""
    grouped = project.estimates.values("batch").annotate(first=Min("pk"), figures=Count("pk"))
    found = list(grouped.order_by("-first")[:most])
    firsts = Estimate.objects.select_related("codebook", "machine", "created_by")
    by_id = firsts.in_bulk([row["first"] for row in found])
    names = project.label_names()
    named = project.rounds.in_bulk()
    return [
        Batch(
            first := by_id[row["first"]],
            row["figures"],
            _row(first, names),
            [named[pk] for pk in first.inputs["rounds"]],
        )
        for row in found
    ]


def rounds_of(estimate: Estimate) -> list[Round]:
    return list(estimate.project.rounds.filter(pk__in=estimate.inputs["rounds"]).order_by("pk"))


def table(estimate: Estimate) -> list[Row]:
    """Every figure of its batch, in the order in which they were kept."""
    names = estimate.project.label_names()
    batch = Estimate.objects.filter(batch=estimate.batch).order_by("pk")
    return [_row(kept, names) for kept in batch]


def _row(kept, names):
    side, name, *about = kept.figure.split(":", 2)
    return Row(
        side=str(SIDES[side]),
        title=str(TITLES[name]),
        label=names.get(about[0], about[0]) if about else "",
        corrected=_figure(kept.result, kept.method),
        naive=_figure(kept.result["naive"], ""),
        share=name in SHARES,
        hash=kept.result_hash,
    )


def _figure(result, method):
    known = result["low"] is not None
    return Figure(
        value=result["value"],
        n=result["n"],
        interval=(result["low"], result["high"]) if known else None,
        reason=result["reason"],
        n_eff=result["n_eff"],
        method=method,
    )


def compared(found) -> str:
    """What computing the figures again showed, in words; `found` is what `recompute` gave."""
    if found.same:
        return ngettext(
            "Computed again: %(n)d figure is the same, byte for byte.",
            "Computed again: all %(n)d figures are the same, byte for byte.",
            found.figures,
        ) % {"n": found.figures}
    said = ngettext(
        "Computed again, %(changed)d of %(n)d figure differs: %(names)s.",
        "Computed again, %(changed)d of %(n)d figures differ: %(names)s.",
        found.figures,
    ) % {
        "changed": len(found.changed),
        "n": found.figures,
        "names": ", ".join(found.changed[:5]) + (" …" if len(found.changed) > 5 else ""),
    }
    if not found.same_inputs:
        return said + " " + _("What they were computed from is no longer the same.")
    if not found.same_code:
        return said + " " + _("The answers are the same; SynthLab computes them differently now.")
    return said + " " + _("Answers and code are the same: what is stored was changed.")
