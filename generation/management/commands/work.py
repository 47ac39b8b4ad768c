"""A worker without a broker: does what is due until it is stopped, or once."""

import os
import socket
import time

from django.core.management.base import BaseCommand

from generation.actions import upkeep


class Command(BaseCommand):
    help = "Work on label runs. Several may run at once; killing one loses nothing."

    def add_arguments(self, parser):
        parser.add_argument("--once", action="store_true", help="stop when nothing is due")
        parser.add_argument("--slice", type=float, default=5, help="seconds on a run at a time")

    def handle(self, *args, once, **options):
        name = f"work@{socket.gethostname()}:{os.getpid()}"
        while True:
            upkeep.beat(name)
            upkeep.sweep()
            upkeep.plan_due()
            if upkeep.work_on_due(options["slice"]) is None:
                if once:
                    break
                time.sleep(0.2)
