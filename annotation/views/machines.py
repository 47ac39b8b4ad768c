"""Machine annotators and how sure they are: /projects/<id>/machines/, /machines/<id>/."""

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from annotation.access import MANAGER, admits, machine_for, project_for
from annotation.actions import students
from annotation.reports import charts
from annotation.reports import machines as reports
from annotation.reports.maps_in_force import newest_of
from annotation.reports.students import student_of, students_of

SHOWN = 25


@admits(MANAGER)
@require_safe
def machines(request, project_id):
    project = project_for(request, project_id)
    context = {
        "project": project,
        "section": "machines",
        "machines": reports.machines_of(project),
    }
    return render(request, "annotation/machines.html", context)


@admits(MANAGER)
@require_safe
def machine(request, machine_id):
    """The distribution of one measure, by label, and the samples behind one bar of it."""
    row = machine_for(request, machine_id)
    student = student_of(row)
    if student and request.htmx.target == "student":
        return _polled(request, row, student)
    rules = row.codebook.rules()
    measure, label = (
        _choice(request, "measure", reports.MEASURES),
        _choice(request, "label", ("", *rules.slugs)),
    )
    found = reports.distribution(row, measure, label)
    names = [label_rule.name for label_rule in rules.labels]
    urls = [_bar_url(row, measure, label, bar) for bar in found.bars]
    titles = (_(measure.capitalize()), _("Samples"))
    context = {
        "project": row.project,
        "section": "machines",
        "machine": row,
        "rules": rules,
        "measure": measure,
        "label": label,
        "distribution": found,
        "rows": list(zip(found.bars, urls, strict=True)),
        "chart": charts.histogram(found, names, urls, titles),
        "labels": reports.label_rows(row),
        "map": newest_of(row),
        "student": student,
        "students": students_of(row),
        **_behind(request, row, measure, label),
    }
    return render(request, "annotation/machine.html", context)


def _polled(request, row, student):
    """How far the student is; the whole page once it has said everything."""
    if student.is_done:
        return HttpResponseClientRefresh()
    context = {"project": row.project, "machine": row, "student": student}
    return render(request, "annotation/_student.html", context)


@admits(MANAGER)
@require_POST
def learn(request, machine_id):
    """Let a student learn from people's answers where this machine is wrong."""
    row = machine_for(request, machine_id)
    try:
        student = students.start_student(row)
    except students.CannotLearn as error:
        messages.error(request, str(error))
        return redirect("annotation:machine", row.pk)
    return redirect("annotation:machine", student.pk)


def _choice(request, name, allowed):
    value = request.GET.get(name, allowed[0])
    if value not in allowed:
        raise Http404
    return value


def _bar_url(row, measure, label, bar):
    query = {"measure": measure, "label": label, "low": f"{bar.low:.6f}", "high": f"{bar.high:.6f}"}
    return f"{reverse('annotation:machine', args=[row.pk])}?{urlencode(query)}#behind"


def _behind(request, row, measure, label):
    """The samples of the chosen bar, page by page; nothing without a chosen bar."""
    try:
        low, high = float(request.GET["low"]), float(request.GET["high"])
        page = max(int(request.GET.get("page", 1)), 1)
    except (KeyError, ValueError):
        return {"low": None}
    found = list(
        reports.behind(row, measure, low, high, label)[(page - 1) * SHOWN : page * SHOWN + 1]
    )
    return {
        "low": low,
        "high": high,
        "behind": found[:SHOWN],
        "page": page,
        "next_page": page + 1 if len(found) > SHOWN else None,
    }
