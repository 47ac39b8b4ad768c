"""A split labelled by one edition in the way of another machine: /codebooks/<id>/run/."""

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from annotation.access import MANAGER, admits, codebook_for
from generation import reports, techniques
from generation.access import connections_for
from generation.actions import runs as actions
from generation.forms_lab import EditionRunForm


@admits(MANAGER)
@require_http_methods(["GET", "HEAD", "POST"])
def edition_run(request, codebook_id):
    """What it would cost that a machine labels a split by this edition; then the run."""
    codebook = codebook_for(request, codebook_id)
    if codebook.is_draft:  # machines follow texts that never change
        raise Http404
    data = request.POST if request.method == "POST" else None
    connections = connections_for(request).order_by("pk")
    form = EditionRunForm(codebook.project, connections, request.GET, data)
    if request.method == "POST" and form.is_valid() and (run := _started(request, codebook, form)):
        return redirect("generation:run", run.pk)
    context = {
        "project": codebook.project,
        "section": "lab",
        "codebook": codebook,
        "form": form,
        **_plan(codebook, form),
    }
    return render(request, "generation/edition_run.html", context, status=_status(form))


def _status(form):
    if not form.errors:
        return 200
    return 429 if form.has_error(NON_FIELD_ERRORS, actions.TooManyRuns.code) else 422


def _started(request, codebook, form):
    """The run, or None with the reason on the form."""
    chosen = form.cleaned_data
    try:
        return actions.start_run(
            chosen["connection"],
            _technique(chosen["like"]),
            codebook,
            created_by=request.user,
            sample_filter={"split": chosen["split"]},
            cap_cost=chosen["cap_cost"],
            cap_tokens=chosen["cap_tokens"],
        )[0]
    except (actions.RunRefused, techniques.OptionsError) as error:
        code = getattr(error, "code", actions.RunRefused.code)
        form.add_error(None, ValidationError(str(error), code))
        return None


def _technique(machine):
    return techniques.make(machine.technique, machine.decoding.get("options", {}))


def _plan(codebook, form):
    """The machine that it would be, what it lacks of the split, and the price."""
    like, connection, split = form.choice()
    if like is None or connection is None:
        return {"like": like}
    try:
        technique = _technique(like)
    except techniques.OptionsError as error:
        return {"like": like, "connection": connection, "obstacle": str(error)}
    machine = actions.machine_for(connection, technique, codebook)
    samples = actions.samples_for(codebook.project, machine, {"split": split})
    return {
        "like": like,
        "connection": connection,
        "machine": machine,
        "obstacle": actions.obstacle(connection, technique, codebook),
        "otherwise": _otherwise(machine, like),
        "price": reports.price(samples, None, connection, technique, codebook),
        "split": split,
    }


def _otherwise(machine, like):
    """What would differ beside the rules, in words: then the rules alone explain nothing."""
    words = {
        "options": _("its options"),
        "json_schema": _("whether a JSON schema is sent"),
        "system_role": _("whether a system message is sent"),
        "refused": _("which parameters are left out"),
    }
    found = [
        words.get(name, name)
        for name in sorted({*machine.decoding, *like.decoding})
        if machine.decoding.get(name) != like.decoding.get(name)
    ]
    if machine.technique_version != like.technique_version:
        found.append(_("the version of the technique"))
    return found
