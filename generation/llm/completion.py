"""Reading a chat completion's body. Pure: a stored raw body can be read again at no cost."""

import json
import math
from collections.abc import Mapping
from typing import Any

from generation.llm.base import Alternatives, AnyRequest, Reply, Request
from generation.llm.tokens import estimate, estimate_prompt

# Providers count more than we estimate (chat format, hidden reasoning), but not without end.
SLACK_IN = 10_000
SLACK_OUT = 200_000


class BodyError(ValueError):
    """A body that is no chat completion; the message says why and quotes nothing of it."""


def read_completion(raw: str, request: Request | None = None) -> Reply:
    """The reply in a body of a 200 answer. With the request, missing or impossible token counts
    are replaced by our own estimate."""
    body = _object(raw)
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise BodyError("The answer holds no choices.")
    message = choices[0].get("message")
    if not isinstance(message, dict):
        raise BodyError("The answer holds no message.")
    reply = Reply(
        text=_text(message.get("content")),
        raw=raw,
        finish_reason=_text(choices[0].get("finish_reason")),
        refusal=_text(message.get("refusal")),
        reasoning=_text(message.get("reasoning_content")) or _text(message.get("reasoning")),
        model_returned=_text(body.get("model"))[:200],
        system_fingerprint=_text(body.get("system_fingerprint"))[:200],
        request_id=_text(body.get("id"))[:200],
        logprobs=_logprobs(choices[0].get("logprobs")),
        **_usage(body.get("usage"), request),
    )
    if reply.prompt_tokens is None and request is not None:
        return _with_estimate(reply, request)
    return reply


def read_receipt(raw: str, request: AnyRequest) -> Reply:
    """Who answered and what it took, of an answer that holds no words."""
    body = _object(raw)
    usage = body.get("usage")
    counted = {"completion_tokens": 0, **usage} if isinstance(usage, Mapping) else None
    reply = Reply(
        text="",
        raw=raw,
        model_returned=_text(body.get("model"))[:200],
        request_id=_text(body.get("id"))[:200],
        **_usage(counted, request),
    )
    return _with_estimate(reply, request) if reply.prompt_tokens is None else reply


def _object(raw: str) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise BodyError("The answer is not JSON.") from None
    if not isinstance(body, dict):
        raise BodyError("The answer is not a JSON object.")
    return body


def clean(text: str) -> str:
    """Text that every database can store: lone surrogates and NUL become U+FFFD."""
    text = text.encode("utf-8", "replace").decode() if _has_surrogate(text) else text
    return text.replace("\x00", "\ufffd")


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= c <= "\udfff" for c in text) if not text.isascii() else False


def _text(value: object) -> str:
    """A string, or the text parts of a content list; anything else is no text."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return "".join(_text(part.get("text")) for part in value if isinstance(part, dict))
    return ""


def _usage(usage: object, request: AnyRequest | None) -> dict[str, Any]:
    if not isinstance(usage, Mapping):
        return {}
    counts = {
        "prompt_tokens": _count(usage.get("prompt_tokens")),
        "completion_tokens": _count(usage.get("completion_tokens")),
    }
    if None in counts.values() or (request is not None and not _plausible(counts, request)):
        return {}
    for name, group, key in (
        ("reasoning_tokens", "completion_tokens_details", "reasoning_tokens"),
        ("cached_tokens", "prompt_tokens_details", "cached_tokens"),
    ):
        details = usage.get(group)
        counts[name] = _count(details.get(key)) if isinstance(details, Mapping) else None
    return counts


def _count(value: object) -> int | None:
    """A count that a 32-bit column can hold; True is no count."""
    good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
    return value if good else None  # type: ignore[return-value]


def _plausible(counts: Mapping[str, int | None], request: AnyRequest) -> bool:
    """No token is shorter than a byte, so that a prompt cannot have more tokens than bytes."""
    prompt, completion = counts["prompt_tokens"] or 0, counts["completion_tokens"] or 0
    bytes_in = sum(len(m.content.encode("utf-8", "replace")) for m in request.messages)
    return prompt <= bytes_in + SLACK_IN and completion <= request.max_tokens + SLACK_OUT


def _with_estimate(reply: Reply, request: AnyRequest) -> Reply:
    spoken = estimate(reply.text) + estimate(reply.reasoning) + estimate(reply.refusal)
    return Reply(
        **{
            **vars(reply),
            "prompt_tokens": estimate_prompt(request),
            "completion_tokens": spoken,
            "usage_source": "estimated",
        }
    )


def _logprobs(logprobs: object) -> tuple[Alternatives, ...] | None:
    """The alternatives of each output token, the sampled one among them; None if there are none."""
    content = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    if not isinstance(content, list):
        return None
    return tuple(_alternatives(position) for position in content if isinstance(position, Mapping))


def _alternatives(position: Mapping[str, Any]) -> Alternatives:
    top = position.get("top_logprobs")
    best: dict[str, float] = {}
    for entry in [position, *(top if isinstance(top, list) else [])]:
        if isinstance(entry, Mapping) and isinstance(entry.get("token"), str):
            value = entry.get("logprob")
            if isinstance(value, (int, float)) and math.isfinite(value) and value <= 1e-6:
                token = clean(entry["token"])
                best[token] = max(best.get(token, -math.inf), min(float(value), 0.0))
    return tuple(best.items())
