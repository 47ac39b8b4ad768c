"""Samples: /projects/<id>/samples/, and everything known about one: /samples/<id>/."""

from collections import Counter, defaultdict
from functools import partial

from django.db.models import Exists, OuterRef
from django.db.models.functions import Left
from django.shortcuts import render
from django.views.decorators.http import require_safe

from annotation.access import MANAGER, admits, project_for, sample_for
from annotation.filters import SampleFilter
from annotation.forms_samples import SampleFilterForm
from annotation.keyset import Order, counted, page
from annotation.models import Adjudication, Annotation, Round, Suggestion
from annotation.reports.maps_in_force import newest_for

BY_ID = (("pk", int),)
BY_CONFIDENCE = (("said_confidence", float), ("said_id", int))
EXCERPT = 300


@admits(MANAGER)
@require_safe
def project_samples(request, project_id):
    """The samples that pass the filter, a page at a time, each with what is said about it."""
    project = project_for(request, project_id)
    form = SampleFilterForm(project, _asked(request, project))
    which = form.filter()
    samples, order = _sorted(which.samples(project), which, request.GET.get("sort", ""))
    shown = page(samples, order, request.GET.get("after"), request.GET.get("before"))
    total, exact = counted(samples)
    context = {
        "project": project,
        "section": "samples",
        "form": form,
        "filtered": bool(which.stated().keys() - {"machine"}),
        "machine": form.cleaned_data.get("machine"),
        "by_default": "machine" not in request.GET,
        "page": shown,
        "rows": _rows(shown.rows, which, project),
        "total": total,
        "exact": exact,
        "by_confidence": order.columns == BY_CONFIDENCE,
    }
    return render(request, "annotation/samples.html", context)


def _asked(request, project):
    """The questions of the address; the newest machine that has answered, where it names none."""
    if "machine" in request.GET:
        return request.GET
    said = Suggestion.objects.filter(machine=OuterRef("pk"))
    newest = project.machines.standing().asked().filter(Exists(said)).order_by("-pk")
    asked = request.GET.copy()
    asked["machine"] = newest.values_list("pk", flat=True).first() or ""
    return asked


def _sorted(samples, which: SampleFilter, wish):
    """The samples ready to be paged. By confidence there are only those that have one."""
    samples = samples.defer("text", "fields", "meta").annotate(excerpt=Left("text", EXCERPT))
    if which.machine is not None and wish.lstrip("-") == "confidence":
        # Not `isnull=False`, which says the same: a bound leads SQLite to the sorted index.
        stated = samples.filter(said_confidence__gte=0)
        return stated, Order(BY_CONFIDENCE, descending=wish.startswith("-"))
    return samples, Order(BY_ID, descending=wish == "-pk")


def _rows(samples, which, project):
    """Each sample beside what the machine, people and adjudicators say about it."""
    words = partial(project.in_words, names=project.label_names())
    said = Suggestion.objects.filter(machine=which.machine, sample__in=samples)
    predicted = dict(said.values_list("sample", "value"))
    current = Annotation.objects.current().filter(sample__in=samples)
    answers = defaultdict(Counter)
    for sample, value in current.values_list("sample", "value"):
        answers[sample][words(value)] += 1
    last = Adjudication.objects.filter(sample__in=samples, superseded_by=None).order_by("pk")
    settled = dict(last.values_list("sample", "value"))
    return [
        {
            "sample": sample,
            "predicted": words(predicted.get(sample.pk)),
            "answers": sorted(answers[sample.pk].items()),
            "settled": words(settled.get(sample.pk)),
            "reference": words(sample.reference),
        }
        for sample in samples
    ]


@admits(MANAGER)
@require_safe
def show(request, sample_id):
    """Everything known about one sample, with the names of the people behind the answers."""
    sample = sample_for(request, sample_id)
    project = sample.project
    words = partial(project.in_words, names=project.label_names())
    pseudonyms = dict(project.memberships.values_list("user", "pseudonym"))
    context = {
        "project": project,
        "section": "samples",
        "sample": sample,
        "reference": words(sample.reference),
        "suggestions": _suggestions(sample, words),
        "annotations": _answers(sample.annotations, "annotator", words, pseudonyms),
        "adjudications": _answers(sample.adjudications, "adjudicator", words, pseudonyms),
        "items": _items(sample),
    }
    return render(request, "annotation/sample.html", context)


def _suggestions(sample, words):
    """What each machine said, its labels from the likeliest down."""
    found = list(sample.suggestions.select_related("machine__codebook").order_by("-pk"))
    names = sample.project.label_names()
    maps = newest_for([said.machine_id for said in found])
    for said in found:
        said.words = words(said.value)
        likely = sorted(said.probabilities.items(), key=lambda pair: (-pair[1], pair[0]))
        said.map = maps.get(said.machine_id)
        if said.map and said.confidence is not None:
            said.chance = said.map.chance(said.confidence)
        said.likely = [(names.get(slug, slug), p) for slug, p in likely]
    return found


def _answers(rows, who, words, pseudonyms):
    """What people said, in the order they said it; `current` unless it was superseded."""
    found = list(rows.select_related(who, "codebook", "round_item__round").order_by("pk"))
    replaced = {row.supersedes_id for row in found}
    for row in found:
        person = getattr(row, who)
        row.words, row.who = words(row.value), person.get_username()
        row.pseudonym = pseudonyms.get(person.pk, "")
        row.current = row.pk not in replaced
    return found


def _items(sample):
    items = sample.round_items.exclude(round__state=Round.State.DRAWING)
    return items.select_related("round").order_by("pk")
