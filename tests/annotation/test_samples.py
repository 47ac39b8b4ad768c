"""The list of samples, its filters and its paging, and the page of one sample."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.asserts import assertContains, assertNotContains

from annotation import keyset
from annotation.filters import NO_LABEL, SampleFilter
from annotation.models import Adjudication, SampleImport, Suggestion
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
)

pytestmark = pytest.mark.django_db
YES = {"yes": 0.9, "no": 0.1}


@pytest.fixture
def project():
    project = make_project()
    make_codebook(project)
    return project


@pytest.fixture
def manager(client, project):
    manager = make_manager(project)
    client.force_login(manager)
    return manager


def found(project, **questions):
    samples = SampleFilter(**questions).samples(project).order_by("pk")
    return list(samples.values_list("text", flat=True))


# The filter language


def test_each_question_narrows_the_samples(project):
    machine = make_machine(project)
    plain = make_sample(project, "plain")
    referenced = make_sample(project, "referenced", reference={"label": "yes"}, split="dev")
    referenced.reference_code = "yes"
    referenced.save()
    make_suggestion(machine, plain, {"yes": 0.9, "no": 0.1})
    annotator = make_annotator(project)
    round_ = make_round(project, texts=["answered", "waiting"], annotators=[annotator])
    make_annotation(round_.items.order_by("rank").first(), annotator, "no")
    for questions, expected in [
        ({"text": "PLAI"}, ["plain"]),
        ({"split": "dev"}, ["referenced"]),
        ({"reference": True}, ["referenced"]),
        ({"reference": False}, ["plain", "answered", "waiting"]),
        ({"answered": True}, ["answered"]),
        ({"answered": False}, ["plain", "referenced", "waiting"]),
        ({"answer": "no"}, ["answered"]),
        ({"answer": "yes"}, []),
        ({"drawn": True}, ["answered", "waiting"]),
        ({"drawn": False}, ["plain", "referenced"]),
        ({"round": round_.pk}, ["answered", "waiting"]),
        ({"machine": machine.pk, "suggested": True}, ["plain"]),
        ({"machine": machine.pk, "suggested": False}, ["referenced", "answered", "waiting"]),
        ({"machine": machine.pk, "predicted": "yes"}, ["plain"]),
        ({"machine": machine.pk, "confidence_from": 0.9}, ["plain"]),
        ({"machine": machine.pk, "confidence_below": 0.9}, []),
        ({"machine": machine.pk, "entropy_below": 0.5}, ["plain"]),
        ({"split": "pool", "answered": False, "text": "wait"}, ["waiting"]),
    ]:
        assert found(project, **questions) == expected, questions


def test_what_was_asked_is_stored_and_read_back():
    asked = SampleFilter(text="50%", drawn=False, confidence_below=0.8, machine=3)
    assert SampleFilter.of(asked.stated()) == asked
    assert set(asked.stated()) == {"text", "drawn", "confidence_below", "machine"}


def test_a_stored_question_that_is_unknown_here_is_refused():
    with pytest.raises(TypeError):
        SampleFilter.of({"project__memberships__user__password": "x"})


def test_signs_with_a_meaning_in_sql_stand_for_themselves(project):
    for text in ["50% off", "50 off", "under_score", "under score"]:
        make_sample(project, text)
    assert found(project, text="50% o") == ["50% off"]
    assert found(project, text="r_s") == ["under_score"]


def test_a_label_among_several_is_found_whole():
    project = make_project("multi_label")
    machine = make_machine(project, make_codebook(project, ["sad", "very-sad"]))
    for text, p in [("one", (0.9, 0.1)), ("two", (0.1, 0.9)), ("none", (0.1, 0.1))]:
        sample = make_sample(project, text)
        make_suggestion(machine, sample, dict(zip(["sad", "very-sad"], p, strict=True)))
    assert found(project, machine=machine.pk, predicted="sad") == ["one"]
    assert found(project, machine=machine.pk, predicted="very-sad") == ["two"]
    assert found(project, machine=machine.pk, predicted=NO_LABEL) == ["none"]


def test_samples_of_an_unfinished_import_are_not_there(project):
    unfinished = SampleImport.objects.create(project=project, file_name="a.csv", state="writing")
    make_sample(project, "half visible", sample_import=unfinished)
    assert found(project) == []


# The list


def test_an_empty_project_says_the_next_step(client, project, manager):
    response = client.get(f"/projects/{project.pk}/samples/")
    assertContains(response, "No samples yet")
    assertContains(response, "Import samples")


def test_a_row_shows_what_machine_people_and_adjudicator_say(client, project, manager):
    machine = make_machine(project)
    people = [make_annotator(project), make_annotator(project)]
    round_ = make_round(project, texts=["disputed"], annotators=people, overlap=2)
    item = round_.items.get()
    make_suggestion(machine, item.sample, {"yes": 0.625, "no": 0.375})
    make_annotation(item, people[0], "yes")
    make_annotation(item, people[1], "no")
    settle(item, make_adjudicator(project), "no")
    response = client.get(f"/projects/{project.pk}/samples/?machine={machine.pk}")
    (row,) = response.context["rows"]
    assert row["predicted"] == "Yes"
    assert row["answers"] == [("No", 1), ("Yes", 1)]
    assert row["settled"] == "No"
    assertContains(response, "62.5")


def test_the_newest_machine_that_has_answered_is_shown_until_one_is_chosen(
    client, project, manager
):
    older, newer = make_machine(project, name="Older"), make_machine(project, name="Newer")
    make_machine(project, name="Has not answered")
    other = make_project()
    make_suggestion(make_machine(other, make_codebook(other)), make_sample(other), YES)
    sample = make_sample(project)
    make_suggestion(older, sample, {"yes": 0.25, "no": 0.75})
    make_suggestion(newer, sample, YES)
    path = f"/projects/{project.pk}/samples/"
    response = client.get(path)
    assert response.context["machine"] == newer
    assert response.context["rows"][0]["predicted"] == "Yes"
    assertContains(response, "Newer</a> (the newest that has answered)")
    assertContains(response, f'<option value="{newer.pk}" selected>')
    chosen = client.get(f"{path}?machine={older.pk}")
    assert chosen.context["rows"][0]["predicted"] == "No"
    assertNotContains(chosen, "the newest that has answered")
    assert client.get(f"{path}?machine=").context["machine"] is None


def test_showing_a_machine_by_default_takes_one_query(client, project, manager):
    machine = make_machine(project)
    make_suggestion(machine, make_sample(project), YES)

    def queries(query):
        with CaptureQueriesContext(connection) as captured:
            client.get(f"/projects/{project.pk}/samples/{query}")
        return len(captured)

    assert queries("") == queries(f"?machine={machine.pk}") + 1


def settle(item, adjudicator, slug):
    return Adjudication.objects.create(
        project=item.round.project,
        sample=item.sample,
        round_item=item,
        adjudicator=adjudicator,
        codebook=item.round.codebook,
        value={"label": slug},
        code=slug,
        reason="The rule says so.",
    )


def test_filters_come_from_the_address_and_stay_in_it(client, project, manager):
    for i in range(60):
        make_sample(project, f"wanted {i}")
    make_sample(project, "other")
    response = client.get(f"/projects/{project.pk}/samples/?text=wanted&sort=-pk")
    assert response.context["total"] == 60
    assertNotContains(response, "other")
    assertContains(response, "?text=wanted&amp;sort=-pk&amp;after=")


def test_paging_goes_through_all_and_back(client, project, manager):
    made = [make_sample(project, f"{i}").pk for i in range(120)]

    def shown(**cursor):
        page = client.get(f"/projects/{project.pk}/samples/", cursor).context["page"]
        return [sample.pk for sample in page.rows], page

    first, page = shown()
    second, page2 = shown(after=page.next)
    third, page3 = shown(after=page2.next)
    assert first + second + third == made
    assert (page.previous, page3.next) == ("", "")
    assert shown(before=page3.previous)[0] == second
    assert shown(before=page2.previous)[0] == first


@pytest.mark.parametrize("sort", ["confidence", "-confidence"])
def test_by_confidence_ties_are_neither_lost_nor_repeated(client, project, manager, sort):
    machine = make_machine(project)
    for i in range(130):
        p = [0.5, 0.8, 0.9][i % 3]
        make_suggestion(machine, make_sample(project, f"{i}"), {"yes": p, "no": 1 - p})
    silent = make_sample(project, "not stated")
    Suggestion.objects.create(
        machine=machine, sample=silent, value={"label": "no"}, code="no",
        probabilities={"no": 1}, source="verbalized",
    )  # fmt: skip
    path = f"/projects/{project.pk}/samples/?machine={machine.pk}&sort={sort}"
    rows, after = [], ""
    while True:
        page = client.get(f"{path}&after={after}").context["page"]
        rows += page.rows
        after = page.next
        if not after:
            break
    confidences = [sample.said_confidence for sample in rows]
    assert confidences == sorted(confidences, reverse=sort.startswith("-"))
    assert len({sample.pk for sample in rows}) == len(rows) == 130


@pytest.mark.parametrize(
    "query",
    [
        "after=x",
        "after=1~2",
        "before=%00",
        "after=" + "9" * 30,
        "after=" + "9" * 5000,
        "sort=text",
        "sort=confidence",
        "machine=x",
        "machine=99999999999999999999999",
        "confidence_from=nan",
        "confidence_below=2",
        "split=secret",
        "text=%00",
        "round=-1",
    ],
)
def test_an_address_that_was_tampered_with_still_shows_a_page(client, project, manager, query):
    make_sample(project)
    assert client.get(f"/projects/{project.pk}/samples/?{query}").status_code == 200


def test_a_question_about_a_machine_needs_one(client, project, manager):
    make_sample(project)
    response = client.get(f"/projects/{project.pk}/samples/?confidence_below=0.5")
    assertContains(response, "Choose the machine that this is about")


def test_a_foreign_machine_tells_nothing(client, project, manager):
    other = make_project()
    machine = make_machine(other, make_codebook(other))
    make_sample(project)
    response = client.get(f"/projects/{project.pk}/samples/?machine={machine.pk}")
    assert response.context["machine"] is None
    assertNotContains(response, "Confidence</a>")


def test_counting_stops_where_it_would_take_long(project):
    for i in range(4):
        make_sample(project, f"{i}")
    samples = SampleFilter().samples(project)
    assert keyset.counted(samples) == (4, True)
    assert keyset.counted(samples, most=3) == (3, False)


def test_the_list_asks_no_more_of_the_database_for_more_samples(client, project, manager):
    machine = make_machine(project)
    annotator = make_annotator(project)

    def add(n):
        round_ = make_round(project, texts=[f"t{i}" for i in range(n)], annotators=[annotator])
        for item in round_.items.all():
            make_suggestion(machine, item.sample, {"yes": 0.9, "no": 0.1})
            make_annotation(item, annotator, "yes")

    def queries():
        with CaptureQueriesContext(connection) as captured:
            client.get(f"/projects/{project.pk}/samples/?machine={machine.pk}")
        return len(captured)

    add(1)
    few = queries()
    add(20)
    assert queries() == few <= 16


@pytest.mark.parametrize("make", [make_annotator, make_adjudicator])
def test_only_managers_see_the_samples(client, project, make):
    sample = make_sample(project)
    client.force_login(make(project))
    assert client.get(f"/projects/{project.pk}/samples/").status_code == 404
    assert client.get(f"/samples/{sample.pk}/").status_code == 404


# One sample


def test_the_page_of_a_sample_shows_everything_known(client, project, manager):
    machine = make_machine(project)
    annotator = make_annotator(project)
    sample = make_sample(
        project,
        fields={"before": "What came before.", "text": "The sentence."},
        meta={"source": "a newspaper"},
        external_id="row-7",
        reference={"label": "yes"},
    )
    make_suggestion(machine, sample, {"yes": 0.75, "no": 0.25}, rationale="It says so.")
    round_ = make_round(project, samples=[sample], annotators=[annotator], inclusion=0.25)
    first = make_annotation(round_.items.get(), annotator, "no", comment="hard to say")
    make_annotation(round_.items.get(), annotator, "yes", supersedes=first)
    settle(round_.items.get(), make_adjudicator(project), "yes")
    response = client.get(f"/samples/{sample.pk}/")
    pseudonym = annotator.memberships.get().pseudonym
    for known in [
        "What came before.", "a newspaper", "row-7", "It says so.", "hard to say",
        "The rule says so.", annotator.username, pseudonym, round_.name, "25.0",
        sample.content_hash,
    ]:  # fmt: skip
        assertContains(response, known)
    assert [row.current for row in response.context["annotations"]] == [False, True]


def test_hostile_text_stays_text(client, project, manager):
    sample = make_sample(project, "<script>alert(1)</script>", meta={"<b>": "<img src=x>"})
    response = client.get(f"/samples/{sample.pk}/")
    assertNotContains(response, "<script>alert")
    assertNotContains(response, "<img src=x>")
    assertContains(response, "&lt;script&gt;alert(1)&lt;/script&gt;")


def test_the_page_asks_no_more_of_the_database_for_more_answers(client, project, manager):
    sample = make_sample(project)

    def add():
        annotator = make_annotator(project)
        round_ = make_round(project, samples=[sample], annotators=[annotator])
        make_annotation(round_.items.get(), annotator, "yes")
        make_suggestion(make_machine(project), sample, {"yes": 0.75, "no": 0.25})

    def queries():
        with CaptureQueriesContext(connection) as captured:
            client.get(f"/samples/{sample.pk}/")
        return len(captured)

    add()
    few = queries()
    add()
    add()
    assert queries() == few
