"""The only road from an id in a request to a row of this app; see annotation.access."""

from django.http import Http404

from annotation.access import of_project
from generation.models import AllowedHost, Call, Connection, Run


def connections_for(request):
    """Your own connections and the shared ones; a superuser's are all."""
    return Connection.objects.usable_by(request.user)


def connection_for(request, connection_id):
    return _one(connections_for(request), connection_id)


def own_connection(request, connection_id):
    """A connection that the user may change: the one who made it, and superusers."""
    connection = connection_for(request, connection_id)
    if not may_edit(request.user, connection):
        raise Http404
    return connection


def may_edit(user, connection):
    return user.is_superuser or connection.created_by_id == user.pk


def allowed_host_for(request, host_id):
    return _one(AllowedHost.objects.all(), host_id)


def run_for(request, run_id):
    return of_project(request, Run.objects.select_related("connection", "machine"), run_id)


def call_for(request, call_id):
    """A call of a run, if the user has one of the admitted roles in its project."""
    call = _one(Call.objects.exclude(run=None).select_related("connection", "attempt"), call_id)
    call.run = run_for(request, call.run_id)
    return call


def _one(queryset, pk):
    try:
        return queryset.get(pk=pk)
    except queryset.model.DoesNotExist:
        raise Http404 from None
