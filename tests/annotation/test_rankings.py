"""The loop: open seats are ordered anew by what the answers of a round taught."""

import pytest

from annotation.actions.rankings import rerank_due
from annotation.models import Assignment, Round, RoundAnnotator, RoundItem
from tests.factories import (
    make_annotation,
    make_annotator,
    make_codebook,
    make_machine,
    make_project,
    make_round,
    make_sample,
    make_suggestion,
)

pytestmark = pytest.mark.django_db

EVERY = 30


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.FEATURE_DIR = tmp_path / "features"


@pytest.fixture
def round_():
    """The machine is surer about cats than about bread, and wrong about cats."""
    project = make_project()
    machine = make_machine(project, make_codebook(project))
    person = make_annotator(project)
    texts = [("bread and prices", "a cat sits")[i % 2] for i in range(80)]
    samples = [make_sample(project, f"{text} {i}") for i, text in enumerate(texts)]
    for sample in samples:
        sure = 0.95 if "cat" in sample.text else 0.9
        make_suggestion(machine, sample, {"yes": sure, "no": 1 - sure})
    round_ = make_round(project, samples=samples[:76], annotators=[person])
    for place, sample in enumerate(samples[76:]):
        audit = RoundItem.objects.create(
            round=round_, sample=sample, rank=76 + place, stratum="audit", inclusion=0.05
        )
        Assignment.objects.create(round=round_, round_item=audit, seat=1, priority=40 + place)
    Round.objects.filter(pk=round_.pk).update(machine=machine, parameters={"rerank_every": EVERY})
    round_.refresh_from_db()
    return round_


def answer(round_, count):
    """The next seats in order are answered, by what the text is about."""
    person = round_.seats.get().user
    seats = Assignment.objects.open().filter(round=round_).order_by("priority", "pk")
    for seat in seats.select_related("round_item__sample")[:count]:
        said = "no" if "cat" in seat.round_item.sample.text else "yes"
        make_annotation(seat.round_item, person, said)
        Assignment.objects.filter(pk=seat.pk).update(state="done", annotator=person)
    done = Assignment.objects.filter(round=round_, state="done").count()
    RoundAnnotator.objects.filter(round=round_).update(done=done)


def queue(round_):
    seats = Assignment.objects.open().filter(round=round_).order_by("priority", "pk")
    return list(seats.values_list("round_item__sample__text", "round_item__stratum", "priority"))


def test_what_the_answers_taught_comes_next_and_is_history(round_):
    answer(round_, EVERY - 1)
    assert not rerank_due()
    answer(round_, 1)
    before = queue(round_)
    assert rerank_due()
    after = queue(round_)
    moved = [[text for text, part, _ in rows if part != "audit"] for rows in (before, after)]
    assert [sum("cat" in text for text in texts[:20]) for texts in moved] == [10, 20]
    assert [place for *_, place in after] == [place for *_, place in before]
    ranking = round_.rankings.get()
    assert (ranking.answers, ranking.learned["answers"]) == (EVERY, EVERY)
    assert 0 < ranking.moved <= 46
    assert not rerank_due()


def test_the_audit_part_and_leased_seats_are_not_moved(round_):
    answer(round_, EVERY)
    leased = Assignment.objects.open().filter(round=round_).order_by("priority")[3]
    person = round_.seats.get().user
    Assignment.objects.filter(pk=leased.pk).update(state="leased", annotator=person)
    audit = [row for row in queue(round_) if row[1] == "audit"]
    assert rerank_due()
    assert [row for row in queue(round_) if row[1] == "audit"] == audit
    assert Assignment.objects.get(pk=leased.pk).priority == leased.priority


def test_rounds_that_did_not_ask_for_it_or_are_closed_keep_their_order(round_):
    answer(round_, EVERY)
    Round.objects.update(state="closed")
    assert not rerank_due()
    Round.objects.update(state="open", parameters={})
    assert not rerank_due()
