"""Exports of a project: /projects/<id>/releases/, /releases/<id>/ and its file."""

from django.http import FileResponse, Http404, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods
from django_htmx.http import HttpResponseStopPolling

from annotation.access import MANAGER, admits, project_for, release_for
from annotation.actions.releases import download_name, file_of, request_release
from annotation.exports.wanted import ExportRefused
from annotation.forms_releases import ReleaseForm
from annotation.models import Release
from annotation.reports.releases import contents

SHOWN = 50


@admits(MANAGER)
@require_http_methods(["GET", "HEAD", "POST"])
def project_releases(request, project_id):
    project = project_for(request, project_id)
    form = ReleaseForm(project, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            release = request_release(project, form.wanted(), request.user)
        except ExportRefused as refused:
            form.add_error("format", str(refused))
        else:
            return redirect("annotation:release", release.pk)
    return _releases_page(request, project, form)


def _releases_page(request, project, form):
    releases = list(project.releases.select_related("created_by").order_by("-pk")[:SHOWN])
    context = {
        "project": project,
        "section": "releases",
        "form": form,
        "releases": releases,
        "shown": SHOWN,
        "waiting": not all(release.is_over for release in releases),
    }
    status = 422 if form.errors else 200
    return render(request, "annotation/releases.html", context, status=status)


@admits(MANAGER)
@require_GET
def show(request, release_id):
    """The page, which asks again every two seconds until the file is there."""
    release = release_for(request, release_id)
    context = {"project": release.project, "section": "releases", "release": release}
    context["contents"] = contents(release)
    if not request.htmx:
        return render(request, "annotation/release.html", context)
    response = render(request, "annotation/_release.html", context)
    return HttpResponseStopPolling(response.content) if release.is_over else response


@admits(MANAGER)
@require_GET
def download(request, release_id):
    release = _finished(request, release_id)
    file = file_of(release).open("rb")
    name = download_name(release)
    # Never shown by the browser, whatever it holds; not packed on the way, so that its length is
    # known and the browser can say how much is left.
    kind = {"content_type": "application/octet-stream", "headers": {"Content-Encoding": "identity"}}
    return FileResponse(file, as_attachment=True, filename=name, **kind)


@admits(MANAGER)
@require_GET
def manifest(request, release_id):
    release = _finished(request, release_id)
    response = JsonResponse(
        release.manifest, json_dumps_params={"ensure_ascii": False, "indent": 2}
    )
    name = f"{download_name(release)}.manifest.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _finished(request, release_id):
    release = release_for(request, release_id)
    if release.state != Release.State.DONE:
        raise Http404
    return release
