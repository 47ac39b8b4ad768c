"""What the codebook lab says, in whole sentences."""

from dataclasses import dataclass

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from annotation.models import LockedSplit
from annotation.reports.lab import (
    ALPHA,
    BROKEN,
    FIXED,
    WANTED,
    Comparison,
    chance_to_see,
    doubtful,
    power,
)
from annotation.reports.words import REASONS, drawn_by, per_cent
from synthlab.science import comparison
from synthlab.science.comparison import Power
from synthlab.science.figures import Figure

MINUS = "\N{MINUS SIGN}"
SIZES = (50, 100, 150, 200, 300, 400, 600, 1000)
WHY_NOT = {
    **REASONS,
    comparison.ALWAYS_ALIKE: gettext_lazy("both were right and wrong on the same samples"),
    comparison.UNEQUAL_CHANCES: gettext_lazy(
        "the samples had unequal chances of being drawn; the interval decides"
    ),
    comparison.NO_DIFFERENCE: gettext_lazy("there is no difference to find"),
    comparison.IMPOSSIBLE_DIFFERENCE: gettext_lazy(
        "a gain cannot be larger than the share of samples on which only one is right"
    ),
    comparison.TOO_SMALL_TO_FIND: gettext_lazy("even a million samples would not be enough"),
}


@dataclass(frozen=True)
class Verdict:
    """What a comparison says. `difference` is in points with its interval, or why there is none."""

    basis: str
    speaks_for: str
    difference: str
    interval: str
    p: str
    meaning: str
    cautions: tuple[str, ...]


def signed(points: float, digits: int = 1) -> str:
    """+6.7 or −0.4, of a difference of shares; no sign before nothing."""
    value = round(100 * points, digits)
    sign = "+" if value > 0 else MINUS if value < 0 else ""
    return sign + number_format(abs(value), digits)


def p_value(p: float) -> str:
    return _("below 0.0001") if p < 0.0001 else number_format(round(p, 4), 4)


def verdict(found: Comparison) -> Verdict:
    paired = found.paired
    figure, test = paired.difference, paired.test
    said = WHY_NOT.get(test.reason, test.reason) if test.p is None else p_value(test.p)
    return Verdict(
        basis=basis(found),
        speaks_for=speaks_for(found.truths.locked),
        difference="" if figure.value is None else signed(figure.value),
        interval=_interval(figure, paired.level),
        p=str(said),
        meaning=_meaning(found),
        cautions=tuple(_cautions(found)),
    )


def _interval(figure: Figure, level: float) -> str:
    if figure.value is None or figure.interval is None:
        return str(WHY_NOT.get(figure.reason, figure.reason))
    low, high = (signed(end) for end in figure.interval)
    digits = 0 if abs(100 * level - round(100 * level)) < 1e-9 else 2
    return _("%(share)s interval: %(low)s to %(high)s points") % {
        "share": per_cent(1 - level, digits),
        "low": low,
        "high": high,
    }


def basis(found: Comparison) -> str:
    """“from 120 answers of the dev split (round “Dev”)”."""
    n = int(found.measuring.sum())
    text = ngettext(
        "from %(n)s answered sample of the %(split)s split (%(rounds)s)",
        "from %(n)s answered samples of the %(split)s split (%(rounds)s)",
        n,
    )
    rounds = drawn_by(list(found.truths.rounds))
    return text % {"n": _n(n), "split": found.truths.locked.split, "rounds": rounds}


def speaks_for(locked: LockedSplit) -> str:
    if locked.by_lot:
        text = _("The split was drawn by lot from %(n)s samples that no round had drawn by then.")
        return text % {"n": _n(locked.drawn["frame"]["size"])}
    return _(
        "The split came with its file: the figures hold for samples like these. Whether the pool"
        " is like them, no lot has said."
    )


def _meaning(found):
    paired, counts = found.paired, found.counts
    if paired.difference.value is None:
        return _("Nothing can be said yet.")
    numbers = {"fixed": _n(counts[FIXED]), "broken": _n(counts[BROKEN])}
    said = _(
        "The second machine is right on %(fixed)s samples that the first got wrong, and wrong"
        " on %(broken)s that the first got right."
    )
    level = {"level": number_format(round(paired.level, 4), 4).rstrip("0")}
    if paired.better is None:
        said += " " + _("So small a difference may be chance (held against %(level)s).")
        return said % (numbers | level)
    if paired.better:
        said += " " + _("Chance alone hardly makes such a gain (held against %(level)s).")
    else:
        said += " " + _("Chance alone hardly makes such a loss (held against %(level)s).")
    return said % (numbers | level)


def _cautions(found):
    counts, truths = found.counts, found.truths
    if n := int(truths.stale.sum()):
        yield ngettext(
            "%(n)s answer followed a rule that has changed, and counts as missing until someone"
            " answers anew.",
            "%(n)s answers followed a rule that has changed, and count as missing until someone"
            " answers anew.",
            n,
        ) % {"n": _n(n)}
    if waiting := counts["waiting"] - int(truths.stale.sum()):
        yield ngettext(
            "%(n)s sample of the split has no settled answer of people, and is left out.",
            "%(n)s samples of the split have no settled answer of people, and are left out.",
            waiting,
        ) % {"n": _n(waiting)}
    if counts["silent"]:
        yield ngettext(
            "One of the machines has not labelled %(n)s sample: run it on the whole split first.",
            "One of the machines has not labelled %(n)s samples: run it on the whole split first.",
            counts["silent"],
        ) % {"n": _n(counts["silent"])}
    if chosen := found.judged - int(found.measuring.sum()):
        yield ngettext(
            "%(n)s answered sample was chosen, not drawn by lot: it is listed and counted below,"
            " but measures nothing.",
            "%(n)s answered samples were chosen, not drawn by lot: they are listed and counted"
            " below, but measure nothing.",
            chosen,
        ) % {"n": _n(chosen)}
    low, high = found.paired.difference.interval or (0.0, 0.0)
    if found.paired.better is None and (low > 0 or high < 0):
        yield _(
            "The interval leaves out 0, but the exact test does not reach its level. So near the"
            " edge the two may differ; the test decides."
        )
    yield from _other_rules(found)


def _other_rules(found):
    """Machines that followed other rules than those by which people are read."""
    truths = found.truths
    for machine in (found.first, found.second):
        names, answers = doubtful(truths, machine)
        if names and answers:
            text = _(
                "%(machine)s followed other words for %(labels)s than people did (edition %(own)s)."
                " If the meaning changed with them, %(n)s of the answers cannot judge it: publish,"
                " relabel and compare again."
            )
            if machine.codebook.number < truths.scope.edition.number:
                text = _(
                    "%(machine)s followed older rules for %(labels)s: it is judged by what edition"
                    " %(own)s means by them, in %(n)s of the answers."
                )
            yield text % {
                "machine": machine.name,
                "labels": ", ".join(f"“{name}”" for name in names),
                "own": truths.scope.edition.number,
                "n": _n(answers),
            }


@dataclass(frozen=True)
class Powers:
    """What a number of judged samples could show: one sentence, and a table of others."""

    sentence: str
    rows: tuple[tuple[int, float | None], ...] = ()


def powers(form, state) -> Powers | None:
    """Before any comparison: for the samples of the dev split that people have answered."""
    return _powers(form, state.answered, ALPHA)


def power_of(form, found: Comparison) -> Powers | None:
    return _powers(form, int(found.measuring.sum()), found.paired.level)


def _powers(form, n, alpha) -> Powers | None:
    if not form.is_valid():
        return None
    points, apart = form.cleaned_data["points"], form.cleaned_data["apart"] / 100
    now = power(n, points, apart, alpha)
    if now.reason and now.needed is None and now.power is None:
        return Powers(str(WHY_NOT[now.reason]))
    rows = tuple((size, chance_to_see(size, points, apart, alpha)) for size in SIZES)
    return Powers(_power_sentence(now, points), rows)


def _power_sentence(now: Power, points: float) -> str:
    numbers = {
        "n": _n(now.n),
        "points": number_format(int(points) if points == int(points) else points),
        "chance": per_cent(now.power or 0),
        "needed": "" if now.needed is None else _n(now.needed),
        "wanted": per_cent(WANTED),
    }
    said = ngettext(
        "With %(n)s labelled sample a gain of %(points)s points would be seen with chance"
        " %(chance)s",
        "With %(n)s labelled samples a gain of %(points)s points would be seen with chance"
        " %(chance)s",
        now.n,
    )
    if now.needed is None:
        return f"{said % numbers}; {WHY_NOT[now.reason]}."
    if now.n >= now.needed:
        return said % numbers + "."
    return (said + _("; for %(wanted)s label %(needed)s.")) % numbers


def _n(count: int) -> str:
    return number_format(count, force_grouping=True)
