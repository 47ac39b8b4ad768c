"""Relabel rounds: after a change of meaning, people are asked anew about exactly what is stale."""

import uuid

import numpy as np
from django.utils.translation import gettext as _

from annotation import arrays
from annotation.actions.draw_plans import CannotDraw, Design, Plan
from annotation.arrays_stale import RELABEL, stale_answers
from annotation.filters import SampleFilter
from synthlab.science.selection.base import Pool
from synthlab.science.selection.mixture import Mixture

EVERYTHING = SampleFilter()


def relabel_plan(design: Design) -> Plan:
    """All samples with a stale answer that were asked of as many people as the design says, and
    that nobody is being asked about anew. Chosen for certain, so that none has an inclusion."""
    stale = stale_answers(design.codebook)
    samples = stale.samples[stale.due & (stale.overlap == design.overlap)]
    n = len(samples)
    if not n:
        raise CannotDraw(_("No answer is stale any more: there is nothing to relabel."))
    frame = arrays.Frame(samples, Pool(size=n), arrays.hash_of(samples))
    nothing = np.full(n, np.nan)
    drawn = Mixture(np.arange(n), nothing, nothing, np.full(n, RELABEL, dtype=object))
    return Plan(EVERYTHING, frame, n, 0, n * design.overlap, drawn=drawn)


def relabel_designs(edition, annotators=(), key: uuid.UUID | None = None) -> list[Design]:
    """A round for each number of people that stale samples were asked of; none: nothing is due.

    Raises CannotDraw for what is not the newest edition: nobody should answer by old rules.
    """
    if edition != edition.project.edition():
        raise CannotDraw(_("A newer edition is in force: relabel by that one."))
    stale = stale_answers(edition)
    names = [label.name for label in stale.labels]
    return [
        Design(
            codebook=edition,
            strategy=RELABEL,
            budget="",
            seed=0,
            options={"labels": names, "former": edition.parent.number},
            which=EVERYTHING,
            name=_("Relabel by edition %(n)d") % {"n": edition.number},
            overlap=int(overlap),
            annotators=tuple(annotators),
            key=uuid.uuid5(key, str(overlap)) if key else None,
        )
        for overlap in np.unique(stale.overlap[stale.due])
    ]
