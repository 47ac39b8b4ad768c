"""A scripted OpenAI-compatible server: rules that say what to reply, a ledger of what it received.

In a test: the fixture `openai_server`. As a process of its own:

    python -m tests.openai_server --port 8300 --latency 0.2

with the control plane POST /__control/rules, POST /__control/reset and GET /__control/ledger.

A rule is a dict. It matches when `match` (a regex) is found in the prompt, every name in `has` is a
parameter of the request, and `role` is the role of some message. Its n-th match gives the n-th of
its `replies`; after the last one the last is repeated or, with `once`, the rule is passed over. The
first rule that matches wins; without one the offline stand-in answers. A reply may hold:

    text, logprobs, finish_reason, refusal, reasoning, model   what the model says; `\\1` in text is
                                                    a group of the regex; text None is null content
    usage           replaces the usage; None leaves it out
    status, message, code, param     an error
    headers         of the answer, such as {"retry-after": "3"}
    raw             the body itself, with no JSON around it
    vectors         for /v1/embeddings: {"dimensions": 8, "written": numbers instead of base64}
    huge            a body of so many bytes
    redirect        a 307 to this address
    latency         seconds before the answer begins
    drip            seconds between the bytes of the body
    hang            never answer; close: hang up without an answer; cut: hang up amid the body
"""

import argparse
import asyncio
import base64
import hashlib
import itertools
import json
import re
import struct
import time
from dataclasses import asdict, dataclass, field

from generation.llm.server import (
    Answer,
    ServerThread,
    completion,
    error_answer,
    json_answer,
    models_answer,
    prompt_of,
    serve_forever,
)
from generation.llm.stand_in import reply_to
from generation.llm.tokens import estimate

HUGE_PIECE = 65_536


@dataclass
class Entry:
    """One request as it was received."""

    number: int
    at: float
    path: str
    headers: dict
    body: dict
    body_hash: str
    concurrency: int  # requests under way when it came, itself included
    rule: int | None = None
    status: int | None = None
    ended_at: float | None = None

    @property
    def prompt(self):
        return prompt_of(self.body)


@dataclass
class Script:
    """The rules in force and what has come in under them."""

    rules: list = field(default_factory=list)
    ledger: list = field(default_factory=list)
    latency: float = 0.0
    under_way: int = 0

    def reset(self):
        self.rules, self.ledger, self._matches = [], [], {}

    def __post_init__(self):
        self._matches = {}

    def choose(self, body):
        """The index, the reply and the regex match of the first rule for a request."""
        prompt = prompt_of(body)
        roles = {message.get("role") for message in body.get("messages", [{"role": "user"}])}
        for index, rule in enumerate(self.rules):
            match = re.search(rule.get("match", ""), prompt, re.DOTALL)
            fits = match and set(rule.get("has", ())) <= set(body)
            if not fits or rule.get("role", "user") not in roles:
                continue
            count = self._matches.get(index, 0)
            if rule.get("once") and count >= len(rule["replies"]):
                continue
            self._matches[index] = count + 1
            return index, rule["replies"][min(count, len(rule["replies"]) - 1)], match
        return None, None, None

    async def answer(self, received):
        if received.path.startswith("/__control/"):
            return self._control(received)
        if received.path == "/v1/models":
            return models_answer("scripted")
        if received.path not in ("/v1/chat/completions", "/v1/embeddings"):
            return error_answer(404, "There is nothing here.", "not_found")
        entry = self._enter(received)
        self.under_way += 1
        try:
            entry.rule, reply, match = self.choose(entry.body)
            answer = await self._reply(received, entry, reply, match)
            entry.status = answer.status
            return answer
        finally:
            self.under_way -= 1
            entry.ended_at = time.time()

    def _enter(self, received):
        entry = Entry(
            number=len(self.ledger),
            at=time.time(),
            path=received.path,
            headers=dict(received.headers),
            body=received.json(),
            body_hash=hashlib.sha256(received.body).hexdigest(),
            concurrency=self.under_way + 1,
        )
        self.ledger.append(entry)
        return entry

    async def _reply(self, received, entry, reply, match):
        await asyncio.sleep((reply or {}).get("latency", self.latency))
        if reply is None and "input" in entry.body:
            return json_answer(embeddings(entry.body))
        if reply is None:
            return json_answer(reply_to(entry.body, received.body))
        if reply.get("hang"):
            await asyncio.Event().wait()
        if reply.get("close"):
            raise ConnectionResetError
        return _answer(entry, reply, match)

    def _control(self, received):
        if received.path == "/__control/ledger":
            return json_answer([asdict(entry) for entry in self.ledger])
        if received.path == "/__control/reset":
            self.reset()
        elif received.path == "/__control/rules":
            order = received.json()
            self.rules, self._matches = order["rules"], {}
            self.latency = order.get("latency", self.latency)
        else:
            return error_answer(404, "No such control.")
        return json_answer({"rules": len(self.rules), "latency": self.latency})


def embeddings(body, dimensions=8, written=False):
    """Vectors that follow from the texts, as base64 or, `written`, as numbers."""
    entries = []
    for index, text in enumerate(body["input"]):
        digest = hashlib.sha256(text.encode()).digest()
        numbers = [byte / 255 - 0.5 for byte in digest[:dimensions]]
        packed = base64.b64encode(struct.pack(f"<{dimensions}f", *numbers)).decode()
        entries.append({"index": index, "embedding": numbers if written else packed})
    used = sum(estimate(text) for text in body["input"])
    usage = {"prompt_tokens": used, "total_tokens": used}
    return {"object": "list", "data": entries, "model": body["model"], "usage": usage}


def _answer(entry, reply, match):
    headers = {"x-request-id": f"req-{entry.number}", **reply.get("headers", {})}
    if "redirect" in reply:
        return Answer(307, b"", {"location": reply["redirect"], **headers})
    if "huge" in reply:
        return Answer(200, _flood(reply["huge"]), headers, claimed=reply["huge"])
    if "raw" in reply:
        return Answer(reply.get("status", 200), reply["raw"].encode(), headers)
    if "vectors" in reply:
        return json_answer(embeddings(entry.body, **reply["vectors"]), 200, headers)
    if reply.get("status", 200) >= 400:
        message = reply.get("message", "scripted error")
        error = error_answer(
            reply["status"], message, reply.get("code"), reply.get("param"), headers
        )
        return _slowed(error, reply)
    return _slowed(json_answer(_completion(entry, reply, match), 200, headers), reply)


def _completion(entry, reply, match):
    text = reply.get("text", "")
    body = completion(
        entry.body,
        match.expand(text) if text and "\\" in text else text,
        prompt_tokens=estimate(entry.prompt),
        completion_tokens=estimate(text or ""),
        finish_reason=reply.get("finish_reason", "stop"),
        refusal=reply.get("refusal"),
        logprobs=reply.get("logprobs"),
        model=reply.get("model", ""),
        number=entry.number,
    )
    if "reasoning" in reply:
        body["choices"][0]["message"]["reasoning_content"] = reply["reasoning"]
    if "usage" in reply:
        body.pop("usage")
        if reply["usage"] is not None:
            body["usage"] = reply["usage"]
    return body


def _slowed(answer, reply):
    """The answer as it is, dripping, or broken off in the middle."""
    if reply.get("cut"):
        half = answer.body[: len(answer.body) // 2]
        return Answer(answer.status, half, answer.headers, claimed=len(answer.body))
    if "drip" in reply:
        dripping = _drip(answer.body, reply["drip"])
        return Answer(answer.status, dripping, answer.headers, claimed=len(answer.body))
    return answer


async def _drip(body, pause):
    for i in range(len(body)):
        yield body[i : i + 1]
        await asyncio.sleep(pause)


async def _flood(size):
    for start in range(0, size, HUGE_PIECE):
        yield b" " * min(HUGE_PIECE, size - start)


class OpenAIServer(ServerThread):
    """The scripted server on a thread of this process: `with OpenAIServer() as server: ...`."""

    def __init__(self, latency=0.0, port=0):
        self._script = Script(latency=latency)
        super().__init__(self._script.answer, port=port)

    def __enter__(self):
        self.base_url = super().__enter__()
        return self

    @property
    def ledger(self):
        return self._script.ledger

    def script(self, *rules):
        """Replaces the rules: dicts as in the description above."""
        self._script.rules, self._script._matches = list(rules), {}

    def always(self, **reply):
        """One reply to everything."""
        self.script({"replies": [reply]})

    def reset(self):
        self._script.reset()


def gaps(ledger):
    """Seconds between the arrivals of requests."""
    return [later.at - earlier.at for earlier, later in itertools.pairwise(ledger)]


def main():
    parser = argparse.ArgumentParser(description="A scripted OpenAI-compatible server.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--rules", default="[]", help="JSON list of rules")
    options = parser.parse_args()
    script = Script(rules=json.loads(options.rules), latency=options.latency)
    serve_forever(
        script.answer, "127.0.0.1", options.port, lambda base_url: print(base_url, flush=True)
    )


if __name__ == "__main__":
    main()
