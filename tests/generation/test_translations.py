"""What a person reads about machines is translated; what a model reads never is."""

import pytest
from django.utils.translation import gettext_lazy, override, trans_real

from annotation.task_types import TASK_TYPES
from generation.llm.base import Capabilities, Reply
from generation.llm.errors import error_from
from generation.llm.probe import preview
from generation.techniques import TECHNIQUES, OptionsError, make, options_of
from generation.techniques.base import Rejection
from tests.factories import make_codebook, make_project

pytestmark = pytest.mark.django_db
ABLE = Capabilities(chat=True, logprobs=True, json_schema=True, system_role=True)


class Everything:
    """A catalogue that translates every text, by marking it."""

    def __init__(self, plain):
        self.plain = plain

    def gettext(self, text):
        return f"⟦{text}⟧"

    def __getattr__(self, name):
        return getattr(self.plain, name)


@pytest.fixture(autouse=True)
def abroad(monkeypatch):
    """Another language, in which whatever is marked for translation can be told."""
    monkeypatch.setitem(trans_real._translations, "eo", Everything(trans_real.translation("eo")))
    with override("eo"):
        assert str(gettext_lazy("Anything")) == "⟦Anything⟧"
        yield


@pytest.fixture
def rules():
    return make_codebook(make_project()).rules()


@pytest.mark.parametrize("name", TECHNIQUES)
def test_a_technique_its_options_and_its_obstacles_are_translated(name, rules):
    technique = make(name, {})
    assert str(technique.label).startswith("⟦")
    assert all(str(option["label"]).startswith("⟦") for option in options_of(name))
    cannot = Capabilities(chat=False, logprobs=False)
    assert technique.offered(rules, TASK_TYPES["single_label"], cannot).startswith("⟦")
    with pytest.raises(OptionsError, match="⟦"):
        make(name, {"nonsense": 1})


@pytest.mark.parametrize("name", TECHNIQUES)
def test_a_rejection_is_translated_and_no_prompt_is(name, rules):
    technique, task = make(name, {}), TASK_TYPES["single_label"]
    for step in technique.steps(rules, task, {"text": "A text."}, 1):
        assert "⟦" not in step.request("m", ABLE).canonical()
        rejection = technique.read(step, Reply(text="", raw=""), rules, task)
        assert isinstance(rejection, Rejection)
        assert rejection.detail.startswith("⟦")


def test_errors_of_endpoints_are_translated_and_probes_are_not():
    assert str(error_from(401, {}, "{}")).startswith("⟦")
    assert all("⟦" not in request.canonical() for request in preview("m"))
