"""Settling disagreements, one sample at a time: /rounds/<id>/adjudicate/."""

import random
import string
from functools import partial

from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from annotation.access import ADJUDICATOR, MANAGER, admits, id_in, round_for
from annotation.actions.adjudications import SettledMeanwhile, settle, standing, unsettled
from annotation.forms_rounds import AdjudicationForm
from annotation.keyset import counted
from annotation.models import Adjudication, RoundItem

LETTERS = string.ascii_uppercase
SETTLED_SHOWN = 20


@admits(MANAGER, ADJUDICATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def adjudicate(request, round_id):
    """The next disagreement, or with ?item= any sample of the round that has an answer."""
    round_ = round_for(request, round_id)
    if request.method == "POST":
        return _record(request, round_)
    if "item" in request.GET:
        return _show(request, round_, _item(round_, request.GET["item"]))
    waiting = unsettled(round_)
    rank = id_in(request.GET.get("after", ""))
    behind = waiting if rank is None else waiting.filter(rank__gt=rank)
    return _show(request, round_, behind.first() or waiting.first())


def _record(request, round_):
    """Settle it; when someone else was faster, answer 409 with what both said."""
    item = _item(round_, request.POST.get("item", ""))
    form = _form(round_, request.POST)
    if not form.is_valid():
        return _show(request, round_, item, form, 422)
    said = form.cleaned_data
    try:
        settle(item, request.user, said["answer"], said["reason"], said["over"])
    except SettledMeanwhile as conflict:
        again = request.POST.copy()
        again["over"] = conflict.by_now.pk
        return _show(request, round_, item, _form(round_, again), 409)
    return redirect(f"{reverse('annotation:adjudicate', args=[round_.pk])}?item={item.pk}")


def _item(round_, pk):
    """An item of this round that somebody has answered; else 404."""
    answered = RoundItem.objects.filter(round=round_, annotations__isnull=False).distinct()
    return get_object_or_404(answered, pk=id_in(pk))


def _form(round_, data=None, **kwargs):
    return AdjudicationForm(round_.project.task, round_.codebook.rules(), data, **kwargs)


def _show(request, round_, item, form=None, status=200):
    words = partial(round_.project.in_words, names=round_.project.label_names())
    waiting, exact = counted(unsettled(round_))
    context = {
        "project": round_.project,
        "section": "rounds",
        "round": round_,
        "item": item,
        "waiting": waiting,
        "exact": exact,
        "recent": _recent(round_, words),
    }
    if item is not None:
        context |= _about(round_, item, words) | _settled(round_, item, words, form, status)
    return render(request, "annotation/adjudicate.html", context, status=status)


def _settled(round_, item, words, form, status):
    """What stands, and a form to settle over it. The suggestion is shown only after that."""
    stands = standing(item)
    if stands is None:
        return {"form": form or _form(round_, initial={"item": item.pk})}
    stands.words = words(stands.value)
    conflict = status == 409
    return {
        "form": form or _form(round_, initial={"item": item.pk, "over": stands.pk}),
        "standing": stands,
        "mine": words(form.cleaned_data["answer"]) if conflict and form.is_valid() else "",
        "conflict": conflict,
        "suggestion": None if conflict else _suggestion(round_, item, words),
    }


def _about(round_, item, words):
    """The answers as A, B, C in an order that the round's seed decides anew for each sample."""
    rules = round_.codebook.rules()
    answers = list(item.annotations.current().select_related("annotator").order_by("pk"))
    random.Random(f"{round_.seed} {item.pk}").shuffle(answers)
    pseudonyms = dict(round_.project.memberships.values_list("user", "pseudonym"))
    chosen = set()
    for place, answer in enumerate(answers):
        answer.letter = LETTERS[place] if place < len(LETTERS) else str(place + 1)
        answer.words = words(answer.value)
        answer.pseudonym = pseudonyms.get(answer.annotator_id, "")
        chosen.update(round_.project.task.slugs(answer.value))
    return {
        "sample": item.sample,
        "answers": answers,
        "rules": [label for label in rules.labels if label.slug in chosen],
        "language": rules.language,
    }


def _suggestion(round_, item, words):
    """What the round's machine said: shown only once the sample is settled."""
    found = item.sample.suggestions.filter(machine=round_.machine).first()
    if found is not None:
        found.words = words(found.value)
    return found


def _recent(round_, words):
    """The last settlements of the round, newest first."""
    settled = Adjudication.objects.filter(round_item__round=round_, superseded_by=None)
    rows = list(settled.select_related("sample").order_by("-pk")[:SETTLED_SHOWN])
    for row in rows:
        row.words = words(row.value)
    return rows
