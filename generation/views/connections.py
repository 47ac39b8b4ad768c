"""How models are reached: /connections/, /connections/<id>/, and the list of allowed hosts."""

from django.conf import settings
from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation.access import MANAGING, SUPERUSER, admits
from generation import access
from generation.actions import connections as actions
from generation.forms import ConnectionForm, HostForm, ProbeForm
from generation.llm.base import LLMError
from generation.models import AllowedHost, Connection


@admits(MANAGING)
@require_safe
def connections(request):
    return _list(request, HostForm())


def _list(request, host_form, status=200):
    context = {
        "connections": access.connections_for(request).order_by("name"),
        "hosts": AllowedHost.objects.order_by("host", "port"),
        "settings_hosts": settings.MODEL_HOSTS,
        "host_form": host_form,
    }
    return render(request, "generation/connections.html", context, status=status)


@admits(MANAGING)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request):
    form = ConnectionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.instance.created_by = request.user
        return _saved(request, form)
    return _form(request, form)


@admits(MANAGING)
@require_http_methods(["GET", "HEAD", "POST"])
def connection(request, connection_id):
    """The connection; its form for those who may change it."""
    row = access.connection_for(request, connection_id)
    if not access.may_edit(request.user, row):
        return _form(request, None, row)
    if request.method == "POST":
        row = access.own_connection(request, connection_id)
    form = ConnectionForm(request.POST or None, instance=row)
    if request.method == "POST" and form.is_valid():
        return _saved(request, form)
    # A form that was refused has written on the row that it was given.
    return _form(request, form, Connection.objects.get(pk=row.pk))


def _saved(request, form):
    if actions.save(form.instance, form.cleaned_data["key"]):
        messages.warning(
            request, _("The stored key was cleared, because it belonged to another address.")
        )
    messages.success(request, _("Saved. Test and probe the connection before you use it."))
    return redirect("generation:connection", form.instance.pk)


def _form(request, form, row=None, probe_form=None):
    refused = bool((form and form.errors) or (probe_form and probe_form.errors))
    context = {
        "connection": row,
        "form": form,
        "probe_form": probe_form or ProbeForm(),
        "blocked": actions.refusal(row.base_url) if row else "",
        "calls": row.calls.defer("request", "reply").order_by("-pk")[:10] if row else (),
    }
    template = "generation/connection.html" if row else "generation/connection_new.html"
    return render(request, template, context, status=422 if refused else 200)


@admits(MANAGING)
@require_POST
def probe(request, connection_id):
    """Ask the model a few small questions, with the user's consent."""
    row = access.own_connection(request, connection_id)
    form = ProbeForm(request.POST)
    if not form.is_valid():
        return _form(request, ConnectionForm(instance=row), row, form)
    try:
        found = actions.run_probe(row)
    except LLMError as error:
        messages.error(request, str(error))
        return redirect("generation:connection", row.pk)
    if found.error is not None:
        messages.error(request, str(found.error))
    else:
        messages.success(request, _("Probed. What was found is shown below."))
    return redirect("generation:connection", row.pk)


@admits(SUPERUSER)
@require_POST
def allow_host(request):
    form = HostForm(request.POST)
    if not form.is_valid():
        return _list(request, form, status=422)
    actions.allow_host(form.cleaned_data["host"], request.user)
    messages.success(request, _("Connections may reach it now."))
    return redirect("generation:connections")


@admits(SUPERUSER)
@require_POST
def forbid_host(request, host_id):
    access.allowed_host_for(request, host_id).delete()
    messages.success(request, _("Connections may not reach it any more."))
    return redirect("generation:connections")
