"""The annotator's page, one sample at a time: /rounds/<id>/review/ and POST /assignments/<id>/."""

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import now
from django.views.decorators.http import require_POST, require_safe

from annotation.access import MEMBER, admits, id_in, own_annotation, own_assignment, own_seat
from annotation.actions import claims
from annotation.actions.review import (
    Conflict,
    NeverHeld,
    last_decision,
    record_answer,
    revise,
)
from annotation.actions.review import skip as skip_seat
from annotation.forms_review import AnswerForm, SkipForm
from annotation.models import Annotation, Assignment
from annotation.views import review_screen as screen


@admits(*MEMBER)
@require_safe
def review(request, round_id):
    """The next sample, or with ?annotation= or ?assignment= one that I dealt with before."""
    place = own_seat(request, round_id)
    again = _opened_again(request, place.round)
    if request.htmx and again:
        return render(request, "annotation/_assignment.html", {"shown": again})
    return _page(request, place, again)


@admits(*MEMBER)
@require_POST
def answer(request, assignment_id):
    assignment = own_assignment(request, assignment_id)
    return _take(request, assignment.round, assignment, record_answer)


@admits(*MEMBER)
@require_POST
def revise_answer(request, annotation_id):
    """Change an answer, or keep it after having seen the model's: a new row either way."""
    annotation = own_annotation(request, annotation_id)
    return _take(request, annotation.round_item.round, annotation, revise)


@admits(*MEMBER)
@require_POST
def skip(request, assignment_id):
    assignment = own_assignment(request, assignment_id)
    form = SkipForm(request.POST)
    if not form.is_valid():
        return _refused(request, assignment.round, form)
    version, reason = form.cleaned_data["version"] or 0, form.cleaned_data["reason"]
    skip_seat(assignment, request.user, version, reason, form.cleaned_data["note"])
    return _reply(request, assignment.round, screen.skipped(assignment.round, assignment))


@admits(*MEMBER)
@require_POST
def undo(request, round_id):
    """Open again what I did last."""
    place = own_seat(request, round_id)
    last = last_decision(place.round, request.user)
    if last is None:
        return HttpResponse(status=204) if request.htmx else redirect("annotation:review", round_id)
    noun = "annotation" if isinstance(last, Annotation) else "assignment"
    page = redirect("annotation:review", round_id)
    page.headers["Location"] += f"?{noun}={last.pk}"
    return page


@admits(*MEMBER)
@require_POST
def heartbeat(request, assignment_id):
    """Keep my leases while the page is visible. 409: others took the sample meanwhile."""
    assignment = own_assignment(request, assignment_id)
    held = claims.extend(assignment.round, request.user)
    return HttpResponse(status=204 if held else 409)


@admits(*MEMBER)
@require_POST
def release(request, assignment_id):
    """Stop for now: give back what I hold."""
    assignment = own_assignment(request, assignment_id)
    claims.release(assignment.round, request.user)
    return redirect("annotation:home")


def _take(request, round_, row, verb):
    rules = screen.rules_of(round_.codebook)
    form = AnswerForm(
        request.POST, task=round_.project.task, rules=rules, codebook_id=round_.codebook_id
    )
    if not form.is_valid():
        return _refused(request, round_, form)
    try:
        annotation = verb(row, request.user, form.answer())
    except NeverHeld:
        raise Http404 from None
    except Conflict as conflict:
        return _conflict(request, round_, conflict)
    return _answered(request, round_, annotation)


def _answered(request, round_, annotation):
    opinion = screen.reveal(round_, annotation) if _reveals(round_, annotation) else None
    decision = screen.decision(round_, annotation, differs=bool(opinion and not opinion.same))
    return _reply(request, round_, decision, opinion, annotation)


def _reveals(round_, annotation):
    return round_.machine_id is not None and (round_.blind or annotation.supersedes_id)


def _reply(request, round_, decision, opinion=None, annotation=None):
    """What comes after a decision: the page anew, or only what the page has not got yet."""
    if not request.htmx:
        page = redirect("annotation:review", round_.pk)
        page.headers["Location"] += f"?after={annotation.pk}" if annotation else ""
        return page
    held = screen.screens(round_, claims.leases(round_, request.user))
    local = request.POST.get("have", "").split()
    context = {
        "round": round_,
        "shown": held[0] if held else None,
        "ahead": held[1] if len(held) > 1 else None,
        "local": local,
        "decision": decision,
        "opinion": opinion,
    }
    return render(request, "annotation/_reply.html", context)


def _page(request, place, again, form=None, status=200):
    round_, user = place.round, request.user
    claims.extend(round_, user)
    held = screen.screens(round_, claims.leases(round_, user))
    shown, *ahead = [again, *held] if again else held or [None]
    rules = screen.rules_of(round_.codebook)
    context = {
        "project": round_.project,
        "section": "rounds",
        "round": round_,
        "place": place,
        "size": screen.size(round_),
        "shown": shown,
        "ahead": ahead[0] if ahead else None,
        "rules": rules,
        "choices": screen.choices(rules, shown.slugs if shown else []),
        "unsure_key": screen.unsure_key(rules),
        "rule_changes": screen.rule_changes(place),
        "decisions": screen.last_decisions(round_, user),
        "opinion": _revealed(request, round_),
        "form": form,
        "now": now(),
        "lease_seconds": settings.LEASE_SECONDS,
        "skip_reasons": Assignment.SkipReason.choices,
    }
    return render(request, "annotation/review.html", context, status=status)


def _revealed(request, round_):
    """What the model said to the answer just given, where the page came without JavaScript."""
    after = id_in(request.GET.get("after", ""))
    mine = Annotation.objects.of_round(round_, request.user).select_related("sample")
    found = mine.filter(pk=after).first()
    return screen.reveal(round_, found) if found and _reveals(round_, found) else None


def _opened_again(request, round_):
    annotation, seat = (id_in(request.GET.get(name, "")) for name in ("annotation", "assignment"))
    mine = Annotation.objects.of_round(round_, request.user).select_related(
        "round_item", "sample", "assignment"
    )
    if annotation is not None:
        found = mine.filter(round_item__annotations=annotation).first()
    elif seat is not None:
        found = mine.filter(assignment=seat).first()
        if found is None:
            return _seat_again(request, round_, seat)
    else:
        return None
    if found is None:
        raise Http404
    return screen.again_screen(round_, found)


def _seat_again(request, round_, pk):
    mine = round_.assignments.filter(annotator=request.user, pk=pk)
    seat = mine.select_related("round_item__sample").first()
    if seat is None:
        raise Http404
    return screen.screens(round_, [seat])[0]


def _refused(request, round_, form):
    if request.htmx:
        return render(request, "annotation/_notice.html", {"form": form}, status=422)
    return _page(request, own_seat(request, round_.pk), None, form, status=422)


def _conflict(request, round_, conflict):
    rules, task = screen.rules_of(round_.codebook), round_.project.task
    sent = task.slugs(conflict.sent.value)
    stored = screen.again_screen(round_, conflict.stored)
    context = {
        "project": round_.project,
        "round": round_,
        "stored": stored,
        "stored_names": screen.names(stored.slugs, rules),
        "sent": conflict.sent,
        "sent_slugs": sent,
        "sent_names": screen.names(sent, rules),
        "conflict": True,
    }
    template = "annotation/_notice.html" if request.htmx else "annotation/review_conflict.html"
    return render(request, template, context, status=409)
