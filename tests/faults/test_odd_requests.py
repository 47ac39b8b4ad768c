"""Numbers that no column holds, NUL and broken text: never a 500 on either database."""

import json
import subprocess
import sys

import pytest

from tests.faults import stack

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

THROW = """
import json
from pathlib import Path
import django
django.setup()
from django.conf import settings
from django.db import transaction
from tests.odd_requests import HARD, failures
from tests.test_odd_requests import role_for
from tests.test_roles import PATTERNS, World
settings.RELEASE_DIR.mkdir(parents=True, exist_ok=True)
found, world = [], World()
for route, entry in PATTERNS:
    with transaction.atomic():
        found += failures(world, route, role_for(entry), HARD)
        transaction.set_rollback(True)
print(json.dumps(found))
"""


def test_what_a_database_refuses_never_breaks_a_page(install):
    env = {**install, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    command = [sys.executable, "-c", THROW]
    done = subprocess.run(command, env=env, cwd=stack.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    assert json.loads(done.stdout.splitlines()[-1]) == []
