"""Connections: which hosts they may reach, their keys, and finding out what a model can do."""

from functools import partial
from urllib.parse import urlsplit

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from generation.actions import ledger
from generation.llm.base import LLMError
from generation.llm.egress import EgressGuard
from generation.llm.limits import Limits
from generation.llm.openai_client import Client
from generation.llm.probe import probing
from generation.llm.wire import Ask, Wire
from generation.models import AllowedHost, Connection


def guard():
    """What this instance may reach: the hosts in the settings and those a superuser added."""
    added = AllowedHost.objects.values_list("host", "port")
    listed = (f"[{host}]" if ":" in host else host for host, _port in added)
    ports = (port if port is not None else "*" for _host, port in added)
    entries = [f"{host}:{port}" for host, port in zip(listed, ports, strict=True)]
    return EgressGuard([*settings.MODEL_HOSTS, *entries])


def refusal(base_url):
    """Why this address cannot be a connection's, for its user to read; "" if it can."""
    try:
        guard().check_url(base_url)
    except LLMError as error:
        return f"{error} " + _(
            "A superuser of this instance can allow the host on the Connections page; "
            "the operator can with SYNTHLAB_MODEL_HOSTS."
        )
    return ""


def key_of(connection):
    """The key in clear; LLMError("auth") where it was encrypted with a key that is gone."""
    try:
        return connection.key()
    except InvalidToken:
        raise LLMError("auth", "The stored key cannot be read any more; enter it again.") from None


def check(connection):
    """Raises LLMError when the key or the address cannot be used any more."""
    key_of(connection)
    guard().check_url(connection.base_url)


def client_maker(connection):
    """A function without the database in it that opens a client in the loop that calls it."""
    return partial(
        Client,
        connection.base_url,
        key_of(connection),
        connection.deadline_seconds,
        guard(),
        connections=max(connection.concurrency, 1),
    )


def save(connection, key=None):
    """Store a new or changed connection. A key is bound to scheme, host and port: when they change
    it is cleared, so that it never goes to another host than it was entered for.

    What was found out about the old address or model is forgotten. True if the key was cleared.
    """
    before = Connection.objects.filter(pk=connection.pk).first() if connection.pk else None
    cleared = False
    if before and before.origin() != connection.origin():
        cleared = bool(connection.encrypted_key) and not key
        connection.set_key("")
    if before and (before.base_url, before.model) != (connection.base_url, connection.model):
        connection.capabilities, connection.probed_at = {}, None
        connection.stand_in = False
    if key:
        connection.set_key(key)
    connection.save()
    return cleared


def run_probe(connection):
    """Find out what the endpoint and model can do, by a handful of small paid calls, each with its
    row in the ledger. The caller has the user's consent. Returns the findings, stored as well."""
    check(connection)
    asking = probing(connection.model)
    with Wire(client_maker(connection), Limits(most=1)) as wire:
        try:
            request = next(asking)
            while True:
                request = asking.send(_ask_now(connection, wire, request))
        except StopIteration as end:
            findings = end.value
    connection.capabilities = findings.capabilities.as_json() | {
        "findings": list(findings.sentences)
    }
    connection.probed_at = now()
    connection.save(update_fields=["capabilities", "probed_at"])
    return findings


def _ask_now(connection, wire, request):
    """One call, reserved before and settled after, on the caller's own database connection."""
    call = ledger.probe_intent(connection, request)
    call.save()
    wire.send([Ask(call.pk, request)])
    outcomes = []
    while not outcomes:
        outcomes = wire.received(0.5, most=1)
    ledger.settle({call.pk: ledger.receipt(connection, outcomes[0])})
    return outcomes[0].reply or outcomes[0].error


@transaction.atomic
def rotate_keys():
    """Encrypt every stored key with the newest encryption key; how many there were."""
    kept = list(Connection.objects.exclude(encrypted_key="").select_for_update())
    for connection in kept:
        connection.rotate_key()
        connection.save(update_fields=["encrypted_key"])
    return len(kept)


def check_entry(entry):
    """The host and port of an entry of the list; ValueError says what is wrong with it."""
    if "/" in entry:
        raise ValueError(_("Enter a host or host:port; networks are set in SYNTHLAB_MODEL_HOSTS."))
    try:
        EgressGuard([entry])
    except LLMError as error:
        raise ValueError(str(error)) from None
    parts = urlsplit(f"//{entry.removesuffix(':*')}")
    return parts.hostname, parts.port


@transaction.atomic
def allow_host(entry, user=None):
    """Add `host` (any port) or `host:port` to the list of what connections may reach."""
    host, port = check_entry(entry)
    return AllowedHost.objects.get_or_create(host=host, port=port, defaults={"added_by": user})[0]
