"""The annotator's page over HTTP: claiming, answering, changing, skipping."""

import re

import pytest
from pytest_django.asserts import assertContains

from annotation.models import Annotation, Assignment, RoundAnnotator
from tests.factories import make_annotator, make_project, make_round

pytestmark = pytest.mark.django_db


@pytest.fixture
def round_(client):
    """Three samples wait for the annotator who is signed in."""
    project = make_project()
    annotator = make_annotator(project)
    client.force_login(annotator)
    return make_round(project, ["first text", "second text", "third text"], [annotator])


def fields_of(response, form="answer"):
    """The hidden fields of a form of the page, and where it goes."""
    html = response.content.decode()
    part = re.search(rf'<form id="{form}".*?</form>', html, re.S)[0]
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', part))
    return re.search(r'action="([^"]*)"', part)[1], fields


def show(client, round_):
    return client.get(f"/rounds/{round_.pk}/review/")


def answer(client, page, slugs="yes", **kwargs):
    url, fields = fields_of(page)
    return client.post(url, {**fields, "slugs": slugs, **kwargs.pop("data", {})}, **kwargs)


HTMX = {"headers": {"HX-Request": "true"}}


def test_answering_brings_the_next_sample_as_a_fragment(client, round_):
    page = show(client, round_)
    assertContains(page, "first text")
    response = answer(client, page, **HTMX)
    assertContains(response, "second text")
    assert b"<html" not in response.content
    assert Annotation.objects.get().value == {"label": "yes"}


def test_without_javascript_a_second_click_stores_nothing_more(client, round_):
    page = show(client, round_)
    for _ in range(2):
        response = answer(client, page)
        assert response.status_code == 302
        assert response["Location"].startswith(f"/rounds/{round_.pk}/review/")
    assert Annotation.objects.count() == 1
    assert RoundAnnotator.objects.get().done == 1
    assert Assignment.objects.filter(state="done").count() == 1
