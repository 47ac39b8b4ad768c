"""The real client over real HTTP against the scripted server."""

import asyncio
import datetime
import resource
import time

import pytest

from generation.llm.base import Capabilities, LLMError, Message, Request
from generation.llm.completion import read_completion
from generation.llm.egress import EgressGuard
from generation.llm.errors import retry_after
from generation.llm.openai_client import Client
from generation.llm.probe import MOST_CALLS, PROBES, preview, probe
from tests.generation.loops import finish

KEY = "sk-canary-0123456789"
GUARD = EgressGuard(["127.0.0.1:*"])
REQUEST = Request((Message("user", "héllo 한국"),), "m", 16, 0.0, seed=3, logprobs=5)


def ask(server, request=REQUEST, deadline=5.0, key=KEY, slot=""):
    async def run():
        async with Client(server.base_url, key, deadline, GUARD) as client:
            return await client.ask(request, slot)

    return finish(run())


def failure(server, **kwargs):
    with pytest.raises(LLMError) as caught:
        ask(server, **kwargs)
    return caught.value


def test_a_reply_comes_back_with_everything_that_the_ledger_wants(openai_server):
    openai_server.always(
        text="A",
        model="m-2026",
        finish_reason="length",
        logprobs=[[["A", -0.1], ["B", -2.3]]],
        usage={
            "prompt_tokens": 12,
            "completion_tokens": 3,
            "prompt_tokens_details": {"cached_tokens": 8},
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
    )
    reply = ask(openai_server)
    assert (reply.text, reply.model_returned, reply.finish_reason) == ("A", "m-2026", "length")
    assert (reply.prompt_tokens, reply.completion_tokens) == (12, 3)
    assert (reply.cached_tokens, reply.reasoning_tokens) == (8, 2)
    assert reply.usage_source == "provider"
    assert reply.logprobs == ((("A", -0.1), ("B", -2.3)),)
    assert reply.request_id == "req-0"
    assert read_completion(reply.raw, REQUEST).text == "A"


def test_the_bytes_that_arrive_are_the_bytes_that_were_hashed(openai_server):
    ask(openai_server)
    (entry,) = openai_server.ledger
    assert entry.body_hash == REQUEST.hash()
    assert entry.body["top_logprobs"] == 5


def test_only_the_headers_that_are_needed_leave(openai_server, monkeypatch):
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "ambient")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Secret: ambient\nAuthorization: ambient")
    ask(openai_server, slot="slot 1")
    headers = openai_server.ledger[0].headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert "ambient" not in str(headers)
    assert set(headers) == {
        *("host", "content-type", "content-length", "accept", "authorization", "user-agent"),
        *("idempotency-key", "accept-encoding"),
    }


def test_without_a_key_there_is_no_authorization_even_if_the_environment_has_one(
    openai_server, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "ambient")
    ask(openai_server, key="")
    assert "authorization" not in openai_server.ledger[0].headers


def test_the_idempotency_key_is_the_same_for_one_slot_and_differs_between_slots(openai_server):
    for slot in ("1", "1", "2"):
        ask(openai_server, slot=slot)
    first, second, third = (e.headers["idempotency-key"] for e in openai_server.ledger)
    assert first == second != third


@pytest.mark.parametrize(
    ("status", "code", "message", "kind", "permanent"),
    [
        (429, None, "slow down", "rate_limited", False),
        (429, "insufficient_quota", "pay", "quota", True),
        (402, None, "pay", "quota", True),
        (401, "invalid_api_key", "no", "auth", True),
        (403, None, "no", "auth", True),
        (404, "model_not_found", "no such model", "not_found", True),
        (400, None, "nonsense", "bad_request", True),
        (422, None, "nonsense", "bad_request", True),
        (400, "context_length_exceeded", "long", "context_overflow", False),
        (400, None, "This model's maximum context length is 8192", "context_overflow", False),
        (400, None, "the request exceeds the available context size", "context_overflow", False),
        (400, None, "Input is too long for requested model.", "context_overflow", False),
        (
            400,
            "INVALID_ARGUMENT",
            "The input token count (9) exceeds the maximum number of tokens allowed (8).",
            "context_overflow",
            False,
        ),
        (
            422,
            "validation",
            "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000",
            "context_overflow",
            False,
        ),
        (400, None, "max_tokens is too large: 9000", "bad_request", True),
        (413, None, "large", "context_overflow", False),
        (500, None, "oops", "server", False),
        (503, None, "busy", "server", False),
        (529, None, "overloaded", "server", False),
    ],
)
def test_every_status_has_its_kind_and_one_call_is_made(
    openai_server, status, code, message, kind, permanent
):
    openai_server.always(status=status, code=code, message=message)
    error = failure(openai_server)
    assert (error.kind, error.permanent, error.status) == (kind, permanent, status)
    assert message in error.message
    assert (error.sent, error.unknown) == (True, False)
    assert len(openai_server.ledger) == 1


@pytest.mark.parametrize("parameter", ["temperature", "seed", "max_tokens", "top_p"])
def test_a_refused_parameter_is_named_and_can_be_left_out(openai_server, parameter):
    message = f"Unsupported parameter: '{parameter}' is not supported with this model."
    openai_server.always(status=400, message=message)
    error = failure(openai_server)
    assert error.parameter == parameter
    assert parameter in error.message
    body = REQUEST.fitted(Capabilities(refused=(error.parameter,))).body()
    assert parameter not in body


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "-4"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
        (
            {
                "date": "Sat, 21 Nov 2026 10:00:00 GMT",
                "retry-after": "Sat, 21 Nov 2026 10:00:20 GMT",
            },
            20.0,
        ),
    ],
)
def test_retry_after_is_read_in_all_its_forms(openai_server, headers, seconds):
    openai_server.always(status=429, headers=headers)
    assert failure(openai_server).retry_after == seconds


def test_a_date_without_a_server_clock_counts_from_now():
    then = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=60)
    waiting = retry_after({"retry-after": then.strftime("%a, %d %b %Y %H:%M:%S GMT")})
    assert waiting == pytest.approx(60, abs=3)


def test_a_hang_ends_at_the_deadline_and_its_outcome_is_unknown(openai_server):
    openai_server.always(hang=True)
    start = time.monotonic()
    error = failure(openai_server, deadline=0.3)
    assert time.monotonic() - start < 1.3
    assert (error.kind, error.sent, error.unknown) == ("timeout", True, True)


def test_a_drip_ends_at_the_deadline_although_every_byte_comes_in_time(openai_server):
    openai_server.always(text="A", drip=0.05)
    start = time.monotonic()
    assert failure(openai_server, deadline=0.4).kind == "timeout"
    assert time.monotonic() - start < 1.4


@pytest.mark.parametrize("how", ["cut", "close"])
def test_a_broken_connection_is_a_transport_error_that_may_have_been_paid(openai_server, how):
    openai_server.always(text="A" * 500, **{how: True})
    error = failure(openai_server)
    assert (error.kind, error.unknown) == ("transport", True)


def test_nobody_listening_is_known_to_be_unsent(openai_server):
    openai_server.always(text="A")
    base_url = openai_server.base_url
    openai_server.base_url = "http://127.0.0.1:9/v1"
    error = failure(openai_server)
    openai_server.base_url = base_url
    assert (error.kind, error.sent, error.unknown) == ("transport", False, False)


def test_a_body_of_600_megabytes_is_dropped_after_one(openai_server):
    openai_server.always(huge=600_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    error = failure(openai_server)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert (error.kind, error.unknown) == ("too_large", True)
    assert grown < 50_000  # kilobytes


@pytest.mark.parametrize(
    "raw",
    [
        "<html><script>alert(1)</script></html>",
        '{"choices": [{"message": {"content": "A"',
        "[]",
        '{"choices": []}',
        '{"choices": [{"message": null}]}',
        "[" * 100_000,
        '{"choices": ' + "9" * 6_000 + "}",
        "",
    ],
)
def test_a_success_that_is_no_completion_is_an_error_that_may_have_been_paid(openai_server, raw):
    openai_server.always(raw=raw)
    error = failure(openai_server)
    assert (error.kind, error.status, error.unknown) == ("server", 200, True)
    assert error.raw == raw
    assert "script" not in error.message


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"prompt_tokens": -5, "completion_tokens": 1},
        {"prompt_tokens": 10**30, "completion_tokens": 1},
        {"prompt_tokens": "7", "completion_tokens": 1},
        {"prompt_tokens": True, "completion_tokens": 1},
        {"prompt_tokens": 5, "completion_tokens": 1_000_000},
        "free",
    ],
)
def test_missing_or_impossible_usage_is_estimated_and_said_to_be(openai_server, usage):
    openai_server.always(text="yes", usage=usage)
    reply = ask(openai_server)
    assert reply.usage_source == "estimated"
    assert 0 < reply.prompt_tokens < 50
    assert reply.completion_tokens > 0


def test_a_redirect_is_not_followed(openai_server):
    openai_server.always(redirect=f"{openai_server.base_url}/elsewhere")
    error = failure(openai_server)
    assert (error.kind, error.status, error.permanent) == ("blocked", 307, True)
    assert len(openai_server.ledger) == 1


def test_the_key_is_nowhere_in_what_comes_back(openai_server):
    openai_server.script(
        {"replies": [{"status": 401, "message": f"Bad key {KEY}"}, {"text": f"Your key is {KEY}"}]}
    )
    error = failure(openai_server)
    reply = ask(openai_server)
    assert KEY not in f"{error} {error!r} {error.raw} {reply!r}"
    assert "[key]" in reply.text


def test_refusal_null_content_and_reasoning_are_kept_apart(openai_server):
    openai_server.always(text=None, refusal="No.", reasoning="Hm", finish_reason="content_filter")
    reply = ask(openai_server)
    assert (reply.text, reply.refusal, reply.reasoning) == ("", "No.", "Hm")


def test_text_that_a_database_could_not_store_is_mended(openai_server):
    raw = '{"choices":[{"message":{"content":"a\\ud800b\\u0000c"},"finish_reason":"stop"}]}'
    openai_server.always(raw=raw)
    text = ask(openai_server).text
    text.encode()
    assert "\x00" not in text
    assert text[0] == "a"


def test_calls_run_at_the_same_time_over_kept_connections(openai_server):
    openai_server.always(text="A", latency=0.1)

    async def run():
        async with Client(openai_server.base_url, KEY, 5, GUARD) as client:
            return await asyncio.gather(*(client.ask(REQUEST) for _ in range(16)))

    start = time.monotonic()
    assert len(finish(run())) == 16
    assert time.monotonic() - start < 1.0
    assert max(entry.concurrency for entry in openai_server.ledger) == 16


def probed(server, model="m"):
    async def run():
        async with Client(server.base_url, KEY, 5, GUARD) as client:
            return await probe(client.ask, model)

    return finish(run())


def test_the_probe_of_the_stand_in_finds_all_it_can_do(openai_server):
    found = probed(openai_server, "offline-stand-in")
    assert found.capabilities == Capabilities(True, True, True, True)
    assert found.error is None
    assert len(openai_server.ledger) <= MOST_CALLS
    assert Capabilities.from_json(found.capabilities.as_json()) == found.capabilities


def test_what_a_probe_will_ask_is_known_before(openai_server):
    probed(openai_server, "m")
    asked = [entry.body_hash for entry in openai_server.ledger]
    assert asked == [request.hash() for request in preview("m")]
    assert len(asked) == len(PROBES)


def test_the_probe_learns_what_a_server_refuses_and_goes_on(openai_server):
    openai_server.script(
        {
            "has": ["max_tokens"],
            "replies": [
                {"status": 400, "message": "use max_completion_tokens", "param": "max_tokens"}
            ],
        },
        {"has": ["temperature"], "replies": [{"status": 400, "param": "temperature"}]},
        {"has": ["logprobs"], "replies": [{"status": 400, "param": "logprobs"}]},
        {"has": ["response_format"], "replies": [{"status": 400, "param": "response_format"}]},
        {"role": "system", "replies": [{"status": 400, "param": "messages[0].role"}]},
    )
    found = probed(openai_server)
    assert found.capabilities == Capabilities(
        True, False, False, False, refused=("max_tokens", "temperature")
    )
    assert len(found.sentences) == 6


def test_the_probe_of_a_server_that_ignores_what_it_does_not_know_is_not_fooled(openai_server):
    openai_server.always(text="ok")
    found = probed(openai_server)
    assert found.capabilities == Capabilities(True, False, False, False)


def test_the_probe_with_a_wrong_key_says_so_after_one_call(openai_server):
    openai_server.always(status=401)
    found = probed(openai_server)
    assert (found.capabilities.chat, found.error.kind) == (False, "auth")
    assert len(openai_server.ledger) == 1
