"""Rounds on their pages: designing, routing into them, who works in them, their seats."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from annotation.actions import draws
from annotation.actions.rounds import route_low_confidence
from annotation.models import Assignment, Project, Round, RoundItem, Sample, Suggestion
from annotation.reports.draws import look
from tests.factories import (
    make_adjudicator,
    make_annotator,
    make_codebook,
    make_machine,
    make_manager,
    make_project,
    make_round,
    make_sample,
    make_suggestion,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    project = make_project()
    make_codebook(project)
    return project


@pytest.fixture
def machine(project):
    """It answers ten samples with confidence .5, .55 ... .95."""
    machine = make_machine(project)
    for i in range(10):
        sample = make_sample(project, f"text {i}")
        make_suggestion(machine, sample, {"yes": 0.5 + i / 20, "no": 0.5 - i / 20})
    return machine


@pytest.fixture
def manager(client, project):
    manager = make_manager(project)
    client.force_login(manager)
    return manager


def designed(project, annotator, **changes):
    return {
        "name": "First round",
        "purpose": "review",
        "codebook": project.edition().pk,
        "strategy": "least_confidence",
        "machine": project.machines.first().pk,
        "budget": "3",
        "audit": "2",
        "overlap": 2,
        "blind": "on",
        "annotators": [annotator.pk],
        "seed": 5,
        "key": str(uuid4()),
        "frame-split": "pool",
        "frame-drawn": "no",
        **changes,
    }


# Designing


def test_the_form_comes_filled_with_a_design_that_can_be_drawn(client, project, machine, manager):
    annotator = make_annotator(project)
    response = client.get(f"/projects/{project.pk}/rounds/new/")
    assertContains(response, "Draw and open the round")
    form = response.context["form"]
    assert form.initial["annotators"] == [annotator]
    assert (form.initial["budget"], form.initial["audit"]) == ("15%", "5%")


def test_a_designed_round_is_drawn_and_shown(client, project, machine, manager):
    annotator = make_annotator(project)
    response = client.post(f"/projects/{project.pk}/rounds/new/", designed(project, annotator))
    round_ = Round.objects.get()
    assertRedirects(response, f"/rounds/{round_.pk}/")
    assert (round_.state, round_.items.count(), round_.created_by) == ("open", 5, manager)
    assert round_.assignments.count() == 10
    page = client.get(f"/rounds/{round_.pk}/")
    assertContains(page, round_.frame["hash"])
    assertContains(page, annotator.username)


def test_a_double_click_draws_one_round(client, project, machine, manager):
    design = designed(project, make_annotator(project))
    for _ in range(2):
        client.post(f"/projects/{project.pk}/rounds/new/", design)
    assert Round.objects.count() == 1


def test_a_design_that_cannot_be_drawn_says_why(client, project, machine, manager):
    annotator = make_annotator(project)
    for changes, message in [
        ({"budget": "lots"}, "is no budget"),
        ({"annotators": []}, "This field is required"),
        ({"frame-text": "nowhere"}, "No sample is in the frame"),
        ({"frame-confidence_below": "7"}, "less than or equal to 1"),
        ({"machine": ""}, "needs a machine"),
    ]:
        design = designed(project, annotator, **changes)
        response = client.post(f"/projects/{project.pk}/rounds/new/", design)
        assertContains(response, message, status_code=422)
    assert not Round.objects.exists()


def test_a_project_without_a_published_codebook_is_told_to_publish_one(client):
    project = make_project()
    client.force_login(make_manager(project))
    assertContains(client.get(f"/projects/{project.pk}/rounds/"), "publish its first edition")
    assertContains(client.get(f"/projects/{project.pk}/rounds/new/"), "Publish the codebook")


def test_the_preview_shows_the_trade_and_writes_nothing(client, project, machine, manager):
    path = f"/projects/{project.pk}/rounds/new/preview/"
    design = designed(project, make_annotator(project))
    fragment = client.post(path, design, headers={"HX-Request": "true"})
    assertContains(fragment, "5 of 10 in the frame")
    assertContains(fragment, "10 answers asked for")
    assertContains(fragment, "2 samples have a known chance")
    assert b"<html" not in fragment.content
    page = client.post(path, design)
    assertContains(page, f'action="/projects/{project.pk}/rounds/new/"')  # not here: it draws
    assert not Round.objects.exists()


def test_the_preview_says_what_is_missing(client, project, machine, manager):
    path = f"/projects/{project.pk}/rounds/new/preview/"
    design = designed(project, make_annotator(project), budget="", audit="confidence<0.5")
    response = client.post(path, design, headers={"HX-Request": "true"})
    assertContains(response, "Budget: This field is required")
    design = designed(project, make_annotator(project), audit="")
    response = client.post(path, design, headers={"HX-Request": "true"})
    assertContains(response, "no sample is drawn by lot")


def test_the_form_has_the_options_of_the_chosen_strategy_only(client, project, machine, manager):
    path = f"/projects/{project.pk}/rounds/new/"
    assertNotContains(client.get(path), "option_neighbours")
    page = client.get(path, {"strategy": "vote_k"})
    assertContains(page, 'name="option_neighbours" value="150"')
    design = designed(project, make_annotator(project), strategy="uncertainty_weighted")
    headers = {"HX-Request": "true", "HX-Target": "round_options"}
    fragment = client.post(f"{path}preview/", design, headers=headers)
    assertContains(fragment, 'name="option_uniform" value="0.3"')
    assertNotContains(fragment, "<html")
    without_script = client.post(f"{path}preview/", {**design, "option_neighbours": "9"})
    assertContains(without_script, 'name="option_uniform" value="0.3"')
    assertNotContains(without_script, "option_neighbours")


def test_the_options_of_a_strategy_are_stored_and_shown(client, project, machine, manager):
    design = designed(
        project, make_annotator(project), strategy="uncertainty_weighted", option_uniform="0.5"
    )
    client.post(f"/projects/{project.pk}/rounds/new/", design)
    round_ = Round.objects.get()
    assert round_.parameters["options"] == {"uniform": 0.5}
    page = client.get(f"/rounds/{round_.pk}/")
    assertContains(page, "Uniform share of the draw: <bdi hx-disable>0.5</bdi>")


@pytest.mark.parametrize("typed", ["0", "1.5", "much", "nan"])
def test_a_bad_option_is_refused_by_its_name(client, project, machine, manager, typed):
    design = designed(
        project, make_annotator(project), strategy="uncertainty_weighted", option_uniform=typed
    )
    page = client.post(f"/projects/{project.pk}/rounds/new/", design)
    assert page.status_code == 422
    assert page.context["form"].errors["option_uniform"]
    preview = client.post(
        f"/projects/{project.pk}/rounds/new/preview/", design, headers={"HX-Request": "true"}
    )
    assertContains(preview, "Uniform share of the draw: E")
    assert not Round.objects.exists()


def test_the_frame_takes_only_questions_it_knows(client, project, machine, manager):
    design = designed(
        project, make_annotator(project), **{"frame-text": "text 1", "frame-project__id": "1"}
    )
    client.post(f"/projects/{project.pk}/rounds/new/", design)
    round_ = Round.objects.get()
    assert round_.frame["filter"] == {
        "text": "text 1",
        "split": "pool",
        "drawn": False,
        "machine": machine.pk,
    }


# The policy


@pytest.fixture
def policy(project):
    Project.objects.filter(pk=project.pk).update(route_below=0.7, route_overlap=2)


def test_what_falls_below_the_threshold_goes_to_the_review_queue(project, machine, policy):
    annotator = make_annotator(project)
    machine.refresh_from_db()
    assert route_low_confidence(machine) == 4 * 2
    round_ = Round.objects.get()
    assert (round_.routed, round_.state, round_.machine) == (True, "open", machine)
    assert round_.seats.get().user == annotator
    texts = round_.items.order_by("rank").values_list("sample__text", flat=True)
    assert list(texts) == ["text 0", "text 1", "text 2", "text 3"]
    assert set(round_.items.values_list("inclusion", "stratum")) == {(None, "confidence_threshold")}


def test_routing_again_adds_only_what_is_new(project, machine, policy):
    machine.refresh_from_db()
    route_low_confidence(machine)
    assert route_low_confidence(machine) == 0
    late = make_sample(project, "came later")
    make_suggestion(machine, late, {"yes": 0.6, "no": 0.4})
    assert route_low_confidence(machine) == 2
    assert Round.objects.get().items.count() == 5
    assert RoundItem.objects.get(sample=late).rank == 4


def test_a_missing_confidence_is_routed_on_purpose(project, machine, policy):
    silent = make_sample(project, "how sure was not said")
    Suggestion.objects.create(
        machine=machine, sample=silent, value={"label": "no"}, code="no",
        probabilities={"no": 1}, source="verbalized",
    )  # fmt: skip
    machine.refresh_from_db()
    route_low_confidence(machine)
    item = RoundItem.objects.get(sample=silent)
    assert (item.rank, item.score) == (0, None)


def test_without_a_policy_nothing_is_routed(machine):
    assert route_low_confidence(machine) == 0
    assert not Round.objects.exists()


def test_samples_kept_for_tests_are_not_routed(project, machine, policy):
    Sample.objects.filter(text="text 0").update(split="test")
    machine.refresh_from_db()
    assert route_low_confidence(machine) == 3 * 2


def test_a_closed_queue_is_followed_by_a_new_one(client, project, machine, policy, manager):
    machine.refresh_from_db()
    route_low_confidence(machine)
    first = Round.objects.get()
    client.post(f"/rounds/{first.pk}/close/")
    make_suggestion(machine, make_sample(project, "later"), {"yes": 0.6, "no": 0.4})
    route_low_confidence(machine)
    assert Round.objects.exclude(pk=first.pk).get().items.count() == 1
    response = client.post(f"/rounds/{first.pk}/reopen/", follow=True)
    assertContains(response, "newer review queue")


def test_the_policy_is_set_on_the_page_and_applied_at_once_if_asked(
    client, project, machine, manager
):
    response = client.post(
        f"/projects/{project.pk}/rounds/policy/",
        {"policy-route_below": "0.6", "policy-route_overlap": "1", "policy-machine": machine.pk},
        follow=True,
    )
    assertContains(response, "2 seats were added")
    project.refresh_from_db()
    assert (project.route_below, project.route_overlap) == (0.6, 1)


@pytest.mark.parametrize("threshold", ["0", "1.5", "-1", "nan", "inf", "half"])
def test_a_threshold_that_is_no_probability_is_refused(client, project, manager, threshold):
    response = client.post(
        f"/projects/{project.pk}/rounds/policy/",
        {"policy-route_below": threshold, "policy-route_overlap": "1"},
    )
    assert response.status_code == 422
    project.refresh_from_db()
    assert project.route_below is None


# The page of a round


@pytest.fixture
def round_(project):
    return make_round(project, annotators=[make_annotator(project), make_annotator(project)])


def lease(round_, user):
    seat = round_.assignments.open().first()
    Assignment.objects.filter(pk=seat.pk).update(
        state="leased", annotator=user, lease_until=now(), leased_at=now(), version=1
    )
    seat.refresh_from_db()
    return seat


def skip(round_, user):
    seat = lease(round_, user)
    Assignment.objects.filter(pk=seat.pk).update(
        state="skipped", skip_reason="language", skip_note="it is Welsh", closed_at=now()
    )
    return seat


def test_the_page_counts_seats_and_shows_why_some_were_skipped(client, round_, manager):
    first, second = [place.user for place in round_.seats.order_by("pk")]
    lease(round_, first)
    skip(round_, second)
    response = client.get(f"/rounds/{round_.pk}/")
    assertContains(response, "I do not read this language")
    assertContains(response, "it is Welsh")
    assertContains(response, "at work")
    shown = response.context["round"]
    assert (shown.open, shown.leased, shown.done, shown.skipped) == (0, 1, 0, 1)


def test_a_stuck_seat_is_released_once(client, round_, manager):
    seat = lease(round_, round_.seats.first().user)
    client.post(f"/assignments/{seat.pk}/free/")
    seat.refresh_from_db()
    assert (seat.state, seat.annotator, seat.lease_until, seat.version) == ("open", None, None, 2)
    again = client.post(f"/assignments/{seat.pk}/free/", follow=True)
    assertContains(again, "no longer held")
    seat.refresh_from_db()
    assert seat.version == 2


def test_an_answered_seat_is_not_taken_back(client, round_, manager):
    seat = lease(round_, round_.seats.first().user)
    Assignment.objects.filter(pk=seat.pk).update(state="done")
    client.post(f"/assignments/{seat.pk}/free/")
    seat.refresh_from_db()
    assert seat.state == "done"


def test_a_skipped_sample_is_offered_to_someone_else_once(client, round_, manager):
    seat = skip(round_, round_.seats.first().user)
    for _ in range(2):
        client.post(f"/assignments/{seat.pk}/offer/")
    seats = Assignment.objects.filter(round_item=seat.round_item).order_by("seat")
    assert list(seats.values_list("seat", "state")) == [(1, "skipped"), (2, "open")]
    assertContains(client.get(f"/rounds/{round_.pk}/"), "offered to someone else")


def test_a_sample_that_everyone_has_had_waits_for_another_annotator(client, project, manager):
    annotator = make_annotator(project)
    round_ = make_round(project, texts=["only one"], annotators=[annotator])
    seat = skip(round_, annotator)
    response = client.post(f"/assignments/{seat.pk}/offer/", follow=True)
    assertContains(response, "add an annotator first")
    client.post(f"/rounds/{round_.pk}/people/", {"annotators": [manager.pk]})
    client.post(f"/assignments/{seat.pk}/offer/")
    assert round_.assignments.open().count() == 1


def test_a_round_is_closed_and_opened_again(client, round_, manager):
    client.post(f"/rounds/{round_.pk}/close/")
    round_.refresh_from_db()
    assert round_.state == "closed"
    assert round_.closed_at is not None
    client.post(f"/rounds/{round_.pk}/reopen/")
    round_.refresh_from_db()
    assert (round_.state, round_.closed_at) == ("open", None)


def test_only_members_are_asked(client, round_, manager):
    stranger = make_user()
    response = client.post(f"/rounds/{round_.pk}/people/", {"annotators": [stranger.pk]})
    assert response.status_code == 422
    assert not round_.seats.filter(user=stranger).exists()


def test_a_round_that_is_being_drawn_does_not_exist_yet(client, project, round_, manager):
    Round.objects.filter(pk=round_.pk).update(state="drawing", drawing_until=now())
    assert client.get(f"/rounds/{round_.pk}/").status_code == 404
    page = client.get(f"/projects/{project.pk}/rounds/")
    assertContains(page, "being drawn")
    assertContains(page, 'hx-trigger="every 2s"')
    client.force_login(round_.seats.first().user)
    assertNotContains(client.get(f"/projects/{project.pk}/rounds/"), "being drawn")


def test_a_large_round_is_drawn_by_the_worker(client, project, machine, manager, settings):
    settings.DRAW_AT_ONCE = 2
    design = designed(project, make_annotator(project))
    response = client.post(f"/projects/{project.pk}/rounds/new/", design, follow=True)
    assertRedirects(response, f"/projects/{project.pk}/rounds/")
    assertContains(response, 'value="0" max="5"')
    draws.work_on_due()
    page = client.get(f"/projects/{project.pk}/rounds/")
    assertNotContains(page, "being drawn")
    assertContains(page, "First round")


def test_a_round_that_could_not_be_drawn_says_why(client, project, round_, manager):
    Round.objects.filter(pk=round_.pk).update(
        state="drawing", parameters={"problem": "No sample is left."}
    )
    assertContains(client.get(f"/projects/{project.pk}/rounds/"), "No sample is left.")


def test_annotators_see_their_rounds_in_the_list_and_no_design(client, project, round_):
    other = make_round(project, name="A round for others")
    client.force_login(round_.seats.first().user)
    response = client.get(f"/projects/{project.pk}/rounds/")
    assertContains(response, round_.name)
    assertNotContains(response, other.name)
    assertNotContains(response, "Routing policy")
    assert client.get(f"/rounds/{round_.pk}/").status_code == 404


def test_adjudicators_look_but_do_not_manage(client, project, round_):
    client.force_login(make_adjudicator(project))
    response = client.get(f"/rounds/{round_.pk}/")
    assertNotContains(response, "Close the round")
    assert client.post(f"/rounds/{round_.pk}/close/").status_code == 404


def test_the_list_asks_no_more_of_the_database_for_more_rounds(client, project, manager):
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as captured:
            client.get(f"/projects/{project.pk}/rounds/")
        return len(captured)

    make_round(project)
    few = queries()
    for _ in range(5):
        make_round(project, annotators=[manager])
    assert queries() == few


def test_the_page_asks_no_more_of_the_database_for_more_skips(client, project, manager):
    annotator = make_annotator(project)
    round_ = make_round(project, texts=[f"t{i}" for i in range(8)], annotators=[annotator])

    def queries():
        with CaptureQueriesContext(connection) as captured:
            client.get(f"/rounds/{round_.pk}/")
        return len(captured)

    skip(round_, annotator)
    lease(round_, annotator)
    few = queries()
    for _ in range(3):
        skip(round_, annotator)
        lease(round_, annotator)
    assert queries() == few


def test_the_list_is_paged_by_place(client, project, manager):
    made = [make_round(project, texts=["t"]) for _ in range(27)]
    first = client.get(f"/projects/{project.pk}/rounds/").context["page"]
    assert [round_.pk for round_ in first.rows] == [round_.pk for round_ in made[:1:-1]]
    second = client.get(f"/projects/{project.pk}/rounds/?after={first.next}").context["page"]
    assert [round_.pk for round_ in second.rows] == [made[1].pk, made[0].pk]
    back = client.get(f"/projects/{project.pk}/rounds/?before={second.previous}").context["page"]
    assert back.rows == first.rows
    assert back.previous == ""


# Looking at a draw before people are asked


def look_first(client, project):
    design = designed(project, make_annotator(project), look="1")
    client.post(f"/projects/{project.pk}/rounds/new/", design)
    return Round.objects.get(state="drawn")


def test_a_draw_is_looked_at_before_anyone_is_asked(client, project, machine, manager):
    round_ = look_first(client, project)
    person = round_.seats.get().user
    assert (round_.state, round_.items.count()) == ("drawn", 5)
    page = client.get(f"/rounds/{round_.pk}/")
    assertContains(page, "Open it for people")
    assertContains(page, "text 0")
    assert not Round.objects.waiting_for(person).exists()
    for user, path in (
        (person, f"/rounds/{round_.pk}/"),
        (person, f"/rounds/{round_.pk}/review/"),
        (make_adjudicator(project), f"/rounds/{round_.pk}/"),
        (make_adjudicator(project), f"/rounds/{round_.pk}/adjudicate/"),
    ):
        client.force_login(user)
        assert client.get(path).status_code == 404
    client.force_login(manager)
    client.post(f"/rounds/{round_.pk}/open/")
    round_.refresh_from_db()
    assert round_.state == "open"
    assert Round.objects.waiting_for(person).get() == round_


def test_a_draw_that_was_looked_at_can_be_discarded_until_people_are_asked(
    client, project, machine, manager
):
    round_ = look_first(client, project)
    client.post(f"/rounds/{round_.pk}/discard/")
    assert not RoundItem.objects.exists()
    assert client.get(f"/rounds/{round_.pk}/").status_code == 404
    listed = client.get(f"/projects/{project.pk}/rounds/")
    assertContains(listed, "1 draw was looked at and given up")
    assertContains(listed, f"seed {round_.seed}")
    assert list(Round.objects.values_list("state", flat=True)) == ["dropped"]
    round_ = look_first(client, project)
    client.post(f"/rounds/{round_.pk}/open/")
    response = client.post(f"/rounds/{round_.pk}/discard/", follow=True)
    assertContains(response, "close it instead")
    assert round_.items.count() == 5


def test_the_look_shows_the_mix_and_how_many_rare_labels_were_drawn(project, machine):
    rare = make_sample(project, "a rare one")
    make_suggestion(machine, rare, {"yes": 0.45, "no": 0.55})
    for n in range(20):
        make_suggestion(machine, make_sample(project, f"sure {n}"), {"yes": 0.99, "no": 0.01})
    round_ = make_round(project, samples=[rare, Sample.objects.first()])
    round_.machine = machine
    found = look(round_)
    assert [(s.name, s.frame, s.drawn, s.rare) for s in found.shares] == [
        ("Yes", 30, 1, False),
        ("No", 1, 1, True),
    ]
    assert (found.rare_in_frame, found.rare_in_drawn) == (pytest.approx(1 / 31), 0.5)
    assert [item.sample for item in found.first] == [rare, Sample.objects.first()]
    assert found.unlabelled == 0
