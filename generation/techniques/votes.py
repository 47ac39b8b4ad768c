"""Votes: the same question several times at a temperature, and how often each label came."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.task_types.base import UNSURE, Rules, TaskType
from generation.llm.base import Capabilities, Reply
from generation.llm.replies import ReplyError, Schema, check, object_schema, parse_json
from generation.techniques.base import (
    RATIONALE_LENGTH,
    RATIONALE_TOKENS,
    Judgement,
    Rejection,
    Source,
    Step,
    StepReading,
    answers_of,
    mean_judgement,
    rejected,
    step_seed,
    unusable,
    with_slugs,
)
from generation.techniques.prompt import messages

CODES = {"not_in_set": "label_not_in_set"}
TOKENS_PER_LABEL = 24


@dataclass(frozen=True)
class Votes:
    """What it does: asks the same question several times at a temperature above zero; a label's
    probability is its share of the votes.

    Source: Wang et al. (2023), "Self-consistency improves chain of thought reasoning"; Li et al.
    (2023), CoAnnotating, where an unreadable vote is a category of its own.
    Use when: the endpoint gives no log probabilities, or the model should reason before it answers.
    Not when: money is short (every vote is a full call), or fine shades of certainty matter.
    """

    votes: int = field(
        default=5, metadata={"label": gettext_lazy("Votes for each sample"), "min": 2, "max": 30}
    )
    temperature: float = field(
        default=1.0, metadata={"label": gettext_lazy("Temperature"), "min": 0.1, "max": 2.0}
    )
    rationale: bool = field(
        default=False,
        metadata={"label": gettext_lazy("Ask for a short rationale before each vote")},
    )

    name: ClassVar[str] = "votes"
    label: ClassVar[str] = gettext_lazy("Votes: several answers at a temperature")
    version: ClassVar[int] = 1
    source: ClassVar[Source] = "votes"
    needs: ClassVar[tuple[str, ...]] = ("chat",)

    def offered(self, rules: Rules, task_type: TaskType, capabilities: Capabilities) -> str | None:
        if capabilities.chat is False:
            return str(_("The endpoint answers no chat completions."))
        if "temperature" in capabilities.refused:
            return str(
                _("The endpoint takes no temperature, so that votes would not differ as asked.")
            )
        return None

    def steps(
        self, rules: Rules, task_type: TaskType, fields: Mapping[str, str], seed: int
    ) -> tuple[Step, ...]:
        schema = self._schema(rules, task_type)
        room = TOKENS_PER_LABEL * (len(rules.labels) if task_type.multiple else 1) + 40
        ask = self._ask(rules, task_type)
        return tuple(
            Step(
                name=name,
                messages=messages(rules, fields, ask, seed, name),
                max_tokens=room + (RATIONALE_TOKENS if self.rationale else 0),
                temperature=self.temperature,
                seed=step_seed(seed, name),
                schema=schema,
            )
            for name in (f"vote:{number}" for number in range(self.votes))
        )

    def _ask(self, rules: Rules, task_type: TaskType) -> str:
        reason = '"rationale": one or two sentences, ' if self.rationale else ""
        listed = ", ".join(rules.slugs)
        unsure = f', or "{UNSURE}"' if rules.unsure else ""
        if task_type.multiple:
            answer = f'"labels": a list of every label that applies, also none, out of: {listed}'
            unsure = f'; ["{UNSURE}"] when unsure' if rules.unsure else ""
        else:
            answer = f'"label": one of: {listed}'
        form = f"Answer with a JSON object and nothing else: {reason}{answer}{unsure}."
        return f"{rules.question}\n{form}"

    def _schema(self, rules: Rules, task_type: TaskType) -> Schema:
        allowed = [*rules.slugs, *([UNSURE] if rules.unsure else [])]
        one: Schema = {"type": "string", "enum": allowed}
        properties: dict[str, Schema] = {"rationale": {"type": "string"}} if self.rationale else {}
        if task_type.multiple:
            properties["labels"] = {"type": "array", "items": one, "uniqueItems": True}
        else:
            properties["label"] = one
        return object_schema(properties)

    def read(
        self, step: Step, reply: Reply, rules: Rules, task_type: TaskType
    ) -> StepReading | Rejection:
        if rejection := unusable(step, reply):
            return rejection
        try:
            parsed = with_slugs(parse_json(reply.text), rules)
            check(parsed.value, self._schema(rules, task_type))
        except ReplyError as error:
            return rejected(error, CODES)
        chosen = _chosen(parsed.value, task_type)
        why = str(parsed.value.get("rationale", ""))[:RATIONALE_LENGTH]
        if UNSURE in chosen and len(chosen) > 1:
            return Rejection("wrong_shape", _("“unsure” stands together with labels."))
        if UNSURE in chosen:
            return StepReading(step.name, covered=0.0, rationale=why, repaired=parsed.repaired)
        shares = {slug: float(slug in chosen) for slug in rules.slugs}
        return StepReading(step.name, shares, 1.0, why, parsed.repaired)

    def combine(
        self, readings: Sequence[StepReading | Rejection], rules: Rules, task_type: TaskType
    ) -> Judgement | Rejection:
        """A vote that could not be read is no vote, but it is missing from the covered mass; when
        more than half are, the sample is rejected for their commonest reason."""
        good, bad = answers_of(readings)
        if len(bad) > len(readings) / 2:
            code = Counter(rejection.code for rejection in bad).most_common(1)[0][0]
            first = next(rejection for rejection in bad if rejection.code == code)
            counts = {"bad": len(bad), "all": len(readings), "why": first.detail}
            return Rejection(code, _("%(bad)d of %(all)d votes: %(why)s") % counts)
        lost = [StepReading("", covered=0.0) for _ in bad]
        judgement = mean_judgement([*good, *lost], rules, task_type, self.source)
        if isinstance(judgement, Rejection):
            return judgement
        return replace(judgement, rationale=_rationale_for(judgement, good, task_type))

    def follow_up(
        self,
        judgement: Judgement,
        rules: Rules,
        task_type: TaskType,
        fields: Mapping[str, str],
        seed: int,
    ) -> Step | None:
        return None


def _chosen(value: dict[str, Any], task_type: TaskType) -> list[str]:
    return value["labels"] if task_type.multiple else [value["label"]]


def _rationale_for(
    judgement: Judgement, readings: Sequence[StepReading], task_type: TaskType
) -> str:
    """The rationale of the first vote for what the votes amount to."""
    winners = set(task_type.slugs(judgement.value))
    for reading in readings:
        if reading.shares and {slug for slug, on in reading.shares.items() if on} == winners:
            return reading.rationale
    return ""
