"""Stated confidence: the model writes a probability for every label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

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

OUTER_CODES = {"missing_field": "missing_confidence"}
CODES = {**OUTER_CODES, "unexpected_field": "label_not_in_set"}
TOKENS_PER_LABEL = 24
SUM_TOLERANCE = 0.1  # models round; further off, nobody knows what was meant


@dataclass(frozen=True)
class Verbalized:
    """What it does: asks in one request for a probability for every label, as JSON.

    Source: Tian et al. (2023), "Just ask for calibration"; Lin et al. (2022), "Teaching models to
    express their uncertainty in words".
    Use when: one cheap call has to do and the endpoint gives no log probabilities.
    Not when: fine ranking matters: stated confidence piles up on a few values such as 0.9.
    """

    percent: bool = field(
        default=False,
        metadata={"label": gettext_lazy("Ask for per cent instead of numbers from 0 to 1")},
    )
    rationale: bool = field(
        default=False,
        metadata={"label": gettext_lazy("Ask for a short rationale before the answer")},
    )

    name: ClassVar[str] = "verbalized"
    label: ClassVar[str] = gettext_lazy("Stated confidence for every label")
    version: ClassVar[int] = 1
    source: ClassVar[Source] = "verbalized"
    needs: ClassVar[tuple[str, ...]] = ("chat",)

    def offered(self, rules: Rules, task_type: TaskType, capabilities: Capabilities) -> str | None:
        if capabilities.chat is False:
            return str(_("The endpoint answers no chat completions."))
        return None

    def steps(
        self, rules: Rules, task_type: TaskType, fields: Mapping[str, str], seed: int
    ) -> tuple[Step, ...]:
        room = TOKENS_PER_LABEL * len(rules.labels) + 60
        step = Step(
            name="confidence",
            messages=messages(rules, fields, self._ask(rules, task_type), seed, "confidence"),
            max_tokens=room + (RATIONALE_TOKENS if self.rationale else 0),
            temperature=0.0,
            seed=step_seed(seed, "confidence"),
            schema=self._schema(rules, task_type),
        )
        return (step,)

    @property
    def _whole(self) -> int:
        return 100 if self.percent else 1

    def _answers(self, rules: Rules, task_type: TaskType) -> list[str]:
        """A label that may or may not apply has its own doubt; only a choice can be "unsure"."""
        return [*rules.slugs, *([UNSURE] if rules.unsure and not task_type.multiple else [])]

    def _ask(self, rules: Rules, task_type: TaskType) -> str:
        reason = '"rationale": one or two sentences, ' if self.rationale else ""
        listed = ", ".join(self._answers(rules, task_type))
        how = (
            "that it applies, whatever else applies"
            if task_type.multiple
            else f"that it is the right answer; together they make {self._whole}"
        )
        return (
            f"{rules.question}\nAnswer with a JSON object and nothing else: {reason}"
            f'"probabilities": an object with a number from 0 to {self._whole} for each of: '
            f"{listed}. Each number is your probability {how}."
        )

    def _schema(self, rules: Rules, task_type: TaskType) -> Schema:
        number: Schema = {"type": "number", "minimum": 0, "maximum": self._whole}
        stated = object_schema(dict.fromkeys(self._answers(rules, task_type), number))
        reason: dict[str, Schema] = {"rationale": {"type": "string"}} if self.rationale else {}
        return object_schema({**reason, "probabilities": stated})

    def read(
        self, step: Step, reply: Reply, rules: Rules, task_type: TaskType
    ) -> StepReading | Rejection:
        if rejection := unusable(step, reply):
            return rejection
        try:
            parsed = with_slugs(parse_json(reply.text), rules)
            check(parsed.value, self._schema(rules, task_type))
        except ReplyError as error:
            return rejected(error, CODES if error.where == "probabilities" else OUTER_CODES)
        stated = {k: v / self._whole for k, v in parsed.value["probabilities"].items()}
        why = str(parsed.value.get("rationale", ""))[:RATIONALE_LENGTH]
        if task_type.multiple:
            return StepReading(step.name, stated, None, why, parsed.repaired)
        total = sum(stated.values())
        if abs(total - 1) > SUM_TOLERANCE:
            detail = _("The probabilities add up to %(total)s, not to 1.")
            return Rejection("bad_sum", detail % {"total": f"{total:.2f}"})
        labels = {slug: stated[slug] / total for slug in rules.slugs}
        covered = min(sum(labels.values()), 1.0)
        shares = {slug: p / covered for slug, p in labels.items()} if covered > 0 else {}
        return StepReading(step.name, shares, covered, why, parsed.repaired)

    def combine(
        self, readings: Sequence[StepReading | Rejection], rules: Rules, task_type: TaskType
    ) -> Judgement | Rejection:
        good, bad = answers_of(readings)
        return bad[0] if bad else mean_judgement(good, rules, task_type, self.source)

    def follow_up(
        self,
        judgement: Judgement,
        rules: Rules,
        task_type: TaskType,
        fields: Mapping[str, str],
        seed: int,
    ) -> Step | None:
        return None
