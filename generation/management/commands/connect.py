"""A connection to a model by command; the page does the same."""

import os
from urllib.parse import urlsplit

from django.core.management.base import CommandError

from annotation.management.base import ScriptCommand
from generation.actions import connections
from generation.llm.base import LLMError
from generation.models import Connection


class Command(ScriptCommand):
    help = (
        "Make or change a connection, then find out by up to eight small calls what the model can "
        "do. The calls may cost a little; --no-probe leaves them out."
    )
    refusals = (LLMError, ValueError)

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument("name")
        parser.add_argument("--base-url", required=True, help="such as https://host/v1")
        parser.add_argument("--model", required=True)
        parser.add_argument("--key-env", help="the environment variable that holds the key")
        parser.add_argument("--price-in", type=float, help="for a million prompt tokens")
        parser.add_argument("--price-out", type=float, help="for a million completion tokens")
        parser.add_argument("--currency", default="USD")
        parser.add_argument("--rpm", type=int, help="requests per minute")
        parser.add_argument("--tpm", type=int, help="tokens per minute")
        parser.add_argument("--concurrency", type=int, default=8)
        parser.add_argument("--deadline", type=int, default=60, help="seconds for one call in all")
        parser.add_argument("--shared", action="store_true", help="other managers may use it")
        parser.add_argument("--allow-host", action="store_true", help="put its host on the list")
        parser.add_argument("--no-probe", action="store_true")

    def run(self, name, base_url, key_env, allow_host, no_probe, **options):
        key = None
        if key_env and not (key := os.environ.get(key_env, "")):
            raise CommandError(f"The environment variable {key_env} is empty.")
        if allow_host:
            connections.allow_host(urlsplit(base_url).netloc.rpartition("@")[2])
        if why := connections.refusal(base_url):
            raise CommandError(f"{why} Or repeat the command with --allow-host.")
        connection = Connection.objects.filter(name=name).first() or Connection(name=name)
        connection.base_url, connection.model = base_url, options["model"]
        connection.currency, connection.shared = options["currency"], options["shared"]
        connection.price_in = micro_units(options["price_in"])
        connection.price_out = micro_units(options["price_out"])
        connection.requests_per_minute = options["rpm"]
        connection.tokens_per_minute = options["tpm"]
        connection.concurrency = options["concurrency"]
        connection.deadline_seconds = options["deadline"]
        connections.save(connection, key)
        findings = [] if no_probe else self._probe(connection)
        return {"id": connection.pk, "name": name, "findings": findings}

    def _probe(self, connection):
        found = connections.run_probe(connection)
        if found.error is not None:
            raise found.error
        return list(found.sentences)


def micro_units(price):
    """Unknown stays unknown; it is not free."""
    return None if price is None else round(price * 1_000_000)
