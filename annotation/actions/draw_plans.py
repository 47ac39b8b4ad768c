"""What a round would be: its design, and the draw that follows from it, made in memory."""

import uuid
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotation import arrays
from annotation.actions.features import make_features
from annotation.arrays_learning import learns_from_people, lessons
from annotation.arrays_strata import NoStrata
from annotation.arrays_votes import has_votes
from annotation.filters import SampleFilter
from annotation.models import Codebook, MachineAnnotator, Project, Round, Sample, User
from annotation.reports.maps_in_force import InForce, in_force
from synthlab.science.selection import STRATEGIES, mixture
from synthlab.science.selection.budget import budget, read
from synthlab.science.selection.expected_error import ExpectedError
from synthlab.science.selection.options import OptionsError, made
from synthlab.science.selection.stratified import PREDICTED, Stratified
from synthlab.science.selection.trade import Trade, trade

NOTHING = ("", "0", "0%")
LEARNING = ("expected_error", "uncertainty_weighted")  # go by what people's answers so far teach
STUDENTS = ("student_disagreement",)  # compare the machine's labels with a student's
POOL = SampleFilter(split=Sample.Split.POOL, drawn=False)


class CannotDraw(ValueError):
    """The round cannot be drawn as designed; the message says what to change."""


@dataclass(frozen=True)
class Design:
    """What a manager decides about a round. Budget and audit are as people write them: 200, 15%."""

    codebook: Codebook | None
    strategy: str
    budget: str
    seed: int
    options: dict[str, Any] = field(default_factory=dict)  # of the strategy; others at default
    audit: str = ""
    machine: MachineAnnotator | None = None
    which: SampleFilter = POOL
    name: str = ""
    purpose: str = Round.Purpose.REVIEW
    overlap: int = 1
    blind: bool = True
    annotators: tuple[User, ...] = ()
    rerank_every: int = 0  # answers after which open seats are ordered anew; 0: never
    monitor: dict[str, float] | None = None  # as Round.monitor has it; None: judged at its end
    look: bool = False  # a manager looks at what was drawn before people are asked
    key: uuid.UUID | None = None  # a draw that is sent twice is made once


@dataclass(frozen=True)
class Plan:
    """The draw as it would be made now, and what a manager should know before making it."""

    which: SampleFilter  # the design's, with its machine
    frame: arrays.Frame
    samples: int
    audit: int
    seats: int
    drawn: mixture.Mixture | None = None  # None: only the worker draws by this strategy
    trade: Trade | None = None
    notes: list[str] = field(default_factory=list)
    map: InForce | None = None  # by which the trade is reckoned
    learned: dict[str, Any] = field(default_factory=dict)  # from how many answers, and which won

    @property
    def parts(self) -> list[str]:
        """What each drawn sample is filed under: the audit, its stratum, else the strategy."""
        drawn, names = self.drawn, self.frame.strata
        if drawn is None or not names:
            return [] if drawn is None else drawn.part.tolist()
        strata = self.frame.pool.strata[drawn.rows].tolist()
        pairs = zip(drawn.part.tolist(), strata, strict=True)
        return [part if part == mixture.AUDIT else names[stratum] for part, stratum in pairs]


def plan(project: Project, design: Design, *, quick: bool = False) -> Plan:
    """Draw in memory: the same design over the same frame always gives the same samples.

    A `quick` plan leaves the draw itself out where the strategy takes longer than a page may.
    """
    strategy = _strategy(design)
    _check(project, design, strategy)
    which = replace(design.which, machine=design.machine.pk if design.machine else None)
    if which.lacks_machine:
        raise CannotDraw(_("The frame asks what a machine says: choose the machine."))
    frame = arrays.frame(project, which)
    if not frame.pool.size:
        raise CannotDraw(_("No sample is in the frame: widen the filter or import samples."))
    main, audit = _amounts(design, frame)
    notes = [*_notes(project, design, frame, main + audit), *_people_notes(design)]
    if quick and takes_long(project, design, which):
        samples = min(main + audit, frame.pool.size)
        return Plan(which, frame, samples, audit, samples * design.overlap, notes=notes)
    return _drawn(project, design, strategy, Plan(which, frame, main, audit, 0, notes=notes))


def takes_long(project: Project, design: Design, which: SampleFilter) -> bool:
    """Does it need more than the columns that are stored with each suggestion?"""
    if "features" in STRATEGIES[design.strategy].needs:
        return True
    return design.strategy in LEARNING and learns_from_people(project, which)


def _strategy(design):
    """The strategy with its options; raises CannotDraw."""
    if design.strategy not in STRATEGIES:
        raise CannotDraw(_("“%(name)s” is no strategy.") % {"name": design.strategy})
    try:
        return made(STRATEGIES[design.strategy], design.options)
    except OptionsError as error:
        raise CannotDraw(str(error)) from error


def _drawn(project, design, strategy, planned):
    if takes_long(project, design, planned.which):
        make_features(project)
    try:
        frame = arrays.with_signals(planned.frame, project, planned.which, strategy)
    except NoStrata as error:
        raise CannotDraw(str(error)) from error
    learned: dict[str, Any] = {}
    if design.strategy in LEARNING and learns_from_people(project, planned.which):
        frame, learned = _with_predicted_errors(design, frame)
    elif design.strategy in STUDENTS:
        frame = _with_labels(design, frame)
    rng = np.random.default_rng(design.seed)
    try:
        drawn = mixture.draw(frame.pool, strategy, planned.samples, planned.audit, rng)
    except ValueError as error:
        raise CannotDraw(str(error)) from error
    chances = in_force(design.machine, design.codebook) if design.machine else None
    bargain = trade(_calibrated(frame.pool, chances), drawn)
    return replace(
        planned,
        map=chances,
        frame=frame,
        samples=bargain.samples,
        audit=bargain.audit,
        seats=bargain.samples * design.overlap,
        drawn=drawn,
        trade=bargain,
        notes=[*planned.notes, *frame.notes],
        learned=learned,
    )


def _calibrated(pool, chances):
    """Confidence as the map in force translates it; the draw itself goes by the stated one."""
    if chances is None or pool.confidence is None:
        return pool
    return replace(pool, confidence=chances.chances(pool.confidence))


def _with_labels(design, frame):
    """The frame with the labels that the machine and people gave."""
    taught = lessons(design.machine, design.codebook, frame.samples)
    mine = taught.pool.take(taught.rows_of(frame.samples))
    pool = replace(frame.pool, answers=mine.answers, known=mine.known)
    return replace(frame, pool=pool)


def _with_predicted_errors(design, frame):
    """The frame with the chance that the machine is wrong, learned from people's answers so far,
    and what a reader must know to compute it again."""
    error, known, learned = predicted_errors(
        design.machine, design.codebook, design.seed, frame.samples
    )
    return replace(frame, pool=replace(frame.pool, error=error, known=known)), learned


def predicted_errors(machine, codebook, seed, samples):
    """For each sample (ids, ascending) the chance that the machine is wrong and what people said
    (-1: nothing yet), and from what that was learned. Vectors must have been made before."""
    taught = lessons(machine, codebook, samples)
    student = ExpectedError(correct=False).predict(taught.pool, np.random.default_rng(seed))
    rows = taught.rows_of(samples)
    learned = {
        "answers": taught.answered,
        "newest_answer": taught.newest_answer,
        "scores": student.scores,
    }
    return student.error[rows], taught.pool.known[rows], learned


def _check(project, design, strategy):
    if design.codebook is None or not design.codebook.is_published:
        raise CannotDraw(_("Publish the codebook first: people need its rules to answer."))
    if design.seed < 0:
        raise CannotDraw(_("A seed is a whole number, not below 0."))
    if design.monitor:
        _check_monitor(design, strategy)
    if design.rerank_every and (project.task.multiple or design.machine is None):
        raise CannotDraw(
            _("Ordering anew learns from a machine's labels, in projects with one label a sample.")
        )
    if design.strategy in STUDENTS and project.task.multiple:
        raise CannotDraw(_("This strategy is for projects in which a sample has one label."))
    if _asks_a_machine(strategy):
        if design.machine is None:
            raise CannotDraw(_("This strategy needs a machine: start a label run first."))
        if not design.machine.suggestions.exists():
            raise CannotDraw(_("This machine has not labelled anything yet: start a label run."))
        if "votes" in strategy.needs and not has_votes(design.machine):
            raise CannotDraw(
                _(
                    "This machine was asked in one way only: let one label by the technique"
                    " “Prompts” first, which asks in several."
                )
            )


def _asks_a_machine(strategy):
    if isinstance(strategy, Stratified):
        return strategy.by == PREDICTED
    return bool({"probabilities", "votes"} & set(strategy.needs))


def _check_monitor(design, strategy):
    if not all(0 < design.monitor[name] < 1 for name in ("target", "alpha")):
        raise CannotDraw(_("The target and the risk of a monitor lie between 0 and 1."))
    if design.machine is None:
        raise CannotDraw(_("A monitor judges a machine: choose which one."))
    if not design.blind:
        raise CannotDraw(_("A monitor needs blind answers: others measure nothing."))
    if strategy.by_chance and design.strategy != "uniform":
        raise CannotDraw(
            _(
                "A monitor needs samples drawn with equal chances: take the uniform strategy, or"
                " one that chooses, with an audit part."
            )
        )


def _amounts(design, frame):
    """How many samples the strategy takes and how many the audit takes."""
    try:
        audit = 0 if design.audit.strip() in NOTHING else _audit(design.audit, frame)
        main = (
            0 if audit and design.budget.strip() in NOTHING else budget(design.budget, frame.pool)
        )
    except ValueError as error:
        raise CannotDraw(str(error)) from error
    if main + audit == 0:
        raise CannotDraw(_("This budget draws no sample: every sample is above the threshold."))
    return main, audit


def _audit(wish, frame):
    if "confidence_below" in read(wish.strip()):
        raise CannotDraw(_("The audit part is drawn by lot: give it in samples or per cent."))
    return budget(wish.strip(), frame.pool)


def _notes(project, design, frame, wanted):
    size = frame.pool.size
    stated = [read(wish.strip()) for wish in (design.budget, design.audit) if wish.strip()]
    if max(wanted, sum(wish.get("samples", 0) for wish in stated)) > size:
        yield ngettext(
            "The frame holds %(n)d sample: all of it is drawn.",
            "The frame holds %(n)d samples: all of them are drawn.",
            size,
        ) % {"n": size}
    if design.monitor and design.strategy != "uniform" and design.audit.strip() in NOTHING:
        yield _("Nothing is drawn by lot, so that the monitor has no answers. Add an audit part.")
    if design.machine and design.machine.codebook_id != design.codebook.pk:
        yield _("The machine followed another edition of the codebook than this round will.")
    if frame.pool.confidence is not None and design.strategy != "uniform":
        unknown = int(np.isnan(frame.pool.confidence).sum())
        if unknown:
            yield ngettext(
                "%(n)d sample of the frame has no stated confidence and comes first.",
                "%(n)d samples of the frame have no stated confidence and come first.",
                unknown,
            ) % {"n": unknown}


def _people_notes(design):
    people = len(design.annotators)
    if not people:
        yield _("Nobody is asked to work in it yet: add annotators on its page.")
    elif people < design.overlap:
        yield ngettext(
            "Each sample asks for %(overlap)d answers, but %(people)d person is asked: add more.",
            "Each sample asks for %(overlap)d answers, but %(people)d people are asked: add more.",
            people,
        ) % {"overlap": design.overlap, "people": people}
