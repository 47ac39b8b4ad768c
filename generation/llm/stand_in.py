"""The offline stand-in, not a language model: text similarity behind an OpenAI-compatible address.

It reads the codebook that stands in our own prompt and compares the sample with the words of each
label. What it says it believes is what it computed: a softmax over similarities, no more.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from generation.llm.server import (
    Answer,
    Received,
    completion,
    error_answer,
    json_answer,
    models_answer,
)
from generation.llm.similarity import (
    Asked,
    LabelText,
    choice_shares,
    read_prompt,
    similarity_for,
    yes_shares,
)
from generation.llm.tokens import estimate

MODEL = "offline-stand-in"
WHAT_IT_IS = "offline stand-in, not a language model"
UNSURE = "unsure"
# The forms of answers in which `generation.techniques.wordings` asks for marks instead of names.
MARKED = re.compile(r'nothing else: "(option|true|entailed)": ')
MARKS = re.compile(r"^(\w+)(?: =|\.) .*?“([^”]*)”", re.M)
SEVERAL = re.compile("Which options are|Which of these|Any number of them")
# Asked in other words, a model leans another way where it is unsure: at temperature 0 the words of
# each request decide, as if by a draw at this temperature.
WAVERING = 0.5


def shared_words(text: str, label: LabelText, others: Sequence[LabelText]) -> list[str]:
    """Up to three pieces of the sample that the label's texts hold too: first those that few other
    labels hold, then the longer ones."""
    pieces = set(re.findall(r"[^\W\d_]{4,}", text))
    for run in re.findall("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,}", text):
        pieces |= {run[i : i + n] for n in (2, 3, 4) for i in range(len(run) - n + 1)}
    known = _texts(label)
    elsewhere = [_texts(other) for other in others if other is not label]
    shared = sorted(piece for piece in pieces if piece.casefold() in known)
    return sorted(
        shared, key=lambda piece: (sum(piece.casefold() in o for o in elsewhere), -len(piece))
    )[:3]


def _texts(label: LabelText) -> str:
    return " ".join([label.words, *label.examples]).casefold()


def rationale(asked: Asked, slug: str) -> str:
    """Why, in words that the sample and the label have in common."""
    label = next((label for label in asked.labels if label.slug == slug), None)
    words = shared_words(asked.text, label, asked.labels) if label else []
    if not words:
        return f"No words shared with “{slug}” ({WHAT_IT_IS})."
    quoted = ", ".join(f"“{word}”" for word in words)
    return f"Shares {quoted} with the rules for “{slug}” ({WHAT_IT_IS})."


@dataclass(frozen=True)
class Said:
    """A reply in words and, for a letter, the probability of each letter."""

    text: str
    letters: tuple[tuple[str, float], ...] = ()


def say(asked: Asked, temperature: float, rng: np.random.Generator) -> Said:
    """The reply to one of our own prompts."""
    similarity = similarity_for(asked.labels)
    scores = similarity.scores(asked.text)
    if match := re.match(r"The answer to this sample was (?:“([^”]*)”|none)", asked.answer):
        return Said(rationale(asked, match[1] or "none"))
    if match := MARKED.search(asked.answer):
        return _marked(asked, scores, match[1], temperature or WAVERING, rng)
    if options := re.findall(r"^([A-Z]) = (.*)$", asked.answer, re.M):
        return _letter(asked, scores, options, temperature, rng)
    if match := re.search(
        r'"probabilities": .* from 0 to (\d+) for each of: (.*)\. Each', asked.answer
    ):
        return _stated(asked, scores, int(match[1]), match[2].split(", "))
    return _vote(asked, scores, temperature or WAVERING, rng)


def _by_slug(asked: Asked, scores: Sequence[float], unsure: bool) -> dict[str, float]:
    slugs = [label.slug for label in asked.labels] + ([UNSURE] if unsure else [])
    return dict(zip(slugs, choice_shares(scores, unsure).tolist(), strict=True))


def _letter(
    asked: Asked,
    scores: Sequence[float],
    options: Sequence[tuple[str, str]],
    temperature: float,
    rng: np.random.Generator,
) -> Said:
    shown = [text for _, text in options]
    unsure = UNSURE in shown
    if match := re.match(r"Does the label “([^”]*)”", asked.answer):
        slugs = [label.slug for label in asked.labels]
        yes = float(yes_shares(scores)[slugs.index(match[1])])
        believed = {"yes": yes, "no": 1 - yes, UNSURE: 0.0}
    else:
        believed = _by_slug(asked, scores, unsure)
    shares = [believed.get(text, believed.get(text.partition(" (")[0], 0.0)) for text in shown]
    best = _pick(shares, temperature, rng)
    ordered = [best, *(i for i in range(len(shares)) if i != best)]
    return Said(options[best][0], tuple((options[i][0], shares[i]) for i in ordered))


def _stated(asked: Asked, scores: Sequence[float], whole: int, names: Sequence[str]) -> Said:
    if "whatever else applies" in asked.answer:
        slugs = [label.slug for label in asked.labels]
        believed = dict(zip(slugs, yes_shares(scores).tolist(), strict=True))
    else:
        believed = _by_slug(asked, scores, UNSURE in names)
    digits = 0 if whole == 100 else 3
    stated = {name: round(believed.get(name, 0.0) * whole, digits) for name in names}
    best = max(stated, key=lambda name: stated[name])
    return Said(_json(asked, best, {"probabilities": stated}))


def _marked(
    asked: Asked, scores: Sequence[float], key: str, temperature: float, rng: np.random.Generator
) -> Said:
    mark_of = {slug: mark for mark, slug in MARKS.findall(asked.answer)}
    if SEVERAL.search(asked.answer):
        yes = zip(asked.labels, yes_shares(scores).tolist(), strict=True)
        chosen = [label.slug for label, p in yes if _pick([1 - p, p], temperature, rng)]
    else:
        believed = _by_slug(asked, scores, UNSURE in mark_of)
        chosen = [list(believed)[_pick(list(believed.values()), temperature, rng)]]
    marks = [mark if key == "option" else int(mark) for mark in map(mark_of.__getitem__, chosen)]
    one = f'"{key}": its' in asked.answer
    return Said(json.dumps({key: marks[0] if one else marks}))


def _vote(
    asked: Asked, scores: Sequence[float], temperature: float, rng: np.random.Generator
) -> Said:
    if '"labels": a list' in asked.answer:
        yes = zip(asked.labels, yes_shares(scores).tolist(), strict=True)
        on = [label.slug for label, p in yes if _pick([1 - p, p], temperature, rng)]
        return Said(_json(asked, on[0] if on else "none", {"labels": on}))
    believed = _by_slug(asked, scores, f'"{UNSURE}"' in asked.answer)
    slug = list(believed)[_pick(list(believed.values()), temperature, rng)]
    return Said(_json(asked, slug, {"label": slug}))


def _json(asked: Asked, slug: str, value: dict[str, Any]) -> str:
    why = {"rationale": rationale(asked, slug)} if '"rationale"' in asked.answer else {}
    if '"quote"' in asked.answer:
        why["quote"] = rationale(asked, slug)
    return json.dumps({**why, **value}, ensure_ascii=False)


def _pick(shares: Sequence[float], temperature: float, rng: np.random.Generator) -> int:
    """The most probable at temperature 0, else drawn with probability p^(1/temperature)."""
    if temperature <= 0:
        return int(np.argmax(shares))
    weights = np.maximum(np.array(shares), 1e-12) ** (1 / temperature)
    return int(rng.choice(len(shares), p=weights / weights.sum()))


def reply_to(body: Mapping[str, Any], raw: bytes) -> dict[str, Any]:
    """The chat completion for a request; the same bytes get the same reply."""
    messages = [str(message.get("content", "")) for message in body["messages"]]
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(raw).digest()[:8]))
    # A correction round repeats the question; what it is about stands in the first two messages.
    asked = read_prompt("\n\n".join(messages[:2]))
    temperature = float(body.get("temperature") or 0.0)
    said = say(asked, temperature, rng) if asked and asked.labels else _small_talk(body)
    room = int(body.get("max_tokens") or body.get("max_completion_tokens") or 10_000)
    text = said.text[: max(room * 3, 1)]
    cut = len(text) < len(said.text) or room <= 1
    logprobs = None
    if body.get("logprobs"):
        letters = said.letters or ((text, 1.0),)
        logprobs = [[(token, math.log(max(share, 1e-9))) for token, share in letters]]
    reply = completion(
        body,
        text,
        prompt_tokens=sum(estimate(message) for message in messages),
        completion_tokens=min(estimate(text), room),
        finish_reason="length" if cut else "stop",
        logprobs=logprobs,
        model=MODEL,
    )
    return reply | {"system_fingerprint": WHAT_IT_IS}


def _small_talk(body: Mapping[str, Any]) -> Said:
    """For prompts that are not ours, such as a probe's: what its form asks for, or what it is."""
    words = "\n".join(str(message.get("content", "")) for message in body["messages"])
    if match := re.search(r"Answer every message with the single word (\w+)", words):
        return Said(match[1])
    if options := re.findall(r"^([A-Z]) = ", words, re.M):
        return Said(options[0], tuple((letter, 1 / len(options)) for letter in options))
    schema = ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")
    if not isinstance(schema, dict):
        return Said(f"I am the {WHAT_IT_IS}.")
    return Said(json.dumps(_instance(schema)))


def _instance(schema: Mapping[str, Any]) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        return {name: _instance(s) for name, s in schema.get("properties", {}).items()}
    plain = {"string": WHAT_IT_IS, "number": 0.5, "integer": 0, "boolean": False, "array": []}
    return plain.get(str(schema.get("type")))


async def answer(received: Received) -> Answer:
    """What the stand-in's server answers to an HTTP request."""
    if received.path == "/v1/models":
        return models_answer(MODEL)
    if (received.method, received.path) != ("POST", "/v1/chat/completions"):
        return error_answer(404, f"The {WHAT_IT_IS} only knows /v1/chat/completions.")
    try:
        body = received.json()
        return json_answer(reply_to(body, received.body))
    except (ValueError, KeyError, TypeError, AttributeError):
        return error_answer(400, "The request is no chat completion request.")
