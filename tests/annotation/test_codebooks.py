"""The rules: reading, writing, publishing and comparing them."""

import json
import re
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils.timezone import now

from annotation.actions.codebooks import sample_texts
from annotation.models import (
    Adjudication,
    Annotation,
    Assignment,
    Codebook,
    CodebookNote,
    Label,
    Project,
    Sample,
    SampleImport,
)
from annotation.task_types.base import LabelRule, Rules
from annotation.task_types.changes import compare, word_diff
from annotation.task_types.checks import make_slug
from annotation.task_types.rendering import rules_text
from generation.techniques import prompt
from tests.factories import (
    make_adjudicator,
    make_annotation,
    make_annotator,
    make_codebook,
    make_machine,
    make_manager,
    make_project,
    make_round,
    make_sample,
    make_suggestion,
    make_superuser,
    make_user,
)

pytestmark = pytest.mark.django_db

HTMX = {"headers": {"HX-Request": "true"}}


def make_draft(project, slugs=("yes", "no"), **fields):
    return make_codebook(project, slugs, published=False, **fields)


def form_of(codebook, do="save", **changes):
    """What the editor would post of this draft."""
    data = {
        "version": codebook.version,
        "do": do,
        "question": codebook.question,
        "instructions": codebook.instructions,
        "unsure": codebook.unsure,
        "unsure_policy": codebook.unsure_policy,
    }
    for i, label in enumerate(codebook.labels.all()):
        for field in ("slug", "name", "definition", "include", "exclude", "key"):
            data[f"labels-{i}-{field}"] = getattr(label, field)
        data[f"labels-{i}-number"] = "" if label.number is None else label.number
        for j, example in enumerate(label.examples):
            data[f"labels-{i}-examples-{j}-text"] = example["text"]
            data[f"labels-{i}-examples-{j}-why"] = example["why"]
            if example["near_miss"]:
                data[f"labels-{i}-examples-{j}-near_miss"] = "on"
    return {**data, **{name.replace("__", "-"): value for name, value in changes.items()}}


def managed(client, task_type="single_label", **fields):
    project = make_project(task_type, **fields)
    client.force_login(make_manager(project))
    return project


def with_draft_of(client, edition):
    """A draft that follows the edition, as the button makes it."""
    client.post(f"/projects/{edition.project_id}/codebook/draft/")
    return Codebook.objects.get(project=edition.project, state="draft")


# Reading


def test_a_project_without_an_edition_says_what_to_do(client):
    project = managed(client)
    draft = make_draft(project)
    page = client.get(f"/projects/{project.pk}/codebook/").content.decode()
    assert f'href="/codebooks/{draft.pk}/edit/"' in page
    client.force_login(make_annotator(project))
    page = client.get(f"/projects/{project.pk}/codebook/").content.decode()
    assert "still writing it" in page
    assert "/edit/" not in page


def test_an_annotator_reads_the_published_edition_and_nothing_of_the_draft(client):
    project = make_project()
    edition = make_codebook(project, instructions="Read **all** of it.")
    draft = make_draft(project, question="Is it secret?")
    CodebookNote.objects.create(
        project=project, codebook=edition, text="For managers", author=make_user()
    )
    client.force_login(make_annotator(project))
    page = client.get(f"/projects/{project.pk}/codebook/").content.decode()
    assert "<strong>all</strong>" in page
    assert "what is not yes" in page
    for hidden in ("secret", "/edit/", "/draft/", "/import/", "For managers"):
        assert hidden not in page
    assert client.get(f"/codebooks/{draft.pk}/").status_code == 404


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("get", "/codebooks/{draft}/edit/"),
        ("post", "/codebooks/{draft}/edit/"),
        ("post", "/codebooks/{draft}/preview/"),
        ("get", "/codebooks/{draft}/publish/"),
        ("post", "/codebooks/{draft}/publish/"),
        ("post", "/codebooks/{draft}/discard/"),
        ("get", "/codebooks/{draft}/export.json"),
        ("get", "/codebooks/{edition}/compare/{draft}/"),
        ("get", "/projects/{project}/codebook/import/"),
        ("post", "/projects/{project}/codebook/draft/"),
        ("post", "/codebook-notes/{note}/close/"),
    ],
)
def test_an_annotator_may_not_write(client, method, address):
    project = make_project()
    edition, draft = make_codebook(project), make_draft(project)
    note = CodebookNote.objects.create(
        project=project, codebook=edition, text="A note", author=make_user()
    )
    ids = {"project": project.pk, "edition": edition.pk, "draft": draft.pk, "note": note.pk}
    client.force_login(make_annotator(project))
    assert getattr(client, method)(address.format(**ids)).status_code == 404
    assert Codebook.objects.filter(pk=draft.pk, version=0, state="draft").exists()


@pytest.mark.parametrize(
    "address",
    [
        "/projects/{project}/codebook/",
        "/projects/{project}/codebook/import/",
        "/codebooks/{edition}/",
        "/codebooks/{edition}/edit/",
        "/codebooks/{edition}/publish/",
        "/codebooks/{edition}/export.json",
        "/codebooks/{edition}/export.md",
        "/codebooks/{edition}/compare/{edition}/",
    ],
)
def test_an_outsider_does_not_learn_that_a_codebook_exists(client, address):
    project = make_project()
    edition = make_codebook(project)
    client.force_login(make_manager(make_project()))
    answer = client.get(address.format(project=project.pk, edition=edition.pk))
    assert answer.status_code == 404


def test_editions_of_two_projects_cannot_be_compared(client):
    project, other = make_project(), make_project()
    user = make_manager(project)
    other.memberships.create(user=user, role="manager")
    one, two = make_codebook(project), make_codebook(other)
    client.force_login(user)
    assert client.get(f"/codebooks/{one.pk}/compare/{two.pk}/").status_code == 404


def test_hostile_words_are_shown_as_text_on_every_page(client):
    project = managed(client)
    evil = '<img src=x onerror="alert(1)">'
    make_codebook(project, question=evil)
    draft = make_draft(project, question=evil, instructions=evil, unsure_policy=evil)
    Label.objects.filter(codebook=draft).update(
        name=evil, definition=evil, examples=[{"text": evil, "why": evil, "near_miss": True}]
    )
    pages = [f"/codebooks/{draft.pk}/{part}" for part in ("", "edit/", "publish/")]
    for address in [*pages, f"/projects/{project.pk}/codebook/"]:
        page = client.get(address).content.decode()
        assert "<img" not in page
        assert "&lt;img src=x" in page


@pytest.mark.parametrize("address", ["/projects/{project}/codebook/", "/codebooks/{edition}/"])
def test_pages_ask_the_database_as_often_for_twenty_editions_as_for_one(
    client, django_assert_max_num_queries, address
):
    project = managed(client)
    user, edition = make_user(), None
    for number in range(1, 21):
        edition = make_codebook(project, [f"l{i}" for i in range(40)], parent=edition)
        sample = make_sample(project)
        CodebookNote.objects.create(
            project=project, codebook=edition, text="A note", author=user, sample=sample
        )
        assert edition.number == number
    ids = {"project": project.pk, "edition": edition.pk}
    with django_assert_max_num_queries(10):
        assert client.get(address.format(**ids)).status_code == 200


# Writing


def test_a_new_draft_is_a_copy_of_the_newest_edition_and_a_second_click_finds_it(client):
    project = managed(client)
    edition = make_codebook(project, ("a", "b"), instructions="Read.")
    for _ in range(2):
        answer = client.post(f"/projects/{project.pk}/codebook/draft/")
        draft = Codebook.objects.drafts().get()
        assert answer.url == f"/codebooks/{draft.pk}/edit/"
    assert (draft.number, draft.parent) == (2, edition)
    assert draft.rules() == edition.rules()


def test_what_is_saved_is_what_the_editor_shows_again(client):
    project = managed(client)
    draft = make_draft(project)
    data = form_of(
        draft,
        question="Which? ",
        instructions="One\r\ntwo",
        unsure="offered",
        labels__0__name="Ja",
        labels__0__examples__0__near_miss="on",
        labels__0__examples__1__text="{{ api_key }} {% url %} {0.__class__}",
    )
    answer = client.post(f"/codebooks/{draft.pk}/edit/", data)
    assert answer.url == f"/codebooks/{draft.pk}/edit/"
    draft.refresh_from_db()
    rules = draft.rules()
    assert (rules.question, rules.instructions, rules.unsure) == ("Which?", "One\ntwo", True)
    assert (rules.labels[0].slug, rules.labels[0].name) == ("yes", "Ja")
    assert [x.near_miss for x in rules.labels[0].examples] == [True, False]
    assert rules.labels[0].examples[1].text == "{{ api_key }} {% url %} {0.__class__}"
    assert "{{ api_key }} {% url %} {0.__class__}" in rules_text(rules)
    page = client.get(f"/codebooks/{draft.pk}/edit/").content.decode()
    assert "{{ api_key }}" in page
    again = client.post(f"/codebooks/{draft.pk}/edit/", form_of(draft))
    assert again.status_code == 302
    draft.refresh_from_db()
    assert draft.rules() == rules


def test_a_new_label_gets_a_slug_from_its_name_that_later_names_do_not_change(client):
    draft = make_draft(managed(client))
    url = f"/codebooks/{draft.pk}/edit/"
    client.post(url, form_of(draft, labels__2__name="Not sure | what", labels__2__key=""))
    draft.refresh_from_db()
    assert draft.rules().slugs == ("yes", "no", "not-sure-what")
    client.post(url, form_of(draft, labels__2__name="Something else"))
    draft.refresh_from_db()
    assert draft.rules().labels[2].slug == "not-sure-what"
    assert draft.rules().labels[2].name == "Something else"


def test_a_label_cannot_be_given_the_slug_of_a_label_it_is_not(client):
    draft = make_draft(managed(client))
    data = form_of(draft, labels__2__name="New", labels__2__slug="stolen|slug")
    client.post(f"/codebooks/{draft.pk}/edit/", data)
    assert draft.rules().slugs == ("yes", "no", "new")


@pytest.mark.parametrize(
    ("name", "taken", "slug"),
    [
        ("Economic policy", (), "economic-policy"),
        ("Yes", ("yes",), "yes-2"),
        ("-1", (), "-1"),
        ("社会", (), "社会"),
        ("unsure", (), "unsure-2"),
        ("?!", (), "label"),
        ("a|b", (), "ab"),
    ],
)
def test_slugs_are_made_from_names(name, taken, slug):
    assert make_slug(name, taken) == slug


@pytest.mark.parametrize(
    ("do", "order"),
    [
        ("down-0", ["no", "yes"]),
        ("up-1", ["no", "yes"]),
        ("up-0", ["yes", "no"]),
        ("down-1", ["yes", "no"]),
        ("remove-0", ["no"]),
        ("add-label", ["yes", "no", ""]),
        ("remove-77", ["yes", "no"]),
        ("nonsense", ["yes", "no"]),
    ],
)
@pytest.mark.parametrize("htmx", [{}, HTMX])
def test_buttons_move_rows_and_keep_all_that_was_typed(client, do, order, htmx):
    draft = make_draft(managed(client))
    data = form_of(draft, do, question="Typed, not saved", labels__0__definition="x" * 5000)
    answer = client.post(f"/codebooks/{draft.pk}/edit/", data, **htmx)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert re.findall(r'name="labels-\d-slug"(?: value="([^"]*)")?', page) == order
    assert "Typed, not saved" in page
    assert ("x" * 5000 in page) is (do != "remove-0")
    assert ("<html" in page) is (not htmx)
    assert Codebook.objects.get(pk=draft.pk).version == 0


def test_examples_are_added_and_taken_away_without_losing_the_others(client):
    draft = make_draft(managed(client))
    url = f"/codebooks/{draft.pk}/edit/"
    page = client.post(url, form_of(draft, "add-example-1")).content.decode()
    assert 'name="labels-1-examples-1-text"' in page
    assert "An example of no." in page
    data = form_of(draft, "remove-example-1-0", labels__1__examples__1__text="The second")
    page = client.post(url, data).content.decode()
    assert "The second" in page
    assert 'name="labels-1-examples-1-text"' not in page
    assert page.count("An example of no.") == 0


def test_a_new_label_is_offered_the_next_free_key(client):
    draft = make_draft(managed(client))
    page = client.post(f"/codebooks/{draft.pk}/edit/", form_of(draft, "add-label")).content
    assert re.search(rb'name="labels-2-key" value="3"', page)


def test_rows_in_which_nothing_was_written_are_dropped(client):
    draft = make_draft(managed(client))
    data = form_of(draft, labels__2__name=" ", labels__2__key="3", labels__2__examples__0__text="")
    data["labels-0-examples-1-text"] = "\n"
    client.post(f"/codebooks/{draft.pk}/edit/", data)
    rules = Codebook.objects.get(pk=draft.pk).rules()
    assert rules.slugs == ("yes", "no")
    assert len(rules.labels[0].examples) == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"labels__0__key": "2"}, "Another label has the key “2” too"),
        ({"labels__0__key": "U"}, "“u” does something else on the review page"),
        ({"labels__0__key": "12"}, "A key is one character"),
        ({"labels__0__key": "\x00"}, "A key is one character"),
        ({"labels__0__name": ""}, "Give the label a name"),
        ({"labels__1__definition": "x" * 4001}, "Label “No”, definition: 4,001 characters"),
        ({"labels__0__examples__0__text": ""}, "example 1, text: Give the text"),
        ({"question": "x" * 501}, "Question: 501 characters; at most 500 fit"),
        ({"question": "a\x00b"}, "U+0000"),
        ({"unsure": "sometimes"}, "Select a valid choice"),
    ],
)
def test_a_draft_that_cannot_be_kept_comes_back_with_its_field_named(client, changes, says):
    draft = make_draft(managed(client))
    data = form_of(draft, instructions="Typed", **changes)
    answer = client.post(f"/codebooks/{draft.pk}/edit/", data)
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert "Typed" in answer.content.decode()
    assert Codebook.objects.get(pk=draft.pk).version == 0


def test_a_point_on_the_scale_must_be_a_number(client):
    draft = make_draft(managed(client, "rating"))
    for number in ("many", "inf", "nan"):
        data = form_of(draft, labels__0__number=number)
        assert client.post(f"/codebooks/{draft.pk}/edit/", data).status_code == 422


def test_a_large_codebook_fits_into_one_form(client):
    draft = make_draft(managed(client), [f"label-{i}" for i in range(79)])
    for label in draft.labels.all():
        label.key = ""
        label.examples = [{"text": f"t{n}", "why": "w", "near_miss": True} for n in range(5)]
        label.save()
    assert client.post(f"/codebooks/{draft.pk}/edit/", form_of(draft)).status_code == 302
    assert Label.objects.filter(codebook=draft).count() == 79


def test_too_many_labels_are_refused_with_the_limit(client):
    draft = make_draft(managed(client))
    more = {f"labels__{i}__name": f"Label {i}" for i in range(2, 151)}
    answer = client.post(f"/codebooks/{draft.pk}/edit/", form_of(draft, **more))
    assert answer.status_code == 422
    assert "151 labels; at most 150 fit" in answer.content.decode()


@pytest.mark.parametrize("htmx", [{}, HTMX])
def test_a_stale_save_shows_both_and_loses_neither(client, htmx):
    draft = make_draft(managed(client))
    mine = form_of(draft, question="My question?")
    client.post(f"/codebooks/{draft.pk}/edit/", form_of(draft, question="Their question?"))
    answer = client.post(f"/codebooks/{draft.pk}/edit/", mine, **htmx)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "<del>Their </del><ins>My </ins>" in page
    assert "My question?" in page
    assert Codebook.objects.get(pk=draft.pk).question == "Their question?"
    version = re.search(r'name="version" value="(\d+)"', page)[1]
    client.post(f"/codebooks/{draft.pk}/edit/", {**mine, "version": version})
    assert Codebook.objects.get(pk=draft.pk).question == "My question?"


def test_a_save_of_a_draft_that_was_published_meanwhile_goes_to_the_next_draft(client):
    project = managed(client)
    draft = make_draft(project)
    mine = form_of(draft, question="My question?")
    Codebook.objects.filter(pk=draft.pk).update(state="published", published_at=now())
    page = client.post(f"/codebooks/{draft.pk}/edit/", mine).content.decode()
    following = Codebook.objects.drafts().get()
    assert f'action="/codebooks/{following.pk}/edit/"' in page
    assert "My question?" in page
    assert Codebook.objects.get(pk=draft.pk).question == "Is it so?"


def test_the_preview_shows_the_card_and_the_prompt_of_what_is_typed(client):
    draft = make_draft(managed(client))
    data = form_of(draft, question="Typed <b>just</b> now?", labels__0__include="the magic word")
    answer = client.post(f"/codebooks/{draft.pk}/preview/", data, **HTMX)
    page = answer.content.decode()
    assert page.count("Typed &lt;b&gt;just&lt;/b&gt; now?") == 2
    assert page.count("the magic word") == 2
    assert "Include when: the magic word" in page
    assert Codebook.objects.get(pk=draft.pk).question == "Is it so?"


def test_the_preview_of_half_written_rules_is_no_error(client):
    draft = make_draft(managed(client))
    for data in ({}, {"labels-0-number": "x", "labels-0-key": "zz"}, {"labels-99-name": "A"}):
        assert client.post(f"/codebooks/{draft.pk}/preview/", data, **HTMX).status_code == 200


def test_one_word_changes_the_card_and_the_prompt_alike_and_only_as_a_new_edition(client):
    project = managed(client)
    edition = make_codebook(project)
    draft = with_draft_of(client, edition)
    data = form_of(draft, labels__0__definition="The text is gruntled.")
    client.post(f"/codebooks/{draft.pk}/edit/", data)
    draft.refresh_from_db()
    form = {"version": draft.version, "change": "wording", "change_note": "Clearer."}
    client.post(f"/codebooks/{draft.pk}/publish/", form)
    new = project.edition()
    assert new.number == 2
    card = client.get(f"/codebooks/{new.pk}/").content.decode()
    assert "gruntled" in card
    assert "gruntled" in rules_text(new.rules())
    assert rules_text(new.rules()) in prompt.codebook(new.rules())
    assert "gruntled" not in client.get(f"/codebooks/{edition.pk}/").content.decode()
    assert "gruntled" not in rules_text(edition.rules())


# Publishing


def test_the_first_edition_is_published_and_then_the_database_refuses_changes(client):
    project = managed(client)
    draft = make_draft(project)
    answer = client.post(f"/codebooks/{draft.pk}/publish/", {"version": 0, "change_note": ""})
    assert answer.url == f"/projects/{project.pk}/codebook/"
    draft.refresh_from_db()
    assert (draft.state, draft.change, draft.number) == ("published", "first", 1)
    changes = [
        lambda: Codebook.objects.filter(pk=draft.pk).update(question="Another?"),
        lambda: Codebook.objects.filter(pk=draft.pk).update(state="draft"),
        lambda: Label.objects.filter(codebook=draft).update(name="Renamed"),
        lambda: Label.objects.create(codebook=draft, slug="more", name="More"),
        lambda: Label.objects.filter(codebook=draft).delete(),
        lambda: Codebook.objects.get(pk=draft.pk).delete(),
    ]
    for change in changes:
        with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
            change()
    client.post(f"/codebooks/{draft.pk}/discard/", {"version": 1})
    assert Codebook.objects.filter(pk=draft.pk).exists()
    assert client.get(f"/codebooks/{draft.pk}/edit/").url == f"/codebooks/{draft.pk}/"


@pytest.mark.parametrize(
    ("task_type", "slugs", "fields", "says"),
    [
        ("single_label", (), {}, "at least 2"),
        ("single_label", ("a",), {}, "at least 2"),
        ("rating", ("a",), {}, "at least 2"),
        ("multi_label", (), {}, "at least 1"),
        ("single_label", ("a", "b"), {"question": ""}, "Ask a question"),
    ],
)
def test_an_edition_without_the_least_is_refused(client, task_type, slugs, fields, says):
    draft = make_draft(managed(client, task_type), slugs, **fields)
    assert says in client.get(f"/codebooks/{draft.pk}/publish/").content.decode()
    answer = client.post(f"/codebooks/{draft.pk}/publish/", {"version": 0})
    assert answer.status_code == 422
    assert Codebook.objects.get(pk=draft.pk).state == "draft"


def test_one_label_is_enough_where_none_is_an_answer(client):
    draft = make_draft(managed(client, "multi_label"), ("harm",))
    assert client.post(f"/codebooks/{draft.pk}/publish/", {"version": 0}).status_code == 302


@pytest.mark.parametrize(("number", "says"), [(None, "Give it its point"), (0, "the same point")])
def test_a_rating_needs_a_different_number_for_every_label(client, number, says):
    draft = make_draft(managed(client, "rating"), ("bad", "good"))
    draft.labels.filter(slug="good").update(number=number)
    answer = client.post(f"/codebooks/{draft.pk}/publish/", {"version": 0})
    assert says in answer.content.decode()
    assert Codebook.objects.get(pk=draft.pk).state == "draft"


def test_labels_of_the_same_name_are_refused(client):
    draft = make_draft(managed(client))
    draft.labels.filter(slug="no").update(name="YES")
    answer = client.post(f"/codebooks/{draft.pk}/publish/", {"version": 0})
    assert "Another label has the same name" in answer.content.decode()


def test_a_new_edition_must_differ_and_say_how(client):
    edition = make_codebook(managed(client))
    draft = with_draft_of(client, edition)
    url = f"/codebooks/{draft.pk}/publish/"
    same = client.post(url, {"version": 0, "change": "wording"})
    assert "Nothing differs" in same.content.decode()
    Codebook.objects.filter(pk=draft.pk).update(question="Another?")
    assert client.post(url, {"version": 0}).status_code == 422
    assert client.post(url, {"version": 0, "change": "first"}).status_code == 422
    assert client.post(url, {"version": 0, "change": "wording"}).status_code == 302


def test_what_someone_changed_since_is_not_published_unread(client):
    draft = make_draft(managed(client))
    client.post(f"/codebooks/{draft.pk}/edit/", form_of(draft, question="Changed?"))
    answer = client.post(f"/codebooks/{draft.pk}/publish/", {"version": 0})
    assert answer.status_code == 422
    assert "Someone changed the draft since" in answer.content.decode()
    assert Codebook.objects.get(pk=draft.pk).state == "draft"


def test_a_double_click_publishes_one_edition(client):
    project = managed(client)
    draft = make_draft(project)
    for _ in range(2):
        assert client.post(f"/codebooks/{draft.pk}/publish/", {"version": 0}).status_code == 302
    assert project.codebooks.count() == 1


def test_added_labels_are_no_mere_change_of_wording(client):
    edition = make_codebook(managed(client))
    draft = with_draft_of(client, edition)
    Label.objects.create(codebook=draft, slug="more", name="More", position=9)
    answer = client.post(f"/codebooks/{draft.pk}/publish/", {"version": 0, "change": "wording"})
    assert "so the meaning changed" in answer.content.decode()


def used_label(project, edition, how):
    """Something that says "no" under the edition."""
    annotator = make_annotator(project)
    if how == "suggestion":
        chances = dict.fromkeys(edition.rules().slugs, 0.0) | {"no": 1.0}
        return make_suggestion(make_machine(project, edition), make_sample(project), chances)
    if how == "reference":
        return make_sample(project, reference={"label": "no"}, reference_code="no")
    round_ = make_round(project, texts=["one"], annotators=[annotator], codebook=edition)
    item = round_.items.get()
    if how == "annotation":
        return make_annotation(item, annotator, "no")
    return Adjudication.objects.create(
        project=project,
        sample=item.sample,
        round_item=item,
        adjudicator=annotator,
        codebook=edition,
        value={"label": "no"},
        code="no",
        reason="It is.",
    )


@pytest.mark.parametrize("how", ["annotation", "adjudication", "reference"])
def test_removing_a_label_that_answers_use_is_refused_until_they_are_mapped(client, how):
    project = managed(client)
    edition = make_codebook(project, ("yes", "no", "maybe"))
    used_label(project, edition, how)
    draft = with_draft_of(client, edition)
    draft.labels.filter(slug="no").delete()
    url = f"/codebooks/{draft.pk}/publish/"
    assert "1 answer uses it" in client.get(url).content.decode()
    form = {"version": draft.version, "change": "meaning"}
    assert client.post(url, form).status_code == 422
    assert client.post(url, {**form, "removed-0": "to:nowhere"}).status_code == 422
    assert Codebook.objects.get(pk=draft.pk).state == "draft"
    assert client.post(url, {**form, "removed-0": "to:maybe"}).status_code == 302
    assert project.edition().removed == {"no": "maybe"}


def test_removed_labels_are_followed_through_all_editions():
    project = make_project()
    one = make_codebook(project, ("a", "b", "c", "d"))
    two = make_codebook(project, ("b", "c", "d"), parent=one, removed={"a": "b"})
    three = make_codebook(project, ("c",), parent=two, removed={"b": "c", "d": None})
    assert three.meanings() == {
        two.pk: {"b": "c", "d": None},
        one.pk: {"a": "c", "b": "c", "d": None},
    }
    assert two.meanings() == {one.pk: {"a": "b"}}
    assert one.meanings() == {}


def test_answers_can_be_left_without_a_label_on_purpose(client):
    project = managed(client)
    edition = make_codebook(project, ("yes", "no", "maybe"))
    used_label(project, edition, "annotation")
    draft = with_draft_of(client, edition)
    draft.labels.filter(slug="no").delete()
    form = {"version": draft.version, "change": "meaning", "removed-0": "none"}
    assert client.post(f"/codebooks/{draft.pk}/publish/", form).status_code == 302
    assert project.edition().removed == {"no": None}


def test_a_label_that_only_a_machine_gave_may_go_and_is_counted(client):
    project = managed(client)
    edition = make_codebook(project, ("yes", "no", "maybe"))
    used_label(project, edition, "suggestion")
    draft = with_draft_of(client, edition)
    draft.labels.filter(slug="no").delete()
    url = f"/codebooks/{draft.pk}/publish/"
    assert "1 suggestion" in client.get(url).content.decode()
    assert client.post(url, {"version": draft.version, "change": "meaning"}).status_code == 302


def test_a_label_inside_several_is_found_and_its_namesake_is_not(client):
    project = managed(client, "multi_label")
    edition = make_codebook(project, ("a", "aa", "b"))
    value = {"labels": ["aa", "b"]}
    make_sample(project, reference=value, reference_code="aa|b")
    draft = with_draft_of(client, edition)
    draft.labels.exclude(slug="b").delete()
    page = client.get(f"/codebooks/{draft.pk}/publish/").content.decode()
    uses = re.findall(r"<bdi hx-disable>(\w+)</bdi>:\s+(\d) answer", page)
    assert sorted(uses) == [("A", "0"), ("Aa", "1")]


def test_a40_old_answers_and_open_seats_keep_their_edition_when_a_new_one_is_published(client):
    project = managed(client)
    edition = make_codebook(project, ("yes", "no", "maybe"))
    annotator = make_annotator(project)
    round_ = make_round(project, annotators=[annotator], codebook=edition)
    answered, open_item = round_.items.order_by("rank")
    old = make_annotation(answered, annotator, "no")
    lease = {"annotator": annotator, "state": "leased", "lease_until": now() + timedelta(hours=1)}
    Assignment.objects.filter(round_item=open_item).update(**lease)

    draft = with_draft_of(client, edition)
    data = form_of(draft, labels__0__name="Certainly")
    client.post(f"/codebooks/{draft.pk}/edit/", data)
    draft.labels.filter(slug="no").delete()
    draft.refresh_from_db()
    form = {"version": draft.version, "change": "meaning", "removed-0": "to:maybe"}
    assert client.post(f"/codebooks/{draft.pk}/publish/", form).status_code == 302

    old = Annotation.objects.get(pk=old.pk)
    assert (old.codebook, old.code) == (edition, "no")
    assert old.codebook.rules().label("no").name == "No"
    seat = Assignment.objects.get(round_item=open_item)
    rules = seat.round.codebook.rules()
    assert seat.state == "leased"
    assert rules.slugs == ("yes", "no", "maybe")
    assert rules.label("yes").name == "Yes"
    assert project.task.value(["no"], rules) == {"label": "no"}
    late = make_annotation(open_item, annotator, "no")
    assert late.codebook == edition
    assert project.edition().rules().slugs == ("yes", "maybe")


def test_a_draft_is_discarded_unless_someone_changed_it(client):
    project = managed(client)
    edition = make_codebook(project)
    draft = with_draft_of(client, edition)
    client.post(f"/codebooks/{draft.pk}/edit/", form_of(draft, question="Changed?"))
    client.post(f"/codebooks/{draft.pk}/discard/", {"version": 0})
    assert Codebook.objects.drafts().exists()
    client.post(f"/codebooks/{draft.pk}/discard/", {"version": 1})
    assert not Codebook.objects.drafts().exists()
    assert project.edition() == edition
    assert with_draft_of(client, edition).number == 2


# Comparing


def test_a_comparison_marks_words_and_says_what_happened_to_labels(client):
    project = managed(client)
    one = make_codebook(project, ("a", "b", "c"))
    two = make_codebook(project, ("c", "a", "d"), question="Is it really so?", parent=one)
    page = client.get(f"/codebooks/{two.pk}/compare/{one.pk}/").content.decode()
    assert "Is it <ins>really </ins>so?" in page
    for words in ("1 label added", "1 label removed", "1 moved"):
        assert words in page


def test_a_renamed_label_is_the_same_label():
    old = Rules("Q?", "", (LabelRule("a", "Alpha"), LabelRule("b", "Beta")))
    new = Rules("Q?", "", (LabelRule("a", "Aleph"), LabelRule("b", "Beta")))
    changes = compare(old, new)
    assert [x.new.name for x in changes.renamed] == ["Aleph"]
    assert not changes.added
    assert not changes.removed
    assert not changes.moved
    assert not compare(old, old)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("one two three", "one three four"),
        ("关于经济的句子", "关于社会的句子"),
        ("", "new"),
        ("gone", ""),
        ("a\nb\n", "a\nc"),
        ("w " * 6000, "w " * 5999 + "v"),
    ],
)
def test_a_word_diff_contains_both_texts(old, new):
    pieces = word_diff(old, new)
    assert "".join(x.text for x in pieces if x.kind != "added") == old
    assert "".join(x.text for x in pieces if x.kind != "removed") == new


def test_a_word_diff_of_a_script_without_spaces_is_finer_than_the_line():
    assert [x.text for x in word_diff("关于经济的句子", "关于社会的句子") if x.kind == "same"] == [
        "关于",
        "的句子",
    ]


def test_a_comparison_asks_the_database_a_fixed_number_of_times(
    client, django_assert_max_num_queries
):
    project = managed(client)
    one = make_codebook(project, [f"l{i}" for i in range(40)])
    two = make_codebook(project, [f"l{i}" for i in range(1, 41)], parent=one)
    with django_assert_max_num_queries(8):
        assert client.get(f"/codebooks/{two.pk}/compare/{one.pk}/").status_code == 200


# Notes


def test_a_note_stands_on_the_page_until_a_manager_closes_it(client):
    project = managed(client)
    edition = make_codebook(project)
    author = make_adjudicator(project)
    note = CodebookNote.objects.create(
        project=project, codebook=edition, label_slug="yes", text="Irony?", author=author
    )
    assert "Irony?" in client.get(f"/projects/{project.pk}/codebook/").content.decode()
    client.force_login(author)
    assert "Irony?" in client.get(f"/projects/{project.pk}/codebook/").content.decode()
    assert client.post(f"/codebook-notes/{note.pk}/close/").status_code == 404
    client.force_login(make_manager(project))
    for _ in range(2):
        answer = client.post(f"/codebook-notes/{note.pk}/close/")
        assert answer.url == f"/projects/{project.pk}/codebook/"
    assert "Irony?" not in client.get(answer.url).content.decode()
    client.force_login(make_manager(make_project()))
    assert client.post(f"/codebook-notes/{note.pk}/close/").status_code == 404


# Files


@pytest.mark.parametrize("kind", ["json", "md"])
def test_an_exported_codebook_is_imported_as_it_was(client, kind):
    project, other = managed(client), make_project()
    edition = make_codebook(project, ("a", "b"), instructions="# Read\n\nall", unsure="offered")
    file = client.get(f"/codebooks/{edition.pk}/export.{kind}")
    assert f"codebook-{project.pk}-edition-1.{kind}" in file.headers["Content-Disposition"]
    client.force_login(make_manager(other))
    answer = client.post(
        f"/projects/{other.pk}/codebook/import/",
        {"file": SimpleUploadedFile(f"codebook.{kind}", file.content)},
    )
    draft = other.codebooks.drafts().get()
    assert answer.url == f"/codebooks/{draft.pk}/edit/"
    assert draft.rules() == edition.rules()


def test_an_import_names_what_it_left_out_and_finds_examples_by_their_id(client):
    project = managed(client)
    make_sample(project, "A long speech.", external_id="s-1")
    make_sample(make_project(), "Foreign.", external_id="s-2")
    text = json.dumps(
        {"task": "Which?", "source": "x", "labels": [{"name": "a", "examples": ["s-1", "s-2"]}]}
    )
    answer = client.post(f"/projects/{project.pk}/codebook/import/", {"text": text}, follow=True)
    page = answer.content.decode()
    assert "A long speech." in page
    assert "Ignored: source." in page
    assert "s-2" in page
    assert "Foreign." not in page


def test_an_import_replaces_a_draft_only_if_told_to(client):
    project = managed(client)
    draft = make_draft(project)
    url, text = f"/projects/{project.pk}/codebook/import/", '{"labels": ["a", "b"]}'
    assert client.post(url, {"text": text}).status_code == 422
    assert draft.rules().slugs == ("yes", "no")
    assert client.post(url, {"text": text, "replace": "on"}).status_code == 302
    assert Codebook.objects.get(pk=draft.pk).rules().slugs == ("a", "b")


def test_a_bad_file_changes_nothing_and_says_why(client):
    project = managed(client)
    url = f"/projects/{project.pk}/codebook/import/"
    for text, says in (("", "Choose a file"), ('{"labels": 3}', "labels"), ("Hello", "## Labels")):
        answer = client.post(url, {"text": text})
        assert answer.status_code == 422
        assert says in answer.content.decode()
    assert not project.codebooks.exists()


def codebook_file(folder, document, name="codebook.json"):
    path = folder / name
    path.write_text(json.dumps(document))
    return str(path)


def create(path, *more, name="Letters", task_type="single_label"):
    return call_command(
        "create_project", name, "--task-type", task_type, "--codebook", path, "--json", *more
    )


def test_a_project_is_made_by_command_with_its_first_edition(tmp_path, capsys):
    user = make_superuser()
    document = {"question": "Which?", "labels": ["a", "b"], "source": "x"}
    create(codebook_file(tmp_path, document))
    made = json.loads(capsys.readouterr().out)
    project = Project.objects.get(pk=made["project"])
    assert project.edition().rules().slugs == ("a", "b")
    assert project.memberships.get().user == user
    assert made["remarks"] == ["Ignored: source."]
    assert not project.codebooks.drafts().exists()


def test_the_command_names_examples_that_are_ids_of_samples_and_what_to_do(tmp_path, capsys):
    make_superuser()
    labels = [
        {"name": "Economic", "examples": ["20004771", "Taxes must fall."]},
        {"name": "Social", "examples": ["50006911"]},
    ]
    create(codebook_file(tmp_path, {"question": "Which?", "labels": labels}))
    said = " ".join(json.loads(capsys.readouterr().out)["remarks"])
    assert "20004771 (Economic), 50006911 (Social)" in said
    assert "import this file again" in said
    rules = Project.objects.get().edition().rules()
    assert [example.text for example in rules.labels[0].examples] == ["Taxes must fall."]
    assert rules.labels[1].examples == ()


def test_the_command_fails_clearly_and_leaves_nothing(tmp_path):
    good = codebook_file(tmp_path, {"question": "Which?", "labels": ["a", "b"]})
    with pytest.raises(CommandError, match="no superuser"):
        create(good)
    make_superuser()
    with pytest.raises(CommandError, match="no user"):
        create(good, "--manager", "nobody")
    with pytest.raises(CommandError, match="No such file"):
        create(str(tmp_path / "missing.json"))
    with pytest.raises(CommandError, match="language tag"):
        create(good, "--language", "none of your business")
    with pytest.raises(CommandError, match="name: This field is required"):
        create(good, name=" ")
    with pytest.raises(CommandError, match="point on the scale"):
        create(good, task_type="rating")
    with pytest.raises(CommandError, match="Ask a question"):
        create(codebook_file(tmp_path, {"labels": ["a", "b"]}, "mute.json"))
    with pytest.raises(CommandError, match="labels"):
        create(codebook_file(tmp_path, {"labels": 1}, "bad.json"))
    make_superuser()
    with pytest.raises(CommandError, match="more than one superuser"):
        create(good)
    assert not Project.objects.exists()


def test_an_example_that_is_a_sample_comes_without_the_context_around_it():
    project = make_project()
    mapping = {"text": ["pre", "text", "post"], "optional": ["pre", "post"]}
    found = SampleImport.objects.create(project=project, mapping=mapping, state="done")
    fields = {"pre": "Before it.", "text": "Taxes must fall.", "post": "After it."}
    Sample.objects.create(
        project=project, sample_import=found, external_id="7", fields=fields,
        text="Before it. Taxes must fall. After it.", content_hash="7",
    )  # fmt: skip
    assert sample_texts(project, ["7", "8"]) == {"7": "Taxes must fall."}
