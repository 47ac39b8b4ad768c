"""The annotator's page over HTTP: claiming, answering, changing, skipping."""

import gzip
import random
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from pytest_django.asserts import assertContains, assertNotContains

from annotation.actions import claims
from annotation.actions.claims import CLAIM
from annotation.models import Annotation, Assignment, Round, RoundAnnotator, User
from tests.factories import (
    make_annotator,
    make_codebook,
    make_machine,
    make_manager,
    make_project,
    make_round,
    make_suggestion,
)

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
    fields.pop("csrfmiddlewaretoken", None)  # it differs each time, and the test client needs none
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


@pytest.mark.parametrize("stratum", ["least_confidence", "audit", "uniform"])
def test_why_a_sample_was_drawn_shows_only_after_the_blind_answer(client, stratum):
    project = make_project()
    annotator = make_annotator(project)
    client.force_login(annotator)
    blind = make_round(project, annotators=[annotator], stratum=stratum)
    why = "Why you see this sample"
    page = show(client, blind)
    assertContains(page, "first text")
    assertNotContains(page, why)
    assertNotContains(answer(client, page, **HTMX), why)
    again = Annotation.objects.get().pk
    assertContains(client.get(f"/rounds/{blind.pk}/review/?annotation={again}"), why)


def test_why_a_sample_was_drawn_shows_at_once_where_the_suggestion_does(client):
    project = make_project()
    annotator = make_annotator(project)
    client.force_login(annotator)
    open_ = make_round(project, annotators=[annotator], stratum="least_confidence", blind=False)
    assertContains(show(client, open_), "the model was unsure")


def test_a26_without_javascript_a_second_click_stores_nothing_more(client, round_):
    page = show(client, round_)
    for _ in range(2):
        response = answer(client, page)
        assert response.status_code == 302
        assert response["Location"].startswith(f"/rounds/{round_.pk}/review/")
    assert Annotation.objects.count() == 1
    assert RoundAnnotator.objects.get().done == 1
    assert Assignment.objects.filter(state="done").count() == 1


def test_reloading_shows_the_same_sample_and_leases_nothing_more(client, round_):
    first, again = show(client, round_), show(client, round_)
    assert fields_of(first) == fields_of(again)
    assert Assignment.objects.filter(state="leased").count() == 2


def test_a26_a_reply_sent_again_is_the_same_byte_for_byte(client, round_):
    page = show(client, round_)
    first, again = (answer(client, page, **HTMX) for _ in range(2))
    assert first.content == again.content
    assert Annotation.objects.count() == 1


def test_a_sample_that_the_page_has_already_is_not_sent_again(client, round_):
    page = show(client, round_)
    ahead = re.search(r'<template id="ahead" data-key="([^"]+)"', page.content.decode())[1]
    response = answer(client, page, data={"have": ahead}, **HTMX)
    assert b"second text" not in response.content
    assertContains(response, "third text")


def test_a26_answering_differently_in_a_second_tab_shows_both_and_keeps_both(client, round_):
    page = show(client, round_)
    answer(client, page, "yes")
    response = answer(client, page, "no")
    assert response.status_code == 409
    assertContains(response, "Yes", status_code=409)
    assertContains(response, "No", status_code=409)
    change = re.search(r'action="(/annotations/\d+/)"', response.content.decode())[1]
    key = re.findall(r'name="client_key" value="([^"]+)"', response.content.decode())[-1]
    client.post(change, {"client_key": key, "slugs": "no"})
    assert Annotation.objects.current().get().code == "no"
    assert Annotation.objects.count() == 2


def test_a27_a_changed_answer_is_a_new_row_and_a_stale_change_is_refused(client, round_):
    answer(client, show(client, round_), "yes")
    opened = client.get(f"/rounds/{round_.pk}/review/?annotation={Annotation.objects.get().pk}")
    assertContains(opened, "Opened again")
    answer(client, opened, "no")
    stale = answer(client, opened, "yes")
    assert stale.status_code == 409
    codes = Annotation.objects.order_by("pk").values_list("code", flat=True)
    assert list(codes) == ["yes", "no"]
    assert RoundAnnotator.objects.get().done == 1


def test_undo_opens_what_i_did_last(client, round_):
    answer(client, show(client, round_))
    response = client.post(f"/rounds/{round_.pk}/undo/", follow=True)
    assertContains(response, "first text")
    assertContains(response, "Opened again")


def test_undo_ends_with_its_time(client, round_, settings):
    answer(client, show(client, round_))
    settings.UNDO_SECONDS = 0
    assert client.post(f"/rounds/{round_.pk}/undo/", **HTMX).status_code == 204


def test_skipping_keeps_the_reason_and_can_be_taken_back(client, round_):
    page = show(client, round_)
    url, fields = fields_of(page)
    client.post(f"{url}skip/", {**fields, "reason": "bad_text", "note": "cut off"})
    seat = Assignment.objects.get(state="skipped")
    assert (seat.skip_reason, seat.skip_note) == ("bad_text", "cut off")
    place = RoundAnnotator.objects.get()
    assert (place.done, place.skipped) == (0, 1)
    answer(client, client.get(f"/rounds/{round_.pk}/review/?assignment={seat.pk}"))
    place.refresh_from_db()
    assert (place.done, place.skipped) == (1, 0)
    assert Annotation.objects.get().assignment == seat


def test_a_skip_without_a_reason_is_refused(client, round_):
    url, fields = fields_of(show(client, round_))
    response = client.post(f"{url}skip/", fields, **HTMX)
    assert response.status_code == 422
    assert not Assignment.objects.filter(state="skipped").exists()


def test_an_answer_outside_of_the_codebook_is_refused(client, round_):
    response = answer(client, show(client, round_), "maybe", **HTMX)
    assert response.status_code == 422
    assertContains(response, "maybe", status_code=422)
    assert not Annotation.objects.exists()


def test_an_answer_by_another_edition_is_refused(client, round_):
    page = show(client, round_)
    response = answer(client, page, data={"codebook": round_.codebook_id + 1})
    assert response.status_code == 422
    assert not Annotation.objects.exists()


def test_flag_comment_and_time_are_kept(client, round_):
    data = {"flag": "on", "comment": "odd", "seconds": "3.5"}
    answer(client, show(client, round_), data=data)
    stored = Annotation.objects.get()
    assert (stored.flag, stored.comment, stored.seconds) == (True, "odd", 3.5)


def test_unsure_is_an_answer_only_where_the_codebook_offers_it(client):
    project = make_project()
    make_codebook(project, unsure="offered")
    annotator = make_annotator(project)
    client.force_login(annotator)
    round_ = make_round(project, annotators=[annotator])
    page = show(client, round_)
    assertContains(page, 'value="unsure" data-key="0"')
    answer(client, page, "unsure")
    assert Annotation.objects.get().value == {"unsure": True}


def test_several_labels_or_none_can_be_ticked(client):
    project = make_project("multi_label")
    annotator = make_annotator(project)
    client.force_login(annotator)
    round_ = make_round(project, annotators=[annotator])
    answer(client, show(client, round_), ["yes", "no"])
    answer(client, show(client, round_), [])
    assert [row.value["labels"] for row in Annotation.objects.order_by("pk")] == [["yes", "no"], []]
    assertContains(show(client, round_), "Nothing is left for you here")


@pytest.fixture
def disagreement(client):
    """A blind round in which the model holds "no" for the first sample."""
    project = make_project()
    annotator = make_annotator(project)
    client.force_login(annotator)
    make_codebook(project)
    machine = make_machine(project)
    round_ = make_round(project, annotators=[annotator], machine=machine)
    for item in round_.items.all():
        make_suggestion(machine, item.sample, {"yes": 0.28, "no": 0.72}, rationale="It denies.")
    return round_


def test_the_suggestion_shows_only_after_a_blind_answer(client, disagreement):
    page = show(client, disagreement)
    assert b"It denies." not in page.content
    response = answer(client, page, "yes", **HTMX)
    assertContains(response, "It denies.")
    assertContains(response, "the model said otherwise")
    assertContains(response, "72")


@pytest.mark.parametrize(("choice", "code"), [("keep", "yes"), ("change", "no")])
def test_keeping_and_changing_are_both_stored_beside_the_blind_answer(
    client, disagreement, choice, code
):
    response = answer(client, show(client, disagreement), "yes", **HTMX)
    forms = re.findall(
        r'<form method="post" action="(/annotations/\d+/)".*?</form>',
        response.content.decode(),
        re.S,
    )
    key = re.search(
        rf'action="{forms[0]}".*?client_key" value="([^"]+)"', response.content.decode(), re.S
    )[1]
    reply = client.post(forms[0], {"client_key": key, "slugs": code}, **HTMX)
    assertContains(reply, "Decided after seeing the model")
    blind, seen = Annotation.objects.order_by("pk")
    assert (blind.blind, blind.code, blind.suggestion) == (True, "yes", None)
    assert (seen.blind, seen.code, seen.supersedes) == (False, code, blind)
    assert seen.suggestion.code == "no"
    assert list(Annotation.objects.measuring()) == [blind]
    assert RoundAnnotator.objects.get().done == 1


def test_none_of_the_labels_can_be_taken_over_from_the_model(client):
    project = make_project("multi_label")
    annotator = make_annotator(project)
    client.force_login(annotator)
    make_codebook(project)
    machine = make_machine(project)
    round_ = make_round(project, annotators=[annotator], machine=machine)
    make_suggestion(machine, round_.items.get(rank=0).sample, {"yes": 0.1, "no": 0.2})
    response = answer(client, show(client, round_), "yes", **HTMX)
    assertContains(response, "none of the labels")
    assertContains(response, "Change to the model")


def test_where_the_round_is_not_blind_the_answer_says_what_was_seen(client, disagreement):
    Round.objects.update(blind=False)
    page = show(client, disagreement)
    assertContains(page, "It denies.")
    answer(client, page, "yes")
    stored = Annotation.objects.get()
    assert not stored.blind
    assert stored.suggestion.code == "no"
    assert not Annotation.objects.measuring().exists()


def expire(seat):
    Assignment.objects.filter(pk=seat.pk).update(lease_until=now() - timedelta(seconds=1))


@pytest.fixture
def late(client, round_):
    """The first annotator's page, whose lease ran out, and a second annotator who took the seat."""
    page = show(client, round_)
    first = User.objects.get(pk=client.session["_auth_user_id"])
    second = make_annotator(round_.project)
    RoundAnnotator.objects.create(round=round_, user=second)
    for seat in Assignment.objects.filter(state="leased"):
        expire(seat)
    client.force_login(second)
    taken = show(client, round_)
    assert b"first text" in taken.content
    client.force_login(first)
    return page


def test_a25_a_late_answer_is_kept_as_an_extra_and_takes_nobodys_seat(client, late):
    taken = Assignment.objects.filter(round_item__rank=0)
    before = taken.values_list("annotator", "state", "version").get()
    answer(client, late)
    stored = Annotation.objects.get()
    assert (stored.extra, stored.late, stored.assignment) == (True, True, None)
    assert taken.values_list("annotator", "state", "version").get() == before
    assert not RoundAnnotator.objects.filter(done__gt=0).exists()


def test_a_late_answer_takes_a_free_seat(client, late, round_):
    item = round_.items.get(rank=0)
    Assignment.objects.create(round=round_, round_item=item, seat=2, priority=0)
    answer(client, late)
    stored = Annotation.objects.get()
    assert (stored.extra, stored.late, stored.assignment.seat) == (False, True, 2)
    assert RoundAnnotator.objects.filter(done=1).count() == 1


def test_an_expired_lease_that_nobody_needed_is_still_mine(client, round_):
    page = show(client, round_)
    expire(Assignment.objects.filter(state="leased").first())
    answer(client, page)
    stored = Annotation.objects.get()
    assert (stored.extra, stored.late) == (False, False)


def test_a_seat_that_i_never_held_does_not_exist_for_me(client, round_):
    url, fields = fields_of(show(client, round_))
    other = make_annotator(round_.project)
    RoundAnnotator.objects.create(round=round_, user=other)
    client.force_login(other)
    assert client.post(url, {**fields, "slugs": "yes"}).status_code == 404
    assert client.get(f"/rounds/{round_.pk}/review/?assignment={url[13:-1]}").status_code == 404
    assert not Annotation.objects.exists()


@pytest.mark.parametrize("make", [make_annotator, make_manager])
def test_whoever_was_not_asked_into_the_round_does_not_see_it(client, round_, make):
    url, fields = fields_of(show(client, round_))
    for project in (round_.project, make_project()):
        client.force_login(make(project))
        assert show(client, round_).status_code == 404
        assert client.post(url, {**fields, "slugs": "yes"}).status_code == 404
        for verb in ("skip", "heartbeat", "release"):
            assert client.post(f"{url}{verb}/").status_code == 404
        assert client.post(f"/rounds/{round_.pk}/undo/").status_code == 404


def test_stopping_gives_the_samples_back(client, round_):
    url, _ = fields_of(show(client, round_))
    client.post(f"{url}release/")
    assert Assignment.objects.open().count() == 3


def test_the_heartbeat_keeps_both_leases_and_says_when_they_are_gone(client, round_):
    url, _ = fields_of(show(client, round_))
    for seat in Assignment.objects.filter(state="leased"):
        expire(seat)
    assert client.post(f"{url}heartbeat/").status_code == 204
    assert not Assignment.objects.filter(lease_until__lt=now()).filter(state="leased").exists()
    Assignment.objects.filter(state="leased").reopen()
    assert client.post(f"{url}heartbeat/").status_code == 409


def test_a_closed_round_hands_out_nothing_but_takes_what_is_held(client, round_):
    page = show(client, round_)
    Round.objects.update(state="closed")
    answer(client, page)
    assert Annotation.objects.count() == 1
    assert Assignment.objects.filter(state="leased").count() == 1


def test_changed_rules_are_named_until_the_next_answer(client, round_):
    answer(client, show(client, round_))
    newer = make_codebook(round_.project, ("yes", "no", "neither"))
    user = User.objects.get(pk=client.session["_auth_user_id"])
    later = make_round(round_.project, annotators=[user], codebook=newer)
    page = show(client, later)
    assertContains(page, "1 rule changed since your last session")
    answer(client, page)
    assert b"since your last session" not in show(client, later).content


def test_hostile_text_stays_text(client):
    project = make_project()
    annotator = make_annotator(project)
    client.force_login(annotator)
    round_ = make_round(project, ["<script>alert(1)</script><b hx-get='/x'>"], [annotator])
    page = show(client, round_)
    assert b"<script>alert" not in page.content
    assertContains(page, "&lt;script&gt;")


def queries(captured):
    """What was asked of the database, without the marks of transactions."""
    marks = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")
    return [q["sql"] for q in captured if not q["sql"].startswith(marks)]


@pytest.mark.parametrize("blind", [True, False])
def test_answer_and_next_take_ten_queries(client, disagreement, blind):
    Round.objects.update(blind=blind)
    page = show(client, disagreement)
    with CaptureQueriesContext(connection) as captured:
        answer(client, page, "yes", **HTMX)
    assert len(queries(captured)) <= 10, "\n".join(queries(captured))


def test_the_claim_walks_the_index_of_the_queue(client, round_):
    user = User.objects.get(pk=client.session["_auth_user_id"])
    if connection.vendor != "sqlite":
        pytest.skip("the plan is read as SQLite writes it")
    values = {"round": round_.pk, "user": user.pk, "most": 2, "seconds": 900}
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {CLAIM['sqlite', False]}", values)
        plan = "\n".join(row[3] for row in cursor.fetchall())
    assert plan.count("SEARCH seat USING INDEX assignment_queue") >= 1 or (
        plan.count("SEARCH seat USING COVERING INDEX assignment_queue") >= 1
    ), plan
    assert "SCAN annotation" not in plan
    assert "TEMP B-TREE" not in plan, plan


def test_leases_are_judged_by_the_clock_of_the_database(round_):
    user = round_.seats.get().user
    with CaptureQueriesContext(connection) as captured:
        claims.leases(round_, user)
        claims.extend(round_, user)
        claims.sweep(round_, user)
    told = [sql for sql in queries(captured) if "lease_until" in sql]
    assert len(told) > 3
    assert not [sql for sql in told if re.search(r"\d{4}-\d\d-\d\d", sql)]


def gzipped(content):
    return len(gzip.compress(content, 6))


def test_the_first_load_is_under_60_kb_and_the_next_sample_under_6(client):
    project = make_project()
    slugs = [f"topic-{n}" for n in range(30)]
    make_codebook(project, slugs, instructions="Read the whole text. " * 40)
    annotator = make_annotator(project)
    client.force_login(annotator)
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(3000)]
    machine = make_machine(project)
    round_ = make_round(
        project,
        [" ".join(rng.choices(words, k=150)) for _ in range(3)],
        [annotator],
        machine=machine,
    )
    for item in round_.items.all():
        make_suggestion(machine, item.sample, dict.fromkeys(slugs, 1 / 30))
    page = show(client, round_)
    assets = re.findall(r'(?:src|href)="/?static/([^"]+)"', page.content.decode())
    paths = [finders.find(asset) for asset in assets]
    assert all(paths)
    total = gzipped(page.content) + sum(gzipped(Path(path).read_bytes()) for path in paths)
    assert total < 60_000, total
    ahead = re.search(r'<template id="ahead" data-key="([^"]+)"', page.content.decode())[1]
    assert gzipped(answer(client, page, slugs[0], data={"have": ahead}, **HTMX).content) < 6_000


def test_a40_a_leased_sample_is_answered_under_the_edition_it_was_shown_by(client, round_):
    edition = round_.codebook
    page = show(client, round_)
    newer = make_codebook(round_.project, ("certainly",))
    assert round_.project.edition() == newer
    url, fields = fields_of(page)
    assert client.post(url, {**fields, "slugs": "certainly"}).status_code == 422
    assert answer(client, page, "no").status_code == 302
    stored = Annotation.objects.get()
    assert (stored.codebook, stored.code, stored.extra) == (edition, "no", False)
    after = show(client, round_)
    assertContains(after, "Yes")
    assert answer(client, after, "yes").status_code == 302
    assert {one.codebook_id for one in Annotation.objects.all()} == {edition.pk}
