"""The start page, new projects and the overview of one: /, /projects/new/, /projects/<id>/."""

from django.db.models import F
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from annotation.access import (
    MANAGER,
    MANAGING,
    MEMBER,
    SIGNED_IN,
    admits,
    project_for,
    projects_for,
)
from annotation.actions.projects import create_project
from annotation.forms import ProjectForm
from annotation.models import Round
from annotation.reports import overview as reports


@admits(SIGNED_IN)
@require_safe
def home(request):
    waiting = Round.objects.waiting_for(request.user)
    context = {
        "projects": projects_for(request.user),
        "waiting": waiting.select_related("project").order_by("-pk"),
        "may_create": request.user.may_manage_something(),
    }
    return render(request, "annotation/home.html", context)


@admits(MANAGING)
@require_http_methods(["GET", "HEAD", "POST"])
def create(request):
    form = ProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        project = create_project(created_by=request.user, **form.cleaned_data)
        return redirect("annotation:project", project.pk)
    context = {"form": form}
    return render(
        request, "annotation/project_new.html", context, status=422 if form.errors else 200
    )


@admits(*MEMBER)
@require_safe
def overview(request, project_id):
    """The loop for managers; for others the rounds that wait for them."""
    project = project_for(request, project_id)
    context = {"project": project, "section": "overview"}
    if request.role == MANAGER:
        context["overview"] = reports.overview(project)
        context["measured"] = project.rounds.begun().exists()
    else:
        mine = Round.objects.open().of_annotator(request.user).filter(project=project)
        context["rounds"] = mine.annotate(done_by_me=F("seats__done")).order_by("-pk")
    return render(request, "annotation/project.html", context)
