"""The planner: what a round should bring, before anybody works, and what came of it."""

import numpy as np
import pytest
from pytest_django.asserts import assertContains

from annotation.actions import forecasts
from annotation.models import Forecast
from tests import factories as f
from tests.annotation.test_agreement import make_samples, suggest

pytestmark = pytest.mark.django_db
SIZE = 120


class Study:
    """Samples that are truly "yes"; the machine says "no" where it is wrong, which is more often
    so where it is less sure."""

    def __init__(self, size=SIZE, seed=1, confidence=None, **fields):
        rng = np.random.default_rng(seed)
        self.project = f.make_project(**fields)
        self.edition = f.make_codebook(self.project)
        self.machine = f.make_machine(self.project)
        self.annotator = f.make_annotator(self.project)
        self.manager = f.make_manager(self.project)
        self.samples = make_samples(self.project, size)
        self.sure = rng.uniform(0.5, 1, size) if confidence is None else confidence
        self.wrong = rng.random(size) > self.sure
        slugs = ["no" if wrong else "yes" for wrong in self.wrong]
        suggest(self.machine, self.samples, slugs, self.sure)

    def forecast(self):
        return forecasts.ask(self.machine, self.edition, wait=True)

    def page(self, client, query="", user=None, **headers):
        client.force_login(user or self.manager)
        return client.get(f"/projects/{self.project.pk}/planner/{query}", headers=headers)


def test_a_forecast_is_made_and_shown(client):
    study = Study()
    assertContains(study.page(client), "None was made for this machine")
    assert study.forecast().state == Forecast.State.DONE
    assertContains(study.page(client), "Design this round")
