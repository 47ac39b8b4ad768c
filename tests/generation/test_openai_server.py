"""The scripted server of the tests replies as it is told and remembers what it was asked."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.openai_server import OpenAIServer, gaps


def post(url, body, **headers):
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.status, json.loads(response.read())


def ask(server, prompt="hello", **parameters):
    messages = [{"role": "user", "content": prompt}]
    body = {"model": "m", "messages": messages, **parameters}
    return post(f"{server.base_url}/chat/completions", body)[1]


def text(reply):
    return reply["choices"][0]["message"]["content"]


def test_rules_are_tried_in_order_and_give_their_replies_in_turn(openai_server):
    openai_server.script(
        {"match": "first (.*)", "replies": [{"text": r"1 \1"}, {"text": "2"}], "once": True},
        {"match": "first", "replies": [{"text": "later"}]},
    )
    assert [text(ask(openai_server, "first x")) for _ in range(3)] == ["1 x", "2", "later"]


def test_without_a_rule_the_offline_stand_in_answers(openai_server):
    assert "not a language model" in text(ask(openai_server))


def test_a_rule_can_hang_on_a_parameter(openai_server):
    refusal = {"status": 400, "message": "no seed", "param": "seed"}
    openai_server.script({"has": ["seed"], "replies": [refusal]})
    ask(openai_server)
    with pytest.raises(urllib.error.HTTPError) as error:
        ask(openai_server, seed=1)
    with error.value as answer:
        assert json.loads(answer.read())["error"]["param"] == "seed"


def test_the_ledger_knows_time_headers_body_and_concurrency(openai_server):
    openai_server.always(text="ok", latency=0.1)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: ask(openai_server, f"n {i}"), range(4)))
    assert {entry.concurrency for entry in openai_server.ledger} == {1, 2, 3, 4}
    assert {entry.prompt for entry in openai_server.ledger} == {f"n {i}" for i in range(4)}
    assert len({entry.body_hash for entry in openai_server.ledger}) == 4
    assert all(entry.status == 200 and entry.headers["host"] for entry in openai_server.ledger)
    assert all(gap >= 0 for gap in gaps(openai_server.ledger))


def test_a_hanging_request_does_not_keep_the_server_from_stopping():
    with ThreadPoolExecutor(1) as pool:
        with OpenAIServer() as server:
            server.always(hang=True)
            asking = pool.submit(ask, server)
            while not server.ledger:
                time.sleep(0.01)
        assert isinstance(asking.exception(5), OSError)


def test_as_a_process_it_is_scripted_over_http():
    command = [sys.executable, "-m", "tests.openai_server", "--latency", "0.01"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            base_url = process.stdout.readline().strip()
            control = base_url.removesuffix("v1") + "__control"
            post(f"{control}/rules", {"rules": [{"replies": [{"text": "scripted"}]}]})
            _, reply = post(
                f"{base_url}/chat/completions",
                {"model": "m", "messages": [{"role": "user", "content": "x"}]},
            )
            with urllib.request.urlopen(f"{control}/ledger", timeout=10) as response:
                ledger = json.loads(response.read())
        finally:
            process.terminate()
    assert text(reply) == "scripted"
    assert [entry["body"]["model"] for entry in ledger] == ["m"]
