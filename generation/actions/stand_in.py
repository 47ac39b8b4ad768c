"""The connection to the offline stand-in, made when an install has none."""

from urllib.parse import urlsplit

from django.db import transaction

from generation.models import AllowedHost, Connection

NAME = "Offline stand-in, not a language model"


@transaction.atomic
def ensure_stand_in(port):
    """The port on which the stand-in must listen, or None where real connections made it needless.

    The first call writes the connection and allows its loopback address; prices are zero.
    """
    existing = Connection.objects.filter(stand_in=True).first()
    if existing is not None:
        return urlsplit(existing.base_url).port
    if Connection.objects.exists():
        return None
    AllowedHost.objects.get_or_create(host="127.0.0.1", port=port)
    Connection.objects.create(
        name=NAME,
        base_url=f"http://127.0.0.1:{port}/v1",
        model="offline-stand-in",
        price_in=0,
        price_out=0,
        stand_in=True,
        shared=True,
        capabilities={"chat": True, "logprobs": True, "json_schema": True, "system_role": True},
    )
    return port
