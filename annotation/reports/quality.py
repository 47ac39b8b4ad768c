"""The quality board of a project: few figures, each with its interval and where it comes from."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from annotation.reports import words
from annotation.reports.agreement import Report
from synthlab.science.figures import Figure

OF_THE_MACHINE = ("percent", "kappa", "alpha", "alpha_ordinal")
AMONG_PEOPLE = ("alpha", "alpha_ordinal")


@dataclass(frozen=True)
class Quality:
    """One corrected figure over the whole set, or why there is none yet."""

    title: str
    figure: Figure
    share: bool
    source: str  # which draw it comes from
    missing: str = ""  # what would make it measurable


@dataclass(frozen=True)
class Board:
    machine: str  # "" where no machine was compared
    edition: int
    by_lot: bool  # was anything drawn by lot, so that answers will measure?
    figures: tuple[Quality, ...]


def board(report: Report) -> Board:
    """What the agreement page shows in full; the naive figures stay there, beside these."""
    scope = report.scope
    return Board(
        machine=scope.machine.name if scope.machine else "",
        edition=scope.edition.number,
        by_lot=report.basis.drawn_by_lot > 0,
        figures=(*_of_the_machine(report), *_among_people(report)),
    )


def _of_the_machine(report: Report):
    if report.model is None:
        return
    missing = words.missing(report.basis.drawn_by_lot, report.basis.answered, report.model.by_lot)
    source = words.from_lot(report.model.by_lot, list(report.scope.rounds))
    for row in report.model.rows:
        if row.name in OF_THE_MACHINE:
            title = _("Machine against people: %(measure)s") % {"measure": row.label}
            title = _("Accuracy of the machine") if row.name == "percent" else title
            yield Quality(title, row.corrected, row.share, source, missing)


def _among_people(report: Report):
    source = words.from_lot(report.people.by_lot, list(report.scope.rounds))
    if not report.people.samples:
        return
    for row in report.people.rows:
        if row.name in AMONG_PEOPLE:
            title = _("Among people: %(measure)s") % {"measure": row.label}
            yield Quality(title, row.corrected, row.share, source)
