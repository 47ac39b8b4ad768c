"""Finding out what an endpoint and model can do, by a handful of small paid calls.

`probing` says what to ask next and learns from what came back, so that the caller makes the calls
and gives each its row in the ledger. Nothing is called without the user's consent.
"""

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from generation.llm.base import SYSTEM, USER, Capabilities, LLMError, Message, Reply, Request
from generation.llm.replies import (
    ReplyError,
    Schema,
    check,
    object_schema,
    parse_json,
    response_format,
)

Ask = Callable[[Request], Awaitable[Reply]]
Asking = Generator[Request, Reply | LLMError, tuple[Capabilities, str]]

PROBES = ("chat", "logprobs", "json_schema", "system_role")

MOST_CALLS = 8
ROOM = 64
LEARNABLE = ("max_tokens", "temperature", "seed")
SCHEMA: Schema = object_schema({"colour": {"type": "string", "enum": ["blue", "green"]}})
SECRET_WORD = "BLUE"


@dataclass(frozen=True)
class Findings:
    """What a probe found, with a sentence for each finding to show to the manager.

    `error` is set where the endpoint could not be talked to at all; the rest is then not known.
    """

    capabilities: Capabilities
    sentences: tuple[str, ...]
    error: LLMError | None = None


async def probe(ask: Ask, model: str) -> Findings:
    """Makes at most MOST_CALLS calls. Never raises LLMError: what goes wrong is a finding."""
    asking = probing(model)
    try:
        request = next(asking)
        while True:
            request = asking.send(await _answer(ask, request))
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


async def _answer(ask: Ask, request: Request) -> Reply | LLMError:
    try:
        return await ask(request)
    except LLMError as error:
        return error


def probing(model: str) -> Generator[Request, Reply | LLMError, Findings]:
    """Yields one request after the other and is sent the reply or the error; ends in Findings."""
    known, sentences = Capabilities(), []
    reply = yield _chat(model)
    for _try in LEARNABLE:
        if isinstance(reply, Reply) or reply.parameter not in {*LEARNABLE} - {*known.refused}:
            break
        known = replace(known, refused=(*known.refused, reply.parameter))
        sentences.append(
            _("The parameter “%(name)s” is refused and is left out.") % {"name": reply.parameter}
        )
        reply = yield _chat(model).fitted(known)
    if isinstance(reply, LLMError):
        return Findings(replace(known, chat=False), (*sentences, reply.message), reply)
    known = replace(known, chat=True)
    sentences.append(_chat_sentence(reply, model))
    for find in (_logprobs, _json_schema, _system_role):
        known, sentence = yield from find(model, known)
        sentences.append(sentence)
    return Findings(known, tuple(sentences))


def preview(model: str) -> list[Request]:
    """The requests of a probe that meets no refusal, for showing what it may cost."""
    silent = Reply(text="", raw="")
    asking = probing(model)
    requests = [next(asking)]
    while len(requests) < len(PROBES):
        requests.append(asking.send(silent))
    return requests


def _chat(model: str) -> Request:
    return Request((Message(USER, "Answer with the word ok."),), model, ROOM, 0.0, seed=1)


def _chat_sentence(reply: Reply, model: str) -> str:
    if not reply.text.strip():
        return str(
            _("Chat works, but the reply was empty: the model spends its tokens on reasoning.")
        )
    if reply.model_returned and reply.model_returned != model:
        words = _("Chat works. The endpoint says that “%(name)s” answered.")
        return str(words % {"name": reply.model_returned})
    return str(_("Chat works."))


def _logprobs(model: str, known: Capabilities) -> Asking:
    question = Message(USER, "Which is a colour?\nA = blue\nB = seven\nAnswer with one letter.")
    reply = yield Request((question,), model, 1, 0.0, seed=1, logprobs=20).fitted(known)
    if isinstance(reply, LLMError):
        return replace(known, logprobs=_refusal(reply)), _("No log probabilities: %(why)s") % {
            "why": reply.message
        }
    if reply.logprobs and len(reply.logprobs[0]) > 1:
        found = len(reply.logprobs[0])
        return replace(known, logprobs=True), _(
            "Log probabilities work, with %(n)d alternatives."
        ) % {"n": found}
    return replace(known, logprobs=False), _("No log probabilities: the parameter is ignored.")


def _json_schema(model: str, known: Capabilities) -> Asking:
    question = Message(USER, "What is the colour of the sky? Answer as JSON.")
    request = Request((question,), model, ROOM, 0.0, seed=1).fitted(known)
    reply = yield replace(request, response_format=response_format("answer", SCHEMA))
    if isinstance(reply, LLMError):
        return replace(known, json_schema=_refusal(reply)), _("No JSON schema: %(why)s") % {
            "why": reply.message
        }
    try:
        check(parse_json(reply.text).value, SCHEMA)
    except ReplyError as error:
        return replace(known, json_schema=False), _("No JSON schema: %(why)s") % {
            "why": error.detail
        }
    return replace(known, json_schema=True), _("JSON schema works.")


def _system_role(model: str, known: Capabilities) -> Asking:
    messages = (
        Message(SYSTEM, f"Answer every message with the single word {SECRET_WORD}."),
        Message(USER, "Hello"),
    )
    reply = yield Request(messages, model, ROOM, 0.0, seed=1).fitted(known)
    if isinstance(reply, LLMError):
        return replace(known, system_role=_refusal(reply)), _("No system role: %(why)s") % {
            "why": reply.message
        }
    if SECRET_WORD.lower() in reply.text.lower():
        return replace(known, system_role=True), _("The system role is followed.")
    folded = _("The system role is not followed; the codebook goes into the user message.")
    return replace(known, system_role=False), folded


def _refusal(error: LLMError) -> bool | None:
    """A plain refusal says no; a timeout or a rate limit says nothing."""
    return False if error.kind in {"bad_request", "context_overflow", "server"} else None
