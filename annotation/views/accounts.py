"""Signing in, and accepting invitations: /sign-in/, /invitations/<token>/."""

import math

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from annotation.access import ANYONE, MANAGER, admits, project_for
from annotation.actions import accounts
from annotation.forms import AccountForm, InvitationForm
from annotation.models import Invitation

BACKEND = "django.contrib.auth.backends.ModelBackend"


@admits(ANYONE)
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request):
    form = AuthenticationForm(request, request.POST or None)
    username, network = request.POST.get("username", ""), accounts.network_of(request.META)
    if request.method == "POST":
        if wait := math.ceil(accounts.sign_in_wait(username, network)):
            return _sign_in_page(request, AuthenticationForm(request), 429, wait)
        accounts.record_sign_in(username, network)
        if form.is_valid():
            accounts.forget_failed_sign_ins(username)
            login(request, form.get_user())
            return redirect(_safe_next(request))
    return _sign_in_page(request, form, 422 if request.method == "POST" else 200)


def _sign_in_page(request, form, status, wait=0):
    if wait:
        text = ngettext(
            "Too many tries. Wait %(n)d second.", "Too many tries. Wait %(n)d seconds.", wait
        )
        messages.error(request, text % {"n": wait})
    context = {"form": form, "next": _safe_next(request)}
    response = render(request, "registration/login.html", context, status=status)
    if wait:
        response.headers["Retry-After"] = str(wait)
    return response


def _safe_next(request):
    target = request.POST.get("next") or request.GET.get("next") or "/"
    hosts = {request.get_host()}
    safe = url_has_allowed_host_and_scheme(target, hosts, require_https=request.is_secure())
    return target if safe else "/"


@admits(ANYONE)
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request, token):
    """Make an account from the link, or join with the one that is signed in."""
    found = Invitation.objects.for_token(token).select_related("project").first()
    if found is None:
        return render(request, "registration/invitation_used.html", status=410)
    joining = request.user.is_authenticated and found.project is not None
    form = AccountForm(None if joining else request.POST or None)
    if request.method == "POST" and (joining or form.is_valid()):
        return _accept(request, token, request.user if joining else form.save(commit=False))
    first = found.project is None
    template = "registration/first_manager.html" if first else "registration/invitation.html"
    context = {"form": form, "invitation": found, "joining": joining}
    return render(request, template, context, status=422 if form.errors else 200)


def _accept(request, token, user):
    try:
        accepted = accounts.accept_invitation(token, user)
    except accounts.InvitationUsed:
        return render(request, "registration/invitation_used.html", status=410)
    if not request.user.is_authenticated:
        login(request, user, BACKEND)
    if accepted.project is None:
        return redirect("annotation:home")
    messages.success(request, _("Welcome to “%(name)s”.") % {"name": accepted.project.name})
    return redirect("annotation:project", accepted.project.pk)


@admits(MANAGER)
@require_http_methods(["GET", "HEAD", "POST"])
def members(request, project_id):
    """Who takes part in a project; inviting shows the new link once."""
    project = project_for(request, project_id)
    form = InvitationForm(request.POST or None)
    link = ""
    if request.method == "POST" and form.is_valid():
        token = accounts.invite(project, created_by=request.user, **form.cleaned_data)
        link = request.build_absolute_uri(f"/invitations/{token}/")
        form = InvitationForm()
    context = {
        "project": project,
        "section": "members",
        "form": form,
        "link": link,
        "memberships": project.memberships.select_related("user").order_by("role", "pk"),
        "invitations": project.invitations.usable().select_related("created_by"),
    }
    return render(request, "annotation/members.html", context, status=422 if form.errors else 200)


@admits(MANAGER)
@require_http_methods(["POST"])
def withdraw_invitation(request, project_id, invitation_id):
    project = project_for(request, project_id)
    if not project.invitations.usable().filter(pk=invitation_id).delete()[0]:
        raise Http404
    return redirect("annotation:members", project.pk)


@admits(MANAGER)
@require_http_methods(["POST"])
def remove_member(request, project_id, membership_id):
    """Take someone out of the project; what they answered stays."""
    project = project_for(request, project_id)
    membership = project.memberships.select_related("user").filter(pk=membership_id).first()
    if membership is None:
        raise Http404
    try:
        accounts.remove_member(membership)
    except accounts.LastManager:
        messages.error(request, _("A project keeps at least one manager."))
    else:
        text = _("%(name)s no longer takes part. Their answers stay.")
        messages.success(request, text % {"name": membership.user.get_username()})
    gone = membership.pk is None and membership.user == request.user
    return redirect("annotation:home") if gone else redirect("annotation:members", project.pk)
