"""Who may sign in, how they are invited, and what is remembered of failed tries."""

import hashlib
import secrets

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.timezone import now

from annotation.models.project import Membership


class User(AbstractUser):
    """A person. A superuser runs the instance; what anyone may do in a project is a Membership."""

    def may_manage_something(self):
        """May they create projects and connections? Those who run the instance or a project."""
        managing = self.memberships.filter(role=Membership.Role.MANAGER)
        return self.is_superuser or managing.exists()


def hashed(token):
    """What is stored of a link's secret: enough to know it again, not to use it."""
    return hashlib.sha256(token.encode()).hexdigest()


class InvitationQuerySet(models.QuerySet):
    def usable(self):
        return self.filter(used_at=None, expires_at__gt=now())

    def for_token(self, token):
        return self.usable().filter(token_hash=hashed(token))


class Invitation(models.Model):
    """A single-use link. Without a project it makes the first manager of a fresh install."""

    project = models.ForeignKey("Project", models.CASCADE, null=True, related_name="invitations")
    role = models.CharField(max_length=12, choices=Membership.Role)
    token_hash = models.CharField(max_length=64, unique=True)
    note = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey("User", models.CASCADE, null=True, related_name="+")
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    used_by = models.ForeignKey("User", models.SET_NULL, null=True, related_name="+")

    objects = InvitationQuerySet.as_manager()

    @staticmethod
    def new_token():
        return secrets.token_urlsafe(32)


class SignInAttempt(models.Model):
    """A failed sign-in. Accounts are kept as a hash, so that a mistyped password is not stored."""

    account_hash = models.CharField(max_length=64)
    network = models.CharField(max_length=64)
    at = models.DateTimeField(default=now)

    class Meta:
        indexes = [
            models.Index(fields=["account_hash", "at"], name="sign_in_by_account"),
            models.Index(fields=["network", "at"], name="sign_in_by_network"),
        ]
