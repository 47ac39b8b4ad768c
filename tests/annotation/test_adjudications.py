"""Settling disagreements: blind to names and machine until decided, and never over another."""

import pytest
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from annotation.models import Adjudication
from tests.factories import (
    make_adjudicator,
    make_annotation,
    make_annotator,
    make_codebook,
    make_machine,
    make_project,
    make_round,
    make_suggestion,
)

pytestmark = pytest.mark.django_db


class Scene:
    """Three samples, two answers each; people disagree about the first and the third."""

    def __init__(self, **fields):
        self.project = make_project(**fields)
        make_codebook(self.project, ["yes", "no", "maybe"])
        self.people = [make_annotator(self.project), make_annotator(self.project)]
        self.machine = make_machine(self.project)
        self.round = make_round(
            self.project,
            texts=["first text", "second text", "third text"],
            annotators=self.people,
            overlap=2,
            machine=self.machine,
        )
        self.items = list(self.round.items.order_by("rank"))
        for item, answers in zip(self.items, ["yn", "yy", "ny"], strict=True):
            for person, letter in zip(self.people, answers, strict=True):
                make_annotation(item, person, {"y": "yes", "n": "no"}[letter])
        self.path = f"/rounds/{self.round.pk}/adjudicate/"

    def settlement(self, item=None, **changes):
        item = item or self.items[0]
        return {"item": item.pk, "over": "", "answer": "yes", "reason": "Rule 2.", **changes}


@pytest.fixture
def scene():
    return Scene()


@pytest.fixture
def adjudicator(client, scene):
    adjudicator = make_adjudicator(scene.project)
    client.force_login(adjudicator)
    return adjudicator


def test_the_first_disagreement_comes_with_its_answers_and_rules(client, scene, adjudicator):
    response = client.get(scene.path)
    assertContains(response, "first text")
    assertContains(response, "2 disagreements are waiting")
    assert sorted(answer.words for answer in response.context["answers"]) == ["No", "Yes"]
    assert [label.slug for label in response.context["rules"]] == ["yes", "no"]


def test_neither_names_nor_the_suggestion_are_shown_before_the_decision(client, scene, adjudicator):
    make_suggestion(
        scene.machine,
        scene.items[0].sample,
        {"yes": 0.1, "no": 0.2, "maybe": 0.7},
        rationale="because it wavers",
    )
    pseudonyms = [m.pseudonym for m in scene.project.memberships.filter(role="annotator")]
    hidden = [person.username for person in scene.people] + pseudonyms + ["because it wavers"]
    before = client.get(scene.path)
    for secret in hidden:
        assertNotContains(before, secret)
    after = client.post(scene.path, scene.settlement(), follow=True)
    assertContains(after, "because it wavers")
    for pseudonym in pseudonyms:
        assertContains(after, pseudonym)
    for person in scene.people:
        assertNotContains(after, person.username)


def test_comments_are_shown_once_it_is_decided_since_they_can_tell_who_or_what(
    client, scene, adjudicator
):
    telling = "as the model says, and as Mia and I agreed"
    person = scene.people[0]
    first = scene.items[0].annotations.get(annotator=person)
    said = {"yes": 1.0, "no": 0.0, "maybe": 0.0}
    seen = make_suggestion(scene.machine, scene.items[0].sample, said)
    changed = {"supersedes": first, "blind": False, "suggestion": seen, "comment": telling}
    make_annotation(scene.items[0], person, "yes", **changed)
    before = client.get(scene.path)
    assertNotContains(before, telling)
    assertContains(before, "With a comment", 1)
    assertNotContains(
        client.post(scene.path, scene.settlement(answer="")), telling, status_code=422
    )
    assertContains(client.post(scene.path, scene.settlement(), follow=True), telling)


def test_the_order_of_the_answers_is_the_same_for_everyone_and_differs_by_sample(client):
    scene = Scene()
    orders = set()
    for item in scene.items[::2]:
        seen = []
        for _ in range(2):
            client.force_login(make_adjudicator(scene.project))
            answers = client.get(f"{scene.path}?item={item.pk}").context["answers"]
            seen.append([answer.annotator_id for answer in answers])
        assert seen[0] == seen[1]
        orders.add(tuple(seen[0]))
    # Two samples may by chance agree in their order; many may not.
    for seed in range(2, 12):
        scene.round.__class__.objects.filter(pk=scene.round.pk).update(seed=seed)
        answers = client.get(f"{scene.path}?item={scene.items[0].pk}").context["answers"]
        orders.add(tuple(answer.annotator_id for answer in answers))
    assert len(orders) == 2


def test_settling_leads_on_to_the_next_disagreement(client, scene, adjudicator):
    response = client.post(scene.path, scene.settlement(answer="maybe"))
    assertRedirects(response, f"{scene.path}?item={scene.items[0].pk}")
    settled = Adjudication.objects.get()
    assert (settled.code, settled.adjudicator) == ("maybe", adjudicator)
    assert settled.codebook == scene.round.codebook
    assertContains(client.get(scene.path), "third text")
    client.post(scene.path, scene.settlement(scene.items[2]))
    assertContains(client.get(scene.path), "Nothing to settle")


def test_one_may_be_left_for_later(client, scene, adjudicator):
    assertContains(client.get(f"{scene.path}?after=0"), "third text")
    assertContains(client.get(f"{scene.path}?after=2"), "first text")
    assert client.get(f"{scene.path}?after={'9' * 5000}").status_code == 200


@pytest.mark.parametrize(
    "changes", [{"reason": " "}, {"answer": ""}, {"answer": "perhaps"}, {"over": "x"}]
)
def test_a_settlement_needs_a_label_of_the_edition_and_a_reason(
    client, scene, adjudicator, changes
):
    response = client.post(scene.path, scene.settlement(**changes))
    assert response.status_code == 422
    assert not Adjudication.objects.exists()


def test_settling_again_supersedes_and_keeps_the_first(client, scene, adjudicator):
    client.post(scene.path, scene.settlement())
    first = Adjudication.objects.get()
    client.post(scene.path, scene.settlement(answer="no", over=first.pk))
    assert Adjudication.objects.count() == 2
    assert Adjudication.objects.get(superseded_by=None).supersedes == first


def test_a_double_click_settles_once(client, scene, adjudicator):
    for _ in range(2):
        response = client.post(scene.path, scene.settlement())
        assert response.status_code == 302
    assert Adjudication.objects.count() == 1


def test_a27_the_slower_of_two_adjudicators_sees_both_values(client, scene, adjudicator):
    client.post(scene.path, scene.settlement(answer="no", reason="It is denied."))
    client.force_login(make_adjudicator(scene.project))
    response = client.post(scene.path, scene.settlement(answer="maybe"))
    assertContains(response, "Someone else settled", status_code=409)
    assertContains(response, "It is denied.", status_code=409)
    assert response.context["standing"].words == "No"
    assert response.context["mine"] == "Maybe"
    assert Adjudication.objects.count() == 1
    over = response.context["form"]["over"].value()
    client.post(scene.path, scene.settlement(answer="maybe", over=over))
    assert Adjudication.objects.get(superseded_by=None).code == "maybe"


def test_two_at_the_same_moment_leave_one(scene):
    """The constraint decides where both saw an unsettled sample."""
    item, value = scene.items[0], {"label": "yes"}
    fields = {
        "project": scene.project,
        "sample": item.sample,
        "round_item": item,
        "codebook": scene.round.codebook,
        "value": value,
        "code": "yes",
        "reason": "r",
    }
    Adjudication.objects.create(adjudicator=scene.people[0], **fields)
    with pytest.raises(Exception, match=r"UNIQUE|unique"):
        Adjudication.objects.create(adjudicator=scene.people[1], **fields)


def test_a_sample_on_which_people_agree_can_be_opened_by_its_link(client, scene, adjudicator):
    assertContains(client.get(f"{scene.path}?item={scene.items[1].pk}"), "second text")


def test_an_item_of_another_round_does_not_exist(client, scene, adjudicator):
    other = Scene()
    for item in [other.items[0].pk, "x", "", "9" * 5000]:
        assert client.get(f"{scene.path}?item={item}").status_code == 404
        settlement = {**scene.settlement(), "item": item}
        assert client.post(scene.path, settlement).status_code == 404


def test_a_sample_nobody_answered_cannot_be_settled(client, scene, adjudicator):
    bare = make_round(scene.project, texts=["no answers"])
    path = f"/rounds/{bare.pk}/adjudicate/"
    assert client.get(f"{path}?item={bare.items.get().pk}").status_code == 404


def test_annotators_do_not_adjudicate(client, scene):
    client.force_login(scene.people[0])
    assert client.get(scene.path).status_code == 404


def test_a_corrected_answer_that_agrees_is_no_disagreement(client, scene, adjudicator):
    item, second = scene.items[0], scene.people[1]
    first_answer = item.annotations.get(annotator=second)
    make_annotation(item, second, "yes", supersedes=first_answer, blind=False)
    assertContains(client.get(scene.path), "third text")


def test_multi_label_answers_are_settled_as_sets(client):
    project = make_project("multi_label")
    make_codebook(project, ["a", "b", "c"])
    people = [make_annotator(project), make_annotator(project)]
    round_ = make_round(project, texts=["both"], annotators=people, overlap=2)
    item = round_.items.get()
    make_annotation(item, people[0], ["a"])
    make_annotation(item, people[1], ["a", "b"])
    client.force_login(make_adjudicator(project))
    settlement = {"item": item.pk, "answer": ["c", "a"], "reason": "Both.", "over": ""}
    client.post(f"/rounds/{round_.pk}/adjudicate/", settlement)
    assert Adjudication.objects.get().value == {"labels": ["a", "c"]}
