"""Where a project's vectors come from: /projects/<id>/features/."""

from django.conf import settings
from django.contrib import messages
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from annotation.access import MANAGER, admits, project_for
from generation.access import connections_for
from generation.actions import embeddings
from generation.actions.runs import RunRefused
from generation.forms_features import EmbeddingForm
from generation.reports_vectors import buying, price, source_in_force


@admits(MANAGER)
@require_http_methods(["GET", "HEAD", "POST"])
def features(request, project_id):
    """What the vectors are, and buying others: the price is shown before anything is sent."""
    project = project_for(request, project_id)
    # The stand-in is no language model and has no vectors to sell.
    connections = connections_for(request).filter(stand_in=False).order_by("pk")
    form = EmbeddingForm(request.POST or None, connections=connections)
    if request.method == "POST" and "preview" not in request.POST and form.is_valid():
        try:
            embeddings.start(project, created_by=request.user, **form.cleaned_data)
        except RunRefused as refused:
            form.add_error(None, str(refused))
        else:
            return redirect("generation:features", project.pk)
    return _page(request, project, form)


@admits(MANAGER)
@require_POST
def use_texts(request, project_id):
    """Back to the vectors that are computed from the texts themselves."""
    project = project_for(request, project_id)
    try:
        embeddings.use_texts(project)
    except RunRefused as refused:
        messages.error(request, str(refused))
    return redirect("generation:features", project.pk)


def _page(request, project, form):
    chosen = form.cleaned_data if form.is_bound and form.is_valid() else {}
    connection = chosen.get("connection")
    context = {
        "project": project,
        "section": "machines",
        "form": form,
        "price": price(project, connection, chosen["longest"]) if connection else None,
        "connection": connection,
        "has_samples": project.samples.exists(),
        "source": source_in_force(project),
        "sentences": settings.SENTENCE_MODEL,
        "buying": buying(project),
    }
    refused = request.method == "POST" and form.errors
    status = 422 if refused else 200
    response = render(request, "generation/features.html", context, status=status)
    if request.htmx and context["buying"] and context["buying"].run.is_over:
        response["HX-Refresh"] = "true"  # polled: the rest of the page is another one now
    return response
