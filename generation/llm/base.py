"""What is asked of a model and what came back, as plain values without any database behind them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

USER, SYSTEM, ASSISTANT = "user", "system", "assistant"

# One output position: the alternatives the model weighed, as (token, natural log probability).
Alternatives = tuple[tuple[str, float], ...]

ErrorKind = Literal[
    "rate_limited",
    "quota",
    "auth",
    "not_found",
    "bad_request",
    "context_overflow",
    "server",
    "transport",
    "timeout",
    "too_large",
    "blocked",
]
# Asking again cannot help until a person has changed something: pause at once, do not retry.
PERMANENT: frozenset[ErrorKind] = frozenset(
    {"quota", "auth", "not_found", "bad_request", "blocked"}
)


@dataclass(frozen=True)
class Message:
    role: str
    content: str


@dataclass(frozen=True)
class Capabilities:
    """What a probe found out about an endpoint and model; None means: not known.

    `refused` names the parameters that the server answers with 400, such as "temperature".
    """

    chat: bool | None = None
    logprobs: bool | None = None
    json_schema: bool | None = None
    system_role: bool | None = None
    refused: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "chat": self.chat,
            "logprobs": self.logprobs,
            "json_schema": self.json_schema,
            "system_role": self.system_role,
            "refused": list(self.refused),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Capabilities":
        """Reads what `as_json` wrote; a key that is not there is not known."""
        known = {k: stored.get(k) for k in ("chat", "logprobs", "json_schema", "system_role")}
        return cls(**known, refused=tuple(stored.get("refused", ())))


@dataclass(frozen=True)
class Request:
    """One chat completion to be asked for. A parameter that is None is not sent."""

    messages: tuple[Message, ...]
    model: str
    max_tokens: int
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    logprobs: int | None = None  # how many alternatives for each output token, at most 20
    response_format: Mapping[str, Any] | None = None
    # Newer reasoning models refuse "max_tokens" and want "max_completion_tokens".
    max_tokens_name: str = "max_tokens"

    path: ClassVar[str] = "/chat/completions"

    def body(self) -> dict[str, Any]:
        """The JSON body of the HTTP request."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": m.role, "content": m.content} for m in self.messages],
            self.max_tokens_name: self.max_tokens,
        }
        for name in ("temperature", "top_p", "seed", "response_format"):
            if (value := getattr(self, name)) is not None:
                body[name] = value
        if self.logprobs is not None:
            body |= {"logprobs": True, "top_logprobs": self.logprobs}
        return body

    def canonical(self) -> str:
        """Equal requests have equal text, whatever the order of their keys."""
        return json.dumps(self.body(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def payload(self) -> bytes:
        """Exactly the bytes that are sent."""
        return self.canonical().encode("utf-8", "replace")

    def hash(self) -> str:
        """The SHA-256 of the bytes that are sent."""
        return hashlib.sha256(self.payload()).hexdigest()

    def fitted(self, capabilities: Capabilities) -> "Request":
        """The same request without what this endpoint is known to refuse."""
        fitted = self
        for name in capabilities.refused:
            if name in ("temperature", "top_p", "seed"):
                fitted = replace(fitted, **dict[str, Any]({name: None}))
        if "max_tokens" in capabilities.refused:
            fitted = replace(fitted, max_tokens_name="max_completion_tokens")
        if capabilities.json_schema is not True:
            fitted = replace(fitted, response_format=None)
        if capabilities.system_role is False:
            fitted = replace(fitted, messages=folded(self.messages))
        return fitted


@dataclass(frozen=True)
class EmbeddingRequest:
    """One request for the vectors of some texts, in their order."""

    texts: tuple[str, ...]
    model: str

    path: ClassVar[str] = "/embeddings"
    max_tokens: ClassVar[int] = 0  # nothing is written
    response_format: ClassVar[None] = None

    @property
    def messages(self) -> tuple[Message, ...]:
        """The texts as what a prompt's tokens are estimated from."""
        return tuple(Message(USER, text) for text in self.texts)

    def body(self) -> dict[str, Any]:
        """Base64 is a third as long as written numbers; who does not know it sends numbers."""
        return {"model": self.model, "input": list(self.texts), "encoding_format": "base64"}

    def payload(self) -> bytes:
        text = json.dumps(self.body(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.encode("utf-8", "replace")

    def hash(self) -> str:
        return hashlib.sha256(self.payload()).hexdigest()


AnyRequest = Request | EmbeddingRequest


def folded(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """System text put in front of the first user message, for servers that refuse the role."""
    system = "\n\n".join(m.content for m in messages if m.role == SYSTEM)
    others = [m for m in messages if m.role != SYSTEM]
    if not system or not others:
        return messages
    first = Message(others[0].role, f"{system}\n\n{others[0].content}")
    return (first, *others[1:])


@dataclass(frozen=True)
class Reply:
    """A chat completion that arrived whole. `raw` is the body, to be stored before it is parsed.

    Token counts are never None after `ask`: where the provider sent none or impossible ones they
    are our own estimate and `usage_source` says so.
    """

    text: str
    raw: str
    status: int = 200
    finish_reason: str = ""
    refusal: str = ""
    reasoning: str = ""
    model_returned: str = ""
    system_fingerprint: str = ""
    request_id: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    usage_source: Literal["provider", "estimated"] = "provider"
    logprobs: tuple[Alternatives, ...] | None = None
    latency_ms: int = 0


@dataclass(eq=False)
class LLMError(Exception):
    """A call that brought no reply. `message` never holds the key and can be shown to a manager.

    `sent`: bytes of the request may have reached the endpoint. `retry_after`: seconds, exactly as
    the endpoint asked. `parameter`: the request parameter that a 400 complained about, if known.
    """

    kind: ErrorKind
    message: str
    status: int | None = None
    sent: bool = False
    retry_after: float | None = None
    parameter: str = ""
    request_id: str = ""
    raw: str = field(default="", repr=False)
    latency_ms: int = 0

    def __str__(self) -> str:
        return self.message

    @property
    def permanent(self) -> bool:
        return self.kind in PERMANENT

    @property
    def unknown(self) -> bool:
        """May this call have been paid for, although no reply came? Then its reserve stays booked.

        An HTTP error status says that it was not; silence, a broken or a senseless answer do not.
        """
        return self.sent and (self.status is None or self.status < 300)
