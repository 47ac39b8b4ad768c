"""What every test may rely on: no network but loopback, and the database's own triggers."""

import importlib
import ipaddress
import socket

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, connections
from hypothesis import HealthCheck, settings

from tests.openai_server import OpenAIServer

# A busy machine is no failure.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
if settings.get_current_profile_name() == "default":  # in CI Hypothesis brings its own
    settings.load_profile("busy")

_connect = socket.socket.connect


def _only_loopback(self, address):
    named = self.family in {socket.AF_INET, socket.AF_INET6} and address[0] != "localhost"
    if named and not ipaddress.ip_address(address[0].split("%")[0]).is_loopback:
        raise OSError(f"tests may not connect to {address[0]}")
    return _connect(self, address)


socket.socket.connect = _only_loopback


# The migrations whose triggers refuse changes.
KEEPING = (
    "annotation.migrations.0002_append_only",
    "annotation.migrations.0009_figures_are_kept",
    "generation.migrations.0002_append_only",
)


@pytest.fixture
def committed_db(transactional_db):
    """A database whose commits are real, for threads and processes; emptied afterwards.

    Append-only tables refuse DELETE, so the triggers step aside while the tables are emptied.
    """
    yield
    connection.close()
    modules = [importlib.import_module(name) for name in KEEPING]
    steps = [step for module in modules for step in module.Migration.operations]
    with connection.schema_editor() as editor:
        for step in steps:
            step.reverse_code(apps, editor)
    call_command("flush", interactive=False, verbosity=0)
    with connection.schema_editor() as editor:
        for step in steps:
            step.code(apps, editor)


@pytest.fixture
def openai_server():
    """A scripted OpenAI-compatible server with an empty ledger."""
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def snapshot_db(db):
    """Lets `snapshot` see what a test has not committed; tests/faults has the real connection."""
    apart = connections["snapshot"]
    connections["snapshot"] = connections["default"]
    yield
    connections["snapshot"] = apart
