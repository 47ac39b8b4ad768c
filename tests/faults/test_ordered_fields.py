"""The fields of a sample keep their order on every database."""

import pytest

from tests.faults import stack

STORE = """
from annotation.models import Sample
from tests import factories as f
fields = {"zeta": "前", "text": "b", "a": "c"}
sample = f.make_sample(f.make_project(), fields=fields)
print(list(Sample.objects.get(pk=sample.pk).fields.items()))
print(list(Sample.objects.values_list("fields", flat=True)[0]))
"""


@pytest.mark.faults
def test_the_fields_of_a_sample_come_back_in_the_order_they_are_shown(install):
    done = stack.manage("shell", "-v0", "-c", STORE, env=install)
    assert done.stdout.splitlines() == [
        "[('zeta', '前'), ('text', 'b'), ('a', 'c')]",
        "['zeta', 'text', 'a']",
    ]
