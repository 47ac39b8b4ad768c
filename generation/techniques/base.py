"""How a model is asked: the contract every technique keeps, and what its steps amount to.

All of it is pure. The same rules, fields and seed give the same requests, so that a reply that is
stored can be read again at no cost, in any process, at any time.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Literal, Protocol

from django.utils.translation import gettext as _

from annotation.task_types.base import UNSURE, Belief, Rules, TaskType, Value
from generation.llm.base import ASSISTANT, USER, Capabilities, Message, Reply, Request
from generation.llm.replies import Parsed, ReplyError, Schema, response_format

RATIONALE_TOKENS = 160
RATIONALE_LENGTH = 2_000
MOST_TOKENS = 4_096
# A reply that only breaks the form is sent back once with the error; a wrong answer never is.
CORRECTABLE = frozenset({"malformed_json"})
LABEL_KEYS = frozenset({"label", "labels"})


Source = Literal["logprobs", "votes", "prompts", "verbalized"]  # where probabilities came from


@dataclass(frozen=True)
class Step:
    """One HTTP request that a technique wants made, without a model's name.

    `options` are the answers on offer, letter to slug. `subject` is the one label that a yes/no
    question is about. `one_token`: exactly one token is asked for, so that its end is no cut.
    """

    name: str
    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float
    seed: int
    purpose: Literal["answer", "rationale"] = "answer"
    options: Mapping[str, str] = field(default_factory=dict)
    subject: str = ""
    one_token: bool = False
    logprobs: int | None = None
    schema: Schema | None = None

    def request(self, model: str, capabilities: Capabilities) -> Request:
        """The request for this model, without what the endpoint is known not to take."""
        format_ = response_format("answer", self.schema) if self.schema else None
        return Request(
            messages=self.messages,
            model=model,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            seed=self.seed,
            logprobs=self.logprobs,
            response_format=format_,
        ).fitted(capabilities)


@dataclass(frozen=True)
class StepReading:
    """What one reply says. `shares`: the probability of each label that the step speaks about.

    `covered` is how much of the model's answer lay on labels; the rest was "unsure" or no answer.
    A step that said only "unsure" has no shares.
    """

    step: str
    shares: Mapping[str, float] = field(default_factory=dict)
    covered: float | None = None
    rationale: str = ""
    repaired: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)} | {
            "shares": dict(self.shares),
            "repaired": list(self.repaired),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "StepReading":
        return cls(**{**stored, "repaired": tuple(stored.get("repaired", ()))})


@dataclass(frozen=True)
class Rejection:
    """Why a reply is not used. `code` is counted, `detail` is for whoever opens the raw reply.

    Codes: malformed_json, wrong_shape, missing_field, missing_confidence, unexpected_field,
    label_not_in_set, out_of_range, bad_sum, truncated, refused, empty, no_logprobs, low_mass,
    unsure.
    """

    code: str
    detail: str


@dataclass(frozen=True)
class Vote:
    """The answer to one of several ways of asking; a code of None could not be read."""

    prompt: str
    code: str | None


@dataclass(frozen=True)
class Judgement:
    """What a technique concludes about a sample; every label has its probability. `votes` where it
    was asked about in several ways."""

    belief: Belief
    probabilities: dict[str, float]
    source: Source
    covered_mass: float | None = None
    rationale: str = ""
    votes: tuple[Vote, ...] = ()

    @property
    def value(self) -> Value:
        return self.belief.value


class Technique(Protocol):
    """How a model is asked. A frozen dataclass whose fields are its options.

    The order of work: make every request of `steps`; `read` each reply; `combine`; then make the
    request of `follow_up`, if it gives one, read it and combine again with it. A step that stays
    rejected is passed to `combine` as its Rejection.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    version: ClassVar[int]
    source: ClassVar[Source]
    needs: ClassVar[tuple[str, ...]]  # names of Capabilities

    def offered(self, rules: Rules, task_type: TaskType, capabilities: Capabilities) -> str | None:
        """Why this technique cannot be used here, for the manager to read; None: it can."""

    def steps(
        self, rules: Rules, task_type: TaskType, fields: Mapping[str, str], seed: int
    ) -> tuple[Step, ...]:
        """The requests for one sample; equal arguments give equal requests."""

    def read(
        self, step: Step, reply: Reply, rules: Rules, task_type: TaskType
    ) -> StepReading | Rejection:
        """What the reply says, or why it cannot be used. Never a guess."""

    def combine(
        self, readings: Sequence[StepReading | Rejection], rules: Rules, task_type: TaskType
    ) -> Judgement | Rejection:
        """What the readings of all steps amount to."""

    def follow_up(
        self,
        judgement: Judgement,
        rules: Rules,
        task_type: TaskType,
        fields: Mapping[str, str],
        seed: int,
    ) -> Step | None:
        """One more request that needs the judgement, such as its rationale."""


def all_steps(
    technique: Technique, rules: Rules, task_type: TaskType, fields: Mapping[str, str], seed: int
) -> tuple[Step, ...]:
    """Every request that a sample will cost, with a follow-up about the first label: for previews
    and prices."""
    slugs = rules.slugs
    flat = {slug: 1 / len(slugs) for slug in slugs}
    guess = Judgement(task_type.belief(flat, rules), flat, technique.source)
    last = technique.follow_up(guess, rules, task_type, fields, seed)
    return technique.steps(rules, task_type, fields, seed) + ((last,) if last else ())


def step_seed(seed: int, name: str) -> int:
    """A seed of its own for every step, within the 31 bits that every endpoint takes."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:4]) >> 1


def unusable(step: Step, reply: Reply) -> Rejection | None:
    """Why a reply is out of the question before anybody looks for an answer in it."""
    if reply.refusal or reply.finish_reason == "content_filter":
        return Rejection("refused", reply.refusal[:300] or _("The endpoint filtered the answer."))
    if reply.finish_reason == "length" and not step.one_token:
        return Rejection("truncated", _("Cut off at %(n)d tokens.") % {"n": step.max_tokens})
    if not reply.text.strip() and not (step.one_token and reply.logprobs):
        if reply.reasoning or reply.reasoning_tokens:
            return Rejection("empty", _("All tokens went into reasoning; allow more of them."))
        return Rejection("empty", _("The reply holds no text."))
    return None


def rejected(error: ReplyError, codes: Mapping[str, str]) -> Rejection:
    """A shape error in the words of a technique: `codes` renames what it knows better."""
    return Rejection(codes.get(error.code, error.code), error.detail)


def with_slugs(parsed: Parsed, rules: Rules) -> Parsed:
    """Labels called by their full name in the codebook, where it names one label only, get their
    slug. Anything else stays as it was written and is found not to be on offer."""
    known = {*rules.slugs, UNSURE}
    names = Counter(label.name.strip().casefold() for label in rules.labels)
    slug_of = {
        label.name.strip().casefold(): label.slug
        for label in rules.labels
        if names[label.name.strip().casefold()] == 1
    }

    def renamed(value: Any) -> Any:
        if isinstance(value, str):
            return value if value in known else slug_of.get(value.strip().casefold(), value)
        return [renamed(entry) for entry in value] if isinstance(value, list) else value

    if not isinstance(parsed.value, dict):
        return parsed
    value = {k: renamed(v) if k in LABEL_KEYS else v for k, v in parsed.value.items()}
    if isinstance(stated := value.get("probabilities"), dict):
        renamed_keys = {renamed(key): number for key, number in stated.items()}
        value["probabilities"] = renamed_keys if len(renamed_keys) == len(stated) else stated
    if value == parsed.value:
        return parsed
    return Parsed(value, (*parsed.repaired, "name_for_slug"))


def again(step: Step, reply: Reply, rejection: Rejection) -> Step | None:
    """The step to make once more after a rejection, as a new paid request; None: do not.

    A truncated reply gets more room, and all there is where reasoning used it up; a malformed one
    gets its error. Anything else the same model would answer the same way, or it would be coaxed
    into a label.
    """
    reasoned = bool(reply.reasoning or reply.reasoning_tokens)
    cut = rejection.code == "truncated" or (rejection.code == "empty" and reasoned)
    if cut and not step.one_token and step.max_tokens < MOST_TOKENS:
        more = MOST_TOKENS if reasoned else min(step.max_tokens * 4, MOST_TOKENS)
        return replace(step, max_tokens=more)
    if rejection.code not in CORRECTABLE:
        return None
    complaint = (
        f"This could not be read. {rejection.detail} "
        "Answer again with the JSON object that was asked for and nothing else."
    )
    turn = (Message(ASSISTANT, reply.text[:4_000]), Message(USER, complaint))
    return replace(step, messages=step.messages + turn)


def mean_judgement(
    readings: Sequence[StepReading],
    rules: Rules,
    task_type: TaskType,
    source: Source,
) -> Judgement | Rejection:
    """The mean share of each label over the readings that speak about it."""
    probabilities: dict[str, float] = {}
    for slug in rules.slugs:
        shares = [reading.shares[slug] for reading in readings if slug in reading.shares]
        if not shares:
            detail = _("The model answered “unsure” and nothing for “%(slug)s”.")
            return Rejection("unsure", detail % {"slug": slug})
        probabilities[slug] = sum(shares) / len(shares)
    covered = [reading.covered for reading in readings if reading.covered is not None]
    return Judgement(
        belief=task_type.belief(probabilities, rules),
        probabilities=probabilities,
        source=source,
        covered_mass=sum(covered) / len(covered) if covered else None,
        rationale=next((reading.rationale for reading in readings if reading.rationale), ""),
    )


def answers_of(
    readings: Sequence[StepReading | Rejection],
) -> tuple[list[StepReading], list[Rejection]]:
    """Readings and rejections apart."""
    good = [reading for reading in readings if isinstance(reading, StepReading)]
    return good, [reading for reading in readings if isinstance(reading, Rejection)]
