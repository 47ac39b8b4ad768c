"""What the planner says in sentences: where its chances come from, and what it cannot know."""

from typing import Any

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from annotation import arrays_forecast as arrays
from annotation.models import Forecast, Project, Round
from annotation.reports.certificate_words import number
from annotation.reports.overview import Step
from annotation.reports.planner import Plan, Reach, Row, Since, Wish
from annotation.reports.words import per_cent
from synthlab.science.forecast import LEAST_CHECKED
from synthlab.science.forecast_lines import CALIBRATED, LEARNED, LOT, RAW
from synthlab.science.learning.errors import FEWEST_ANSWERS
from synthlab.science.selection import STRATEGIES

PILOT = 40  # answers with which learning can be judged apart


def short(strategy: str) -> str:
    """The name of a strategy without what it is good for."""
    return STRATEGIES[strategy].label.split(":")[0].split(" between ")[0]


def named(strategies: tuple[str, ...], kind: str) -> str:
    """Strategies that share a line; those that only fix errors by luck are left to `by_luck`."""
    if kind == LOT:
        by_chance = [short(name) for name in strategies if STRATEGIES[name].by_chance]
        return _("By lot: %(names)s") % {"names": ", ".join(by_chance)}
    return " = ".join(short(name) for name in strategies)


def lines_named(result: dict[str, Any]) -> list[str]:
    return [named(tuple(line["strategies"]), line["kind"]) for line in result["lines"]]


def by_luck(result: dict[str, Any]) -> str:
    """The strategies that share the line of the lot though they do not draw by lot."""
    names = [n for line in result["lines"] if line["kind"] == LOT for n in line["strategies"]]
    return ", ".join(short(name) for name in names if not STRATEGIES[name].by_chance)


# By where the chances of errors come from, and whether anything better than the doubt itself won.
BASIS = {
    (LEARNED, True): gettext_lazy(
        "Chances of errors: the machine’s own doubt, fitted to what people said of %(n)s samples."
        " Learning from texts and probabilities did not predict held-out answers better."
    ),
    (LEARNED, False): gettext_lazy(
        "Chances of errors are learnt from people’s labels of %(n)s samples; each is predicted"
        " without its own answer."
    ),
    (CALIBRATED, True): gettext_lazy(
        "Chances of errors: the machine’s confidence as stated. What people said of %(n)s samples"
        " suggests no better map."
    ),
    (CALIBRATED, False): gettext_lazy(
        "Chances of errors: the machine’s confidence, corrected by what people said of %(n)s"
        " samples (map: %(fitted)s)."
    ),
    (RAW, False): gettext_lazy("Chances of errors: one less the machine’s confidence, as stated."),
}


def basis(result: dict[str, Any]) -> str:
    """Where the chances of errors come from."""
    numbers = {"n": number(result["counts"]["labelled"]), "fitted": result["fitted"]}
    return str(BASIS[result["source"], result["fitted"] == "raw"]) % numbers


def warnings(result: dict[str, Any]) -> list[str]:
    """What keeps the forecast from being trusted, each in a sentence."""
    counts, found = result["counts"], []
    if result["source"] == RAW:
        if counts["labelled"]:
            found.append(_few(counts["labelled"]))
        else:
            found.append(_("These confidences are unchecked: nobody has answered yet."))
    if counts["by_lot"] < LEAST_CHECKED:
        found.append(
            _(
                "No band can be given: it takes at least %(n)d blind answers to samples drawn by"
                " lot that the machine has labelled."
            )
            % {"n": LEAST_CHECKED}
        )
    if counts["confidences"] == 1 and result["source"] != LEARNED:
        found.append(
            _(
                "The machine states the same confidence everywhere: by its doubt no sample comes"
                " before another, so those lines are that of the lot."
            )
        )
    return found


def _few(n: int) -> str:
    text = ngettext(
        "People have labelled %(n)s sample: too few to check these confidences. It takes"
        " %(fewest)d.",
        "People have labelled %(n)s samples: too few to check these confidences. It takes"
        " %(fewest)d.",
        n,
    )
    return text % {"n": number(n), "fewest": FEWEST_ANSWERS}


def remarks(result: dict[str, Any]) -> list[str]:
    """How the numbers were come by, where that is not plain."""
    counts, found = result["counts"], []
    if n := counts["silent"]:
        text = ngettext(
            "%(n)s sample has no label of this machine: it counts as wrong until people label it.",
            "%(n)s samples have no label of this machine: they count as wrong until people label"
            " them.",
            n,
        )
        found.append(text % {"n": number(n)})
    if n := result["unstated"]:
        text = ngettext(
            "%(n)s label has no stated confidence: its chance of an error is taken to be the mean"
            " of the others, and it comes first in a draw by doubt.",
            "%(n)s labels have no stated confidence: their chance of an error is taken to be the"
            " mean of the others, and they come first in a draw by doubt.",
            n,
        )
        found.append(text % {"n": number(n)})
    if n := counts["waiting"]:
        text = ngettext(
            "%(n)s sample was drawn and has no settled label of people yet. A new round does not"
            " draw it; here it keeps the machine’s label.",
            "%(n)s samples were drawn and have no settled label of people yet. A new round does not"
            " draw them; here they keep the machine’s label.",
            n,
        )
        found.append(text % {"n": number(n)})
    if counts["rows"] < counts["samples"]:
        text = _("Worked out from %(rows)s of the %(n)s samples, taken by lot.")
        found.append(text % {"rows": number(counts["rows"]), "n": number(counts["samples"])})
    if "co_annotating" in result["left_out"]:
        found.append(
            _("CoAnnotating has a line for machines that were asked in several ways: this was not.")
        )
    if "student_disagreement" in result["left_out"]:
        found.append(
            _(
                "Student disagreement reads the texts: it has a line once people have labelled"
                " %(n)d samples, one label a sample."
            )
            % {"n": FEWEST_ANSWERS}
        )
    return found


def stale(new: Since) -> str:
    """What came after the forecast; "" where nothing did."""
    kinds = (
        (new.answers, ngettext("%(n)s answer", "%(n)s answers", new.answers)),
        (new.settled, ngettext("%(n)s settlement", "%(n)s settlements", new.settled)),
        (new.samples, ngettext("%(n)s sample", "%(n)s samples", new.samples)),
        (
            new.suggestions,
            ngettext("%(n)s label of the machine", "%(n)s labels of the machine", new.suggestions),
        ),
        (new.rounds, ngettext("%(n)s round", "%(n)s rounds", new.rounds)),
    )
    came = [text % {"n": number(n)} for n, text in kinds if n]
    return _("Since then came: %(what)s.") % {"what": ", ".join(came)} if came else ""


def reach(found: Reach) -> str:
    """“about 410 (300 to 520)”."""
    if found.labels is None:
        return _("out of reach")
    if found.labels == 0 and found.latest == 0:
        return _("reached already")
    about = _("about %(n)s") % {"n": number(found.labels)}
    if not found.banded:
        return about
    ends = [_("more than there are") if n is None else number(n) for n in
            (found.soonest, found.latest)]  # fmt: skip
    return _("%(about)s (%(soonest)s to %(latest)s)") % {
        "about": about,
        "soonest": ends[0],
        "latest": ends[1],
    }


def wanted(wish: Wish) -> str:
    """The target, with a digit after the point only where it has one."""
    whole = abs(100 * wish.target - round(100 * wish.target)) < 1e-9
    return per_cent(wish.target, 0 if whole else 1)


def headline(plan: Plan) -> str:
    """The target the other way round: by the best strategy, and by lot."""
    target = wanted(plan.wish)
    best = min(
        (row for row in plan.rows if row.reach.labels is not None),
        key=lambda row: (row.reach.labels, row.kind == LOT),
        default=None,
    )
    if best is None:
        return _("%(target)s right is out of reach by labelling what may still be drawn.") % {
            "target": target
        }
    if best.reach.labels == 0:
        return _("%(target)s right is what the set is expected to have already.") % {
            "target": target
        }
    said = {"target": target, "n": number(best.reach.labels), "name": _name(best)}
    lot = next((row.reach.labels for row in plan.rows if row.kind == LOT), None)
    if best.kind == LOT or lot is None:
        return _("For %(target)s right: about %(n)s more labels, %(name)s.") % said
    text = _("For %(target)s right: about %(n)s more labels, %(name)s; about %(lot)s by lot.")
    return text % {**said, "lot": number(lot)}


def _name(row: Row) -> str:
    if row.kind == LOT:
        return _("by lot")
    return _("by “%(strategy)s”") % {"strategy": short(row.strategies[0])}


def problem(reason: str, project: Project, wish: Wish) -> Step:
    """Why there is no curve, and what leads to one."""
    if reason == arrays.NO_SAMPLES:
        words = _("The pool has no samples: import some, or take them out of dev and test splits.")
        return Step(
            words, _("Import samples"), reverse("annotation:sample_import", args=[project.pk])
        )
    if reason == arrays.NO_SUGGESTIONS:
        words = _("This machine has not labelled any sample of the pool yet.")
        return Step(words, _("Start a label run"), reverse("generation:run_new", args=[project.pk]))
    words = _(
        "This machine does not say how sure it is. What labelling brings can be told once people"
        " have labelled %(n)d samples: draw a pilot by lot."
    ) % {"n": FEWEST_ANSWERS}
    return Step(words, _("Draw a pilot of %(n)d") % {"n": PILOT}, pilot(project, wish))


def pilot(project: Project, wish: Wish) -> str:
    """The form of a round that would check the machine’s confidence."""
    return _round_form(
        project, wish, strategy="uniform", budget=PILOT, audit="", purpose=Round.Purpose.PILOT.value
    )


def design(project: Project, wish: Wish, strategy: str) -> str:
    """The form of the round that somebody thinks of, filled in."""
    return _round_form(
        project,
        wish,
        strategy=strategy,
        budget=wish.budget,
        audit=wish.audit,
        purpose=Round.Purpose.REVIEW.value,
    )


def _round_form(project, wish, **fields):
    fields |= {"machine": wish.machine.pk, "codebook": wish.edition.pk, "overlap": wish.overlap}
    return f"{reverse('annotation:round_new', args=[project.pk])}?{urlencode(fields)}"


def waits(forecast: Forecast) -> bool:
    return forecast.state in (Forecast.State.WAITING, Forecast.State.WORKING)
