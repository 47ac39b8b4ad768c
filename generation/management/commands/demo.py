"""`up` with a demo project in it, so that the whole loop can be tried in five minutes."""

from annotation.actions.demo import fill_demo_project
from generation.management.commands.up import Command as Up


class Command(Up):
    help = "Fill a demo project and start everything. Works without a key and without a network."

    def prepare(self):
        super().prepare()
        if project := fill_demo_project():
            self.stdout.write(f"Made the demo project “{project.name}”.")
