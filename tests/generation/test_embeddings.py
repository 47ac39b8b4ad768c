"""Vectors bought from a model: each text once, within the cap, whatever happens meanwhile."""

import json
from collections import Counter
from datetime import timedelta

import numpy as np
import pytest

from annotation.actions.features import make_features
from annotation.arrays_features import TEXTS, stored_features
from annotation.models import FeatureTable
from generation.actions import embedding_work, embeddings, ledger, runs, upkeep
from generation.actions.runs import RunRefused
from generation.llm.base import EmbeddingRequest
from generation.llm.completion import BodyError
from generation.llm.embeddings import read_vectors
from generation.models import Call, Embedding, Run, TextVector
from generation.reports_vectors import missing, price
from tests.factories import make_project, make_sample
from tests.generation.runs import connect
from tests.openai_server import embeddings as answer_to

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.FEATURE_DIR = tmp_path / "features"


@pytest.fixture
def project():
    """Twenty texts, of which two are alike, and an empty one."""
    project = make_project()
    for i in range(20):
        make_sample(project, f"text {min(i, 18)}")
    make_sample(project, " ")
    return project


def begin(project, server, caps=(None, None), **fields):
    connection = project.runs.order_by("pk").first()
    connection = connection.connection if connection else connect(server, **fields)
    return embeddings.start(project, connection, cap_cost=caps[0], cap_tokens=caps[1])


def work_off(run):
    while upkeep.work_on_due() is not None:
        pass
    run.refresh_from_db()
    return run


def bought(server):
    return Counter(text for entry in server.ledger for text in entry.body["input"])


def samples(project):
    return np.array(sorted(project.samples.values_list("pk", flat=True)))


def test_each_text_is_bought_once_and_the_vectors_become_the_projects(project, openai_server):
    make_features(project)
    run = work_off(begin(project, openai_server))
    assert (run.state, run.reason) == ("done", "")
    assert bought(openai_server) == Counter(f"text {i}" for i in range(19))
    rows = stored_features(project, samples(project))
    assert rows.shape == (21, 8)
    assert np.linalg.norm(rows, axis=1)[:20] == pytest.approx(1)
    assert (rows[18] == rows[19]).all()
    assert not rows[20].any()
    expected = read_vectors(_raw(["text 0"]), 1)[0]
    assert rows[0] == pytest.approx(expected / np.linalg.norm(expected))
    assert make_features(project).source == run.embedding.source
    assert set(run.calls.values_list("purpose", "outcome")) == {("embed", "settled")}


def _raw(texts, **how):
    return json.dumps(answer_to({"input": texts, "model": "m"}, **how))


def test_the_same_texts_are_never_bought_again_and_later_ones_alone(project, openai_server):
    work_off(begin(project, openai_server))
    embeddings.use_texts(project)
    assert make_features(project).source == TEXTS
    again = work_off(begin(project, openai_server))
    assert again.calls.count() == 0
    assert make_features(project).source == again.embedding.source
    late = make_sample(project, "came later")
    assert make_features(project).source == TEXTS
    assert len(stored_features(project, samples(project))) == 22
    work_off(begin(project, openai_server))
    assert bought(openai_server) == Counter([*(f"text {i}" for i in range(19)), "came later"])
    assert make_features(project).source != TEXTS
    assert stored_features(project, np.array([late.pk])).shape == (1, 8)
    assert FeatureTable.objects.filter(project=project).exclude(source=TEXTS).count() == 1


def test_numbers_in_writing_are_read_like_base64(project, openai_server):
    openai_server.script({"replies": [{"vectors": {"written": True}}]})
    assert work_off(begin(project, openai_server)).state == "done"
    assert stored_features(project, samples(project)).shape == (21, 8)


def test_a_reply_that_was_settled_but_not_read_is_read_and_not_bought_again(project, openai_server):
    run = work_off(begin(project, openai_server))
    TextVector.objects.update(valid=None)  # a worker died between the receipt and the reading
    Run.objects.filter(pk=run.pk).update(state="running")
    asked = len(openai_server.ledger)
    assert work_off(run).state == "done"
    assert len(openai_server.ledger) == asked
    assert not TextVector.objects.exclude(valid=True).exists()


def test_what_a_dead_worker_had_sent_is_in_doubt_and_asked_once_more_at_most(
    project, openai_server
):
    run = begin(project, openai_server)
    for times in (1, 2):
        leave_a_request(run)
        if times == 1:
            assert missing(project, run.embedding.source).count() == 20
    work_off(run)
    assert (run.state, run.reason_code) == ("paused", "unknown_outcome")
    assert "begin anew" in run.reason
    assert not openai_server.ledger
    assert run.calls.filter(outcome="unknown").count() == 2
    runs.cancel(run)
    assert work_off(begin(project, openai_server)).state == "done"


def leave_a_request(run):
    """An intent as a worker leaves it that is killed while it waits for the answer."""
    request = EmbeddingRequest(("text 0",), "m")
    call = ledger.intent(run, request)
    call.purpose = "embed"
    call.save()
    content = run.project.samples.get(text="text 0").content_hash
    TextVector.objects.create(
        project=run.project, source=run.embedding.source, content_hash=content, call=call, place=0
    )


def test_one_request_in_doubt_is_asked_once_more(project, openai_server):
    run = begin(project, openai_server)
    leave_a_request(run)
    assert work_off(run).state == "done"
    assert bought(openai_server)["text 0"] == 1
    assert set(run.calls.values_list("outcome", flat=True)) == {"unknown", "settled"}


def test_whoever_lost_the_lease_stops_and_a_held_run_is_left_alone(project, openai_server):
    run = begin(project, openai_server)
    Embedding.objects.update(lease_until=ledger.clock() + timedelta(seconds=60))
    assert embedding_work.work_on_due(1) is None
    Embedding.objects.update(lease_until=ledger.clock() - timedelta(seconds=1))
    assert embedding_work.work_on_due(5) == run.pk
    assert Embedding.objects.get().lease_until is None


def test_vectors_of_another_length_pause_the_run_and_are_not_used(project, openai_server):
    openai_server.script(
        {"replies": [{"vectors": {"dimensions": 8}}], "once": True},
        {"replies": [{"vectors": {"dimensions": 5}}]},
    )
    run = work_off(begin(project, openai_server))
    assert (run.state, run.reason_code) == ("paused", "dimensions")
    assert "vectors of 5 numbers where earlier ones have 8" in run.reason
    assert not FeatureTable.objects.exists()
    openai_server.reset()
    runs.resume(run)
    assert work_off(run).state == "done"
    assert stored_features(project, samples(project)).shape == (21, 8)


@pytest.mark.parametrize(
    ("reply", "code", "words"),
    [
        ({"status": 401, "message": "no"}, "auth", "refuses the key"),
        ({"status": 404, "message": "no such model"}, "not_found", "does not know this model"),
        ({"status": 400, "message": "maximum context length is 512"}, "context_overflow", "longer"),
    ],
)
def test_a_refusal_pauses_the_run_after_one_request(project, openai_server, reply, code, words):
    openai_server.always(**reply)
    run = work_off(begin(project, openai_server))
    assert (run.state, run.reason_code) == ("paused", code)
    assert words in run.reason
    assert len(openai_server.ledger) == 1
    assert run.calls.get().outcome == "failed"


@pytest.mark.parametrize(
    "raw", ['{"data": []}', '{"data": [{"embedding": "?"}]}', "[]", '{"data": 3}', "<html>"]
)
def test_an_answer_without_vectors_is_no_vector_and_counts_as_paid(project, openai_server, raw):
    openai_server.always(raw=raw)
    run = work_off(begin(project, openai_server))
    assert run.state == "paused"
    assert not TextVector.objects.filter(valid=True).exists()
    assert set(run.calls.values_list("outcome", flat=True)) == {"unknown"}
    assert run.calls.count() == 2  # asked once more


def test_the_cap_is_never_passed_and_raising_it_goes_on(project, openai_server):
    run = work_off(begin(project, openai_server, caps=(None, 60)))
    assert (run.state, run.reason_code) == ("paused", "budget")
    assert "The cap of 60 tokens is reached" in run.reason
    spent = ledger.Call.objects.filter(run=run)
    assert 0 < sum(call.prompt_tokens for call in spent) <= 60
    first = len(openai_server.ledger)
    runs.set_cap(run, None, 10_000)
    assert work_off(run).state == "done"
    assert len(openai_server.ledger) > first
    assert max(bought(openai_server).values()) == 1


def test_answers_that_are_too_large_are_asked_for_in_smaller_pieces(project, openai_server):
    openai_server.script(
        {"replies": [{"huge": 2_000_000}], "once": True},
    )
    run = work_off(begin(project, openai_server))
    assert run.state == "done"
    assert max(len(entry.body["input"]) for entry in openai_server.ledger[1:3]) <= 4


def test_slowing_down_uses_up_no_try(project, openai_server):
    openai_server.script(
        {"replies": [{"status": 429, "headers": {"retry-after": "0.2"}}] * 4, "once": True}
    )
    assert work_off(begin(project, openai_server)).state == "done"


def test_the_price_is_of_what_is_missing(project, openai_server):
    connection = connect(openai_server)
    before = price(project, connection, 8000)
    assert before.texts == 19
    assert before.cost > 0
    work_off(embeddings.start(project, connection))
    after = price(project, connection, 8000)
    assert (after.texts, after.tokens, after.cost) == (0, 0, 0)
    unknown = connect(openai_server, price_in=None)
    assert price(project, unknown, 8000).cost is None


def test_texts_are_sent_up_to_a_length_and_another_length_is_another_source(openai_server):
    project = make_project()
    make_sample(project, "x" * 900)
    connection = connect(openai_server)
    work_off(embeddings.start(project, connection, longest=300))
    assert [len(text) for text in bought(openai_server)] == [300]
    work_off(embeddings.start(project, connection, longest=400))
    assert sorted(len(text) for text in bought(openai_server)) == [300, 400]


def test_one_run_at_a_time_and_texts_only_when_none_is_open(project, openai_server):
    run = begin(project, openai_server)
    assert begin(project, openai_server) == run
    with pytest.raises(RunRefused, match="cancel that first"):
        embeddings.use_texts(project)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"data": [{"index": 0, "embedding": [1, 2]}]}', "1 vectors for 2"),
        ('{"data": [{"embedding": [1]}, {"embedding": [1, 2]}]}', "different lengths"),
        ('{"data": [{"embedding": []}, {"embedding": []}]}', "empty or no numbers"),
        ('{"data": [{"embedding": [1e999]}, {"embedding": [1]}]}', "no numbers"),
        ('{"data": [{"embedding": [true]}, {"embedding": [1]}]}', "cannot be read"),
        ('{"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]}', "whose"),
        ('{"data": [{"index": null, "embedding": [1]}, {"embedding": [1]}]}', "whose"),
    ],
)
def test_what_is_no_set_of_vectors_is_refused_in_words(body, words):
    with pytest.raises(BodyError, match=words):
        read_vectors(body, 2)


def test_vectors_come_in_the_order_of_the_texts_whatever_the_answers_order():
    body = '{"data": [{"index": 1, "embedding": [2]}, {"index": 0, "embedding": [1]}]}'
    assert read_vectors(body, 2).tolist() == [[1], [2]]


def test_calls_for_vectors_do_not_upset_the_estimates_of_prompts(project, openai_server):
    run = work_off(begin(project, openai_server))
    assert ledger.shortfall(run.connection) == 1
    assert Call.objects.filter(usage_source="provider").exists()
