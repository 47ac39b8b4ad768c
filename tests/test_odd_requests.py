"""Whatever a request holds, the answer is never a 500 (SQLite; PostgreSQL in tests/faults)."""

import pytest
from django.db import transaction

from tests.odd_requests import failures
from tests.test_roles import PATTERNS, ROLES, admitted, world  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db
PARTS = 8  # for tests that run beside each other
ORDER = ("manager", "annotator", "adjudicator", "superuser", "anonymous", *ROLES)


def role_for(entry):
    return next(role for role in ORDER if admitted(entry, role))


@pytest.mark.parametrize("part", range(PARTS))
def test_odd_parameters_and_fields_never_break_a_page(world, part):  # noqa: F811 - the fixture
    for route, entry in PATTERNS[part::PARTS]:
        before = transaction.savepoint()
        assert failures(world, route, role_for(entry)) == [], f"/{route}"
        transaction.savepoint_rollback(before)
