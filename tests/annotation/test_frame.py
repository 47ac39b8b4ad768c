"""What every page has around its content."""

import re

import pytest
from django.template import Context, Template
from django.test import RequestFactory
from pytest_django.asserts import assertContains, assertNotContains

from annotation.access import ANNOTATOR, MANAGER
from annotation.models import Project
from annotation.templatetags.frame import SECTIONS, roles_of

pytestmark = pytest.mark.django_db


def test_a_page_says_its_language_and_direction(client):
    assertContains(client.get("/sign-in/"), '<html lang="en" dir="ltr">')


def test_a_page_has_a_way_past_the_frame(client):
    assertContains(client.get("/sign-in/"), '<a class="skip" href="#main">')


def test_a_page_holds_nothing_that_the_content_policy_forbids(client):
    html = client.get("/sign-in/").content.decode()
    assert "style=" not in html
    assert "<style" not in html
    assert not re.search(r"\son\w+=|hx-on", html)
    assert not re.search(r"<script(?![^>]*\ssrc=)", html)
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', html)


def test_htmx_may_run_nothing_that_a_page_brings(client):
    page = client.get("/sign-in/")
    for setting in ('"allowEval":false', '"allowScriptTags":false', '"selfRequestsOnly":true'):
        assertContains(page, setting)


def test_htmx_sends_the_token_of_the_session(client):
    assertContains(client.get("/sign-in/"), 'hx-headers=\'{"x-csrftoken": "')


def test_a_wrong_address_has_a_page_that_leads_back(client):
    response = client.get("/no/such/place/")
    assert response.status_code == 404
    assertContains(response, 'href="/"', status_code=404)
    assertContains(response, "There is nothing here", status_code=404)


def test_the_page_of_last_resort_needs_no_context():
    html = Template("{% include '500.html' %}").render(Context())
    assert "Something broke on our side" in html
    assert 'href="/"' in html


def test_a_refused_form_says_what_is_wrong_beside_the_field(client):
    response = client.post("/sign-in/", {"username": "", "password": "x"})
    assertContains(response, 'aria-describedby="id_username_error"', status_code=422)
    assertContains(response, '<ul class="errorlist" id="id_username_error">', status_code=422)


def test_sign_out_is_a_form_that_a_link_cannot_trigger(client, django_user_model):
    client.force_login(django_user_model.objects.create_user("ann"))
    response = client.get("/no/such/place/")
    assertContains(response, '<form method="post" action="/sign-out/">', status_code=404)
    assertNotContains(response, 'href="/sign-out/"', status_code=404)


def navigation(role, section="overview"):
    request = RequestFactory().get("/")
    request.role = role
    context = {"request": request, "project": Project(pk=7), "section": section}
    return Template("{% load frame %}{% project_nav project section %}").render(Context(context))


def test_the_navigation_marks_where_you_are():
    assert 'href="/projects/7/" aria-current="page"' in navigation(MANAGER)


def test_the_navigation_shows_no_link_that_the_role_may_not_open():
    assert "/projects/7/members/" in navigation(MANAGER)
    assert "/projects/7/members/" not in navigation(ANNOTATOR)
    assert "/projects/7/" in navigation(ANNOTATOR)


@pytest.mark.parametrize("url_name", [url_name for _, url_name, _ in SECTIONS])
def test_every_section_opens_for_managers(url_name):
    assert MANAGER in roles_of(url_name)
