"""Start everything on this machine: web, worker and, without a connection, the stand-in."""

import os
import signal
import sys

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from annotation.actions.accounts import first_manager_token
from generation.actions.stand_in import ensure_stand_in
from generation.management import processes
from synthlab import charts

LOOPBACK = "127.0.0.1"


class Command(BaseCommand):
    help = "Set up what is missing, start web and worker, and print the address."

    def add_arguments(self, parser):
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--host", default=LOOPBACK, help="the address to listen on")
        parser.add_argument("--data-dir", help="the same as SYNTHLAB_DATA_DIR")

    def handle(self, *args, port, host, data_dir, **options):
        if data_dir and os.path.realpath(data_dir) != str(settings.DATA_DIR):
            self._start_over_in(data_dir)
        if processes.free_port(port, host) != port:
            raise CommandError(
                f"Port {port} is taken, perhaps by a SynthLab that runs already. Stop that one, or"
                " choose another port: --port 8123, with make PORT=8123. Two of them should not"
                " share one data folder."
            )
        self.prepare()
        stand_in_port = ensure_stand_in(processes.free_port(port + 1))
        token = first_manager_token()
        connections.close_all()
        self._run(host, port, stand_in_port, token)

    def _start_over_in(self, data_dir):
        """Settings are read once, so another folder means another process."""
        environment = {**os.environ, "SYNTHLAB_DATA_DIR": os.path.realpath(data_dir)}
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)

    def prepare(self):
        """Tables, charts and static files. `demo` adds its project here."""
        call_command("migrate", verbosity=0)
        charts.build(settings.DATA_DIR / "built")
        call_command("collectstatic", interactive=False, verbosity=0)

    def _run(self, host, port, stand_in_port, token):
        commands = {"web": processes.web(host, port), "worker": processes.worker()}
        if stand_in_port:
            commands["stand-in"] = processes.stand_in(stand_in_port)
        family = processes.Family(commands, str(settings.BASE_DIR))
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            family.start()
            address = f"http://{host if host != '0.0.0.0' else LOOPBACK}:{port}"
            processes.wait_until_answering(f"{address}/sign-in/")
            self._welcome(address, token, stand_in_port)
            family.watch()
        except KeyboardInterrupt:
            self.stdout.write("Stopping.")
        finally:
            family.stop()

    def _welcome(self, address, token, stand_in_port):
        if stand_in_port:
            self.stdout.write(
                "Model: the offline stand-in, not a language model. It needs no key and no network."
            )
        self.stdout.write(f"SynthLab is at {address}/")
        if token:
            self.stdout.write("Sign in with this one-time link, which makes the first manager:")
            self.stdout.write(f"  {address}/invitations/{token}/")
        else:
            self.stdout.write("Sign in with your account. Forgotten? manage.py changepassword NAME")
        self.stdout.write("Stop with Ctrl+C.")
        self.stdout.flush()


def _interrupt(number, frame):
    raise KeyboardInterrupt
