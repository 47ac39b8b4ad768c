"""What a certificate says, why there is none, and the next step, in whole sentences."""

from django.urls import reverse
from django.utils.formats import number_format
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from annotation.arrays_codes import Scope
from annotation.models import Round
from annotation.reports import certificate as reports
from annotation.reports import certificate_audits as audits
from annotation.reports.overview import Step
from annotation.reports.scope import alike
from annotation.reports.words import per_cent

LARGE_ENOUGH = 1000  # samples: in a smaller set a pilot costs more labels than it spares
REFUSED = {
    audits.PILOT: gettext_lazy(
        "a pilot: it may have shaped the labels, so it cannot judge them as well"
    ),
    audits.NOT_BLIND: gettext_lazy("people saw the machine’s label before they answered"),
    audits.NOT_BY_LOT: gettext_lazy("no sample was drawn by lot"),
    audits.UNEVEN: gettext_lazy(
        "the samples were not drawn as one uniform lot; the exact rule needs that"
    ),
    audits.FRAME_CHANGED: gettext_lazy(
        "the samples that it was drawn from can no longer be told: what its filter asks about has"
        " changed since"
    ),
    audits.LABELLED_LATER: gettext_lazy(
        "the machine labelled after the draw, so its labels were not fixed before it"
    ),
}
REASONS = {
    reports.NO_MACHINE: gettext_lazy("No machine has labelled anything yet."),
    reports.NO_AUDIT: gettext_lazy(
        "No round of this edition holds a uniform draw that the exact rule can use."
    ),
    reports.TOO_SMALL: gettext_lazy(
        "The audit is too small: even without a single error it could not promise this."
    ),
    reports.WAITING: gettext_lazy(
        "Answers of the audit are missing. Until they come they count as errors."
    ),
    reports.TOO_MANY_ERRORS: gettext_lazy(
        "The audit found errors even among the labels that the machine was surest of. With this"
        " ranking people must label everything, or the promise must be weaker."
    ),
}


def over_all_looks(report: reports.Report) -> str:
    """What is left of the confidence where several audits could have carried the promise."""
    looks, alpha = report.looks, report.asked.alpha
    if looks < 2:
        return ""
    numbers = {
        "looks": number(looks),
        "confidence": per_cent(report.asked.confidence, 1),
        "together": per_cent(max(0.0, 1 - looks * alpha), 1),
        "needed": per_cent(1 - alpha / looks, 1),
    }
    text = _(
        "%(looks)s audits of this machine have answers, and this is the newest of them that is"
        " complete and large enough. By itself its promise holds with %(confidence)s. Whoever"
        " would have stopped at an earlier one, had it been good enough, can claim %(together)s"
        " only; for %(confidence)s over all of them ask each for %(needed)s."
    )
    return text % numbers


def newer_meaning(scope: Scope) -> str:
    """A warning where a later edition has changed what is right."""
    same = {book.pk for book in alike(scope.edition)}
    published = scope.project.codebooks.published().order_by("-number")
    newest = published.first()
    if newest is None or newest.pk in same or newest.number < scope.edition.number:
        return ""
    text = _(
        "Edition %(newest)d has changed the meaning of the rules. This certificate is about labels"
        " by edition %(edition)d: it says nothing about a release that follows the newer one."
    )
    return text % {"newest": newest.number, "edition": scope.edition.number}


def number(n: int) -> str:
    return number_format(n, force_grouping=True)


def next_step(report: reports.Report) -> Step | None:
    """What brings the promise nearer; None where nothing is left to do here."""
    project, promise = report.asked.scope.project, report.promise
    if report.reason == reports.NO_MACHINE:
        words = _("Let a model label every sample first; then draw an audit.")
        return Step(words, _("Start a label run"), reverse("generation:run_new", args=[project.pk]))
    if report.plan is not None:
        return _fresh_audit(report)
    assert report.audit is not None
    assert promise is not None
    if report.audit.waiting:
        n = report.audit.waiting
        words = ngettext(
            "%(n)s sample of the audit still waits for an answer.",
            "%(n)s samples of the audit still wait for an answer.",
            n,
        ) % {"n": number(n)}
        url = reverse("annotation:round", args=[report.audit.round.pk])
        return Step(words, _("See the audit"), url)
    if promise.to_label:
        return _label_the_rest(report, promise)
    words = _("Nothing is left to label: a release with this machine’s labels keeps the promise.")
    return Step(words, _("Export"), reverse("annotation:releases", args=[project.pk]))


def learner(report: reports.Report) -> str:
    """Where a student can learn from what people have answered; "" where there is nothing yet."""
    machine = report.asked.scope.machine
    if machine is None or report.plan is None or not report.plan.taught:
        return ""
    if machine.kind == machine.Kind.STUDENT:
        return ""
    return reverse("annotation:machine", args=[machine.pk]) + "#learn"


def pilot(report: reports.Report) -> Step | None:
    """A small uniform draw for a student to learn from; None where it would not pay or is made.

    Its size is that of the benchmark's automatic certificates: 3 % of the set, 80 to 150 samples.
    """
    machine, plan = report.asked.scope.machine, report.plan
    if machine is None or plan is None or plan.taught or not plan.draw:
        return None
    left = plan.audit.size + plan.unranked
    multiple = report.asked.scope.multiple
    if multiple or machine.kind == machine.Kind.STUDENT or left < LARGE_ENOUGH or _piloted(report):
        return None
    size = min(150, max(80, round(0.03 * left)))
    words = ngettext(
        "Or draw a pilot of %(n)s sample first and let a student learn from it.",
        "Or draw a pilot of %(n)s samples first and let a student learn from it.",
        size,
    ) % {"n": number(size)}
    url = _draw(report, Round.Purpose.PILOT, strategy="uniform", budget=size)
    return Step(words, _("Draw a pilot"), url)


def _piloted(report):
    scope = report.asked.scope
    rounds = scope.project.rounds.written().filter(codebook__in=alike(scope.edition))
    return rounds.filter(purpose=Round.Purpose.PILOT).exists()


def _label_the_rest(report, promise):
    project = report.asked.scope.project
    if not promise.undrawn:
        words = _(
            "All samples that people must label are in rounds already: answer them, offer skipped"
            " ones again, and adjudicate what is disputed."
        )
        return Step(words, _("See the rounds"), reverse("annotation:rounds", args=[project.pk]))
    words = ngettext(
        "People label the sample that is left; then the promise holds.",
        "People label the %(n)s that are left; then the promise holds.",
        promise.to_label,
    ) % {"n": number(promise.to_label)}
    # A promise without a threshold has a plan instead. All digits: the form compares exactly.
    below = f"confidence<{promise.threshold:.17f}".rstrip("0")
    wish = {"strategy": "least_confidence", "budget": below}
    return Step(words, _("Draw them for people"), _draw(report, Round.Purpose.REVIEW, **wish))


def _fresh_audit(report):
    plan, left = report.plan, report.plan.audit.size + report.plan.unranked
    if not left:
        words = _(
            "No sample is left that no round has drawn, so no fresh audit can be drawn: let people"
            " finish the rounds that are open."
        )
        url = reverse("annotation:rounds", args=[report.asked.scope.project.pk])
        return Step(words, _("See the rounds"), url)
    if not plan.audit.size:
        words = _(
            "The machine states no confidence for the samples that are left, so nothing ranks"
            " them: choose another machine, or let people label them."
        )
        return Step(words, _("Draw them for people"), _draw_all(report))
    if plan.audit.reason:
        words = ngettext(
            "An audit would save nothing here: let people label the %(n)s sample that is left.",
            "An audit would save nothing here: let people label the %(n)s samples that are left.",
            left,
        ) % {"n": number(left)}
        return Step(words, _("Draw them for people"), _draw_all(report))
    if not plan.draw:
        words = _(
            "No audit is needed: so few samples are left without a label of people that all of"
            " the machine’s labels might be wrong."
        )
        url = reverse("annotation:releases", args=[report.asked.scope.project.pk])
        return Step(words, _("Export"), url)
    wish = {"strategy": "uniform", "budget": plan.draw}
    return Step(
        _missing(plan.draw, plan.routed),
        _("Draw the audit"),
        _draw(report, Round.Purpose.AUDIT, **wish),
    )


def _draw_all(report):
    return _draw(report, Round.Purpose.REVIEW, strategy="uniform", budget="100%")


def _missing(audit, routed):
    text = ngettext(
        "%(n)s answer is missing: a fresh uniform audit. After it people should have to label"
        " about %(routed)s more.",
        "%(n)s answers are missing: a fresh uniform audit. After it people should have to label"
        " about %(routed)s more.",
        audit,
    )
    return text % {"n": number(audit), "routed": number(routed)}


def _draw(report, purpose, **wish):
    scope = report.asked.scope
    wish |= {"audit": "", "purpose": purpose.value, "codebook": scope.edition.pk}
    if scope.machine:
        wish["machine"] = scope.machine.pk
    return f"{reverse('annotation:round_new', args=[scope.project.pk])}?{urlencode(wish)}"
