"""Serves the offline stand-in, not a language model, on loopback until it is stopped."""

import json

from django.core.management.base import BaseCommand

from generation.llm.server import serve_forever
from generation.llm.stand_in import MODEL, WHAT_IT_IS, answer

HOST = "127.0.0.1"


class Command(BaseCommand):
    help = "Serves the offline stand-in, not a language model, as an OpenAI-compatible endpoint."
    requires_system_checks = ()

    def add_arguments(self, parser):
        parser.add_argument("--port", type=int, default=8200, help="0: any free port")
        parser.add_argument("--json", action="store_true", help="print the address as JSON")

    def handle(self, *args, **options):
        def listening(base_url):
            if options["json"]:
                found = {"base_url": base_url, "model": MODEL, "is": WHAT_IT_IS}
                self.stdout.write(json.dumps(found))
            else:
                self.stdout.write(f"{base_url}  model {MODEL}: {WHAT_IT_IS}")
            self.stdout.flush()

        serve_forever(answer, HOST, options["port"], listening)
