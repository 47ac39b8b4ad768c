"""How to reach a model, and which hosts may be reached at all."""

import base64
import hashlib
from urllib.parse import urlsplit

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.db import models
from django.utils.timezone import now


def _cipher():
    """Newest key first: it encrypts; every key decrypts, so keys can be rotated."""
    return MultiFernet(
        Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()))
        for key in settings.ENCRYPTION_KEYS
    )


class AllowedHost(models.Model):
    """A host that connections may reach, loopback included. Only a superuser adds one."""

    host = models.CharField(max_length=255)
    port = models.PositiveIntegerField(null=True)  # null: any port
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint("host", "port", name="allowed_host_once", nulls_distinct=False)
        ]


class ConnectionQuerySet(models.QuerySet):
    def usable_by(self, user):
        """Your own and the shared ones; a superuser's are all."""
        if user.is_superuser:
            return self
        return self.filter(models.Q(created_by=user) | models.Q(shared=True))


class Connection(models.Model):
    """How to reach a model. Prices are micro-units of the currency for a million tokens."""

    name = models.CharField(max_length=100, unique=True)
    base_url = models.CharField(max_length=300)
    encrypted_key = models.TextField(blank=True)
    key_hint = models.CharField(max_length=4, blank=True)  # its last four characters
    model = models.CharField(max_length=200)
    currency = models.CharField(max_length=3, default="USD")
    price_in = models.PositiveBigIntegerField(null=True)  # null: unknown, and shown as unknown
    price_out = models.PositiveBigIntegerField(null=True)
    requests_per_minute = models.PositiveIntegerField(null=True)
    tokens_per_minute = models.PositiveIntegerField(null=True)
    concurrency = models.PositiveSmallIntegerField(default=8)
    deadline_seconds = models.PositiveSmallIntegerField(default=60)
    capabilities = models.JSONField(default=dict)  # {"chat": true, "logprobs": false, ...}
    probed_at = models.DateTimeField(null=True)
    stand_in = models.BooleanField(default=False)  # the offline stand-in, not a language model
    shared = models.BooleanField(default=False)  # other managers may use it, not edit it
    blocked_until = models.DateTimeField(null=True)  # Retry-After, for all workers
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=now)

    objects = ConnectionQuerySet.as_manager()

    def origin(self):
        """Scheme, host and port: what a key is bound to."""
        parts = urlsplit(self.base_url)
        default = {"https": 443, "http": 80}.get(parts.scheme)
        return (parts.scheme, (parts.hostname or "").lower(), parts.port or default)

    def set_key(self, key):
        self.encrypted_key = _cipher().encrypt(key.encode()).decode() if key else ""
        self.key_hint = key[-4:] if len(key) >= 12 else ""

    def key(self):
        """The key in clear: only for the request that carries it."""
        return _cipher().decrypt(self.encrypted_key).decode() if self.encrypted_key else ""

    def rotate_key(self):
        if self.encrypted_key:
            self.encrypted_key = _cipher().rotate(self.encrypted_key.encode()).decode()
