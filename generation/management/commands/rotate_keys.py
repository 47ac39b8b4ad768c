"""Encrypt all stored keys anew, after a new encryption key was put in front of the old ones."""

from annotation.management.base import ScriptCommand
from generation.actions.connections import rotate_keys


class Command(ScriptCommand):
    help = (
        "Encrypt every connection's key with the first of SYNTHLAB_ENCRYPTION_KEYS. Put the new "
        "key in front, run this, then take the old one away."
    )

    def run(self, **options):
        return {"rotated": rotate_keys()}
