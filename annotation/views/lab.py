"""The codebook lab: /projects/<id>/lab/, trying a draft, comparing machines, asking anew."""

import uuid

from django.contrib import messages
from django.core.paginator import Paginator
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from annotation.access import MANAGER, admits, codebook_for, project_for
from annotation.actions import codebooks, draws, lab, splits, trials
from annotation.actions.relabels import relabel_designs
from annotation.actions.rounds import default_annotators
from annotation.arrays_lab import answered_editions, is_intact, truths
from annotation.forms_lab import PairForm, PowerForm, SplitForm
from annotation.models import Sample
from annotation.reports import lab_page, lab_words
from annotation.reports.lab import compared, rows_of, usual_judge

PAGE = 25


@admits(MANAGER)
@require_safe
def show(request, project_id):
    """Where the lab stands, from the splits to what is stale, each with the next step."""
    return _page(request, project_for(request, project_id))


def _page(request, project, refused: SplitForm | None = None):
    states = lab_page.split_states(project)
    made = [SplitForm(state.name, state.size) for state in states if not state.locked]
    forms = {form.prefix: form for form in [*made, *([refused] if refused else [])]}
    machines = lab_page.machines_of(project)
    power = PowerForm(request.GET)
    context = {
        "project": project,
        "section": "lab",
        "edition": project.edition(),
        "splits": [(state, forms.get(state.name)) for state in states],
        "undrawn": lab_page.undrawn(project),
        "draft": lab_page.draft_state(project),
        "trials": lab_page.trials_of(project),
        "machines": machines,
        "pair": PairForm(project, machines, request.GET) if len(machines) > 1 else None,
        "power": power,
        "powers": lab_words.powers(power, states[0]),
        "looks": lab.looks_at_test(project).select_related("user"),
        "state": lab_page.stale_state(project.edition()),
        "key": uuid.uuid4(),
    }
    return render(request, "annotation/lab.html", context, status=422 if refused else 200)


@admits(MANAGER)
@require_POST
def lock(request, project_id):
    """Draw a split by lot, or keep the one that came, and lock it for ever."""
    project = project_for(request, project_id)
    wanted = next((s for s in splits.SPLITS if f"{s}-split" in request.POST), Sample.Split.DEV)
    came = {state.name: state.size for state in lab_page.split_states(project)}[wanted]
    form = SplitForm(wanted, came, request.POST)
    if form.is_valid():
        chosen = form.cleaned_data
        try:
            row = splits.lock_split(
                project, wanted, chosen.get("size"), chosen.get("seed", 0), request.user
            )
        except splits.CannotLock as error:
            form.add_error(None, str(error))
        else:
            text = _("The %(split)s split is locked with %(n)d samples.")
            messages.success(request, text % {"split": row.split, "n": row.size})
            return redirect("annotation:lab", project.pk)
    return _page(request, project, form)


@admits(MANAGER)
@require_POST
def try_draft(request, codebook_id):
    """Freeze the draft as a trial, then lead to the page that lets a machine follow it."""
    codebook = codebook_for(request, codebook_id)
    try:
        trial = trials.try_draft(codebook, request.user)
    except codebooks.StaleDraft:
        messages.error(request, _("This is no draft any more: it was published or discarded."))
    except trials.CannotTry as error:
        for message in error.messages:
            messages.error(request, message)
    else:
        return redirect("generation:edition_run", trial.pk)
    return redirect("annotation:lab", codebook.project_id)


@admits(MANAGER)
@require_POST
def relabel(request, codebook_id):
    """Ask people anew about exactly the samples with a stale answer."""
    edition = codebook_for(request, codebook_id)
    people, key = default_annotators(edition.project), _key(request)
    try:
        designs = relabel_designs(edition, people, key)
        rounds = [
            draws.draw_round(edition.project, design, request.user, wait=False)
            for design in designs
        ]
    except draws.CannotDraw as error:
        messages.info(request, str(error))
        return redirect("annotation:lab", edition.project_id)
    if not rounds:
        messages.info(request, _("No answer is stale: there is nothing to relabel."))
        return redirect("annotation:lab", edition.project_id)
    n = len(rounds)
    text = ngettext("%(n)d relabel round is drawn.", "%(n)d relabel rounds are drawn.", n)
    messages.success(request, text % {"n": n})
    if n == 1 and rounds[0].state != rounds[0].State.DRAWING:
        return redirect("annotation:round", rounds[0].pk)
    return redirect("annotation:rounds", edition.project_id)


def _key(request):
    try:
        return uuid.UUID(request.POST.get("key", ""))
    except ValueError:
        return None


@admits(MANAGER)
@require_safe
def compare(request, project_id):
    """Two machines on a locked split, side by side. The test split opens by a counted look."""
    project = project_for(request, project_id)
    machines = lab_page.machines_of(project)
    form = PairForm(project, machines, request.GET)
    context = {"project": project, "section": "lab", "machines": machines, "form": form}
    if form.is_valid():
        context |= _compared(request, project, form)
    return render(request, "annotation/lab_compare.html", context)


def _compared(request, project, form):
    """What the page shows of the pair: a comparison, the door to it, or what it lacks."""
    chosen = form.cleaned_data
    pair = (chosen["first"], chosen["second"])
    locked = project.locked_splits.filter(split=chosen["split"]).first()
    answered = answered_editions(locked) if locked else []
    judge = form.judge() or usual_judge(list(pair), answered)
    context = {"pair": pair, "locked": locked, "judge": judge}
    if locked is None or judge is None:
        return context
    if not is_intact(locked):
        return context | {"changed": True}
    looks = 1
    if locked.split == Sample.Split.TEST:
        subject, answers = lab.subject_of(pair, judge), sum(lab.answers_to(locked, pair))
        context |= {"looks": lab.looks_at_test(project).count(), "answers": answers}
        if not lab.has_looked(project, subject, answers):
            return context | {"door": True}
        looks = context["looks"]
    found = compared(*pair, truths(judge, locked), looks)
    return context | _shown(request, form, found)


def _shown(request, form, found):
    ids = found.samples(form.kinds(), form.cleaned_data["label"])
    page = Paginator(ids, PAGE).get_page(request.GET.get("page"))
    power = PowerForm(request.GET, found.disagreement)
    return {
        "found": found,
        "words": lab_words.verdict(found),
        "rows": rows_of(found, list(page.object_list)),
        "page": page,
        "power": power,
        "powers": lab_words.power_of(power, found),
        "kept": [(name, request.GET[name]) for name in form.fields if name in request.GET],
    }


@admits(MANAGER)
@require_POST
def look(request, project_id):
    """Somebody looks at the test split: it is counted, and then shown."""
    project = project_for(request, project_id)
    form = PairForm(project, lab_page.machines_of(project), request.POST)
    locked = project.locked_splits.filter(split=Sample.Split.TEST).first()
    if not form.is_valid() or locked is None:
        messages.error(request, _("Lock the test split and choose two machines first."))
        return redirect("annotation:lab", project.pk)
    pair = (form.cleaned_data["first"], form.cleaned_data["second"])
    judge = form.judge() or usual_judge(list(pair), answered_editions(locked))
    where = f"first={pair[0].pk}&second={pair[1].pk}&split=test"
    if judge is not None:
        answers = sum(lab.answers_to(locked, pair))
        lab.take_look(project, lab.subject_of(pair, judge), answers, request.user)
        where += f"&edition={judge.pk}"
    return redirect(f"{reverse('annotation:lab_compare', args=[project.pk])}?{where}")
