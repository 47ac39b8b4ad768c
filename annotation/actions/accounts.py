"""Inviting people, letting them in, and slowing down those who guess."""

from datetime import timedelta
from ipaddress import ip_address, ip_network

from django.conf import settings
from django.db import transaction
from django.utils.timezone import now

from annotation.models import Invitation, Membership, Project, SignInAttempt, User
from annotation.models.account import hashed

INVITATION_DAYS = 7
RANK = {
    Membership.Role.ANNOTATOR: 1,
    Membership.Role.ADJUDICATOR: 2,
    Membership.Role.MANAGER: 3,
}
WINDOW = timedelta(minutes=10)
# Wrong passwords in the window before the next try must wait; a network may hold many people.
# With these an account can be guessed at ten times in ten minutes at most.
FREE_TRIES = {"account": 5, "network": 30}
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=4)


class InvitationUsed(Exception):
    """The link was used, withdrawn or is too old."""


@transaction.atomic
def invite(project, role, created_by, note=""):
    """A new single-use link's token. Only its hash is stored, so it cannot be shown again."""
    token = Invitation.new_token()
    Invitation.objects.create(
        project=project,
        role=role,
        token_hash=hashed(token),
        note=note,
        created_by=created_by,
        expires_at=now() + timedelta(days=INVITATION_DAYS),
    )
    return token


@transaction.atomic
def first_manager_token():
    """A fresh one-time link's token while nobody has an account yet, else None."""
    if User.objects.exists():
        return None
    Invitation.objects.filter(project=None, used_at=None).delete()
    return invite(None, Membership.Role.MANAGER, None)


@transaction.atomic
def accept_invitation(token, user):
    """Use the link for this (perhaps new) user, once; raises InvitationUsed."""
    invitation = Invitation.objects.for_token(token).first()
    if invitation is None:
        raise InvitationUsed
    if invitation.project is None and User.objects.exists():
        raise InvitationUsed
    if user.pk is None:
        user.is_superuser = invitation.project is None
        user.is_staff = user.is_superuser
        user.save()
    used = Invitation.objects.usable().filter(pk=invitation.pk)
    if not used.update(used_at=now(), used_by=user):
        raise InvitationUsed
    _join(user, invitation)
    return invitation


def _join(user, invitation):
    """Into the project of the invitation; the first manager takes every project without one."""
    projects = [invitation.project]
    if invitation.project is None:
        projects = Project.objects.exclude(memberships__role=Membership.Role.MANAGER)
    for project in projects:
        membership, _made = Membership.objects.get_or_create(
            project=project, user=user, defaults={"role": invitation.role}
        )
        if RANK[invitation.role] > RANK[membership.role]:  # a link never takes a role away
            membership.role = invitation.role
            membership.save(update_fields=["role"])


def network_of(request_meta):
    """The client's address, of IPv6 its /64, for one customer has all of it.

    TRUSTED_PROXIES says how many forwarders are believed.
    """
    address = request_meta.get("REMOTE_ADDR", "")
    if settings.TRUSTED_PROXIES:
        chain = [part.strip() for part in request_meta.get("HTTP_X_FORWARDED_FOR", "").split(",")]
        address = ([*chain, address])[-1 - min(settings.TRUSTED_PROXIES, len(chain))] or address
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    if parsed.version == 6 and parsed.ipv4_mapped is None:
        return str(ip_network((int(parsed), 64), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def sign_in_wait(username, network):
    """Seconds until this account may be tried from this network again; 0 when it may be now.

    The wait doubles with each wrong password, and ends by itself: nobody can lock a
    colleague out for good.
    """
    since = now() - WINDOW
    failures = SignInAttempt.objects.filter(at__gt=since).order_by("-at")
    wait = 0.0
    for kind, found in (
        ("account", failures.filter(account_hash=hashed(username.casefold()))),
        ("network", failures.filter(network=network)),
    ):
        times = list(found.values_list("at", flat=True))
        if (beyond := len(times) - FREE_TRIES[kind]) >= 0:
            pause = min(FIRST_WAIT * 2 ** min(beyond, 10), LONGEST_WAIT)
            wait = max(wait, (times[0] + pause - now()).total_seconds())
    return max(wait, 0.0)


def record_sign_in(username, network):
    """Count a try before its password is checked, so that tries at the same time count too."""
    SignInAttempt.objects.filter(at__lt=now() - 6 * WINDOW).delete()
    SignInAttempt.objects.create(account_hash=hashed(username.casefold()), network=network)


def forget_failed_sign_ins(username):
    """The password was right: the tries so far were the person's own."""
    SignInAttempt.objects.filter(account_hash=hashed(username.casefold())).delete()


class LastManager(Exception):
    """A project keeps at least one manager."""


@transaction.atomic
def remove_member(membership):
    """Take someone out of a project. What they answered stays; raises LastManager."""
    managers = Membership.objects.filter(
        project=membership.project_id, role=Membership.Role.MANAGER
    ).select_for_update()
    if list(managers) == [membership]:
        raise LastManager
    membership.delete()
