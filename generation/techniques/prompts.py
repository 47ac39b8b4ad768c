"""Prompts: the same sample asked about in several ways, and how often each label came."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.task_types.base import UNSURE, Rules, TaskType
from generation.llm.base import Capabilities, Reply
from generation.llm.replies import ReplyError, check, parse_json
from generation.techniques.base import (
    RATIONALE_LENGTH,
    Judgement,
    Rejection,
    Source,
    Step,
    StepReading,
    Vote,
    answers_of,
    mean_judgement,
    rejected,
    step_seed,
    unusable,
    with_slugs,
)
from generation.techniques.prompt import messages
from generation.techniques.rationale import rationale_step
from generation.techniques.wordings import QUOTE, WORDINGS, Wording

CODES = {"not_in_set": "label_not_in_set"}
TOKENS_PER_LABEL = 24
FORM_TOKENS = 40


@dataclass(frozen=True)
class Prompts:
    """What it does: asks about each sample in up to seven ways (question, multiple choice,
    entailment, true or false, instruction, comparison, evidence) at temperature 0; a label's
    probability is its share of the answers. An answer that cannot be read counts for no label.

    Source: Li et al. (2023), "CoAnnotating: Uncertainty-Guided Work Allocation between Human and
    Large Language Models for Data Annotation", EMNLP, section 3.1; the wordings are our own.
    Use when: the endpoint gives no log probabilities, and doubt should show where one and the same
    model contradicts itself; the CoAnnotating strategy draws by it.
    Not when: money is short (every way of asking is a full call), or fine shades of certainty
    matter: seven answers know few values.
    """

    ways: int = field(
        default=7, metadata={"label": gettext_lazy("Ways of asking"), "min": 3, "max": 7}
    )
    rationale: bool = field(
        default=False,
        metadata={"label": gettext_lazy("Ask for a short rationale, as one more request")},
    )

    name: ClassVar[str] = "prompts"
    label: ClassVar[str] = gettext_lazy("Prompts: the same question asked in several ways")
    version: ClassVar[int] = 1
    source: ClassVar[Source] = "prompts"
    needs: ClassVar[tuple[str, ...]] = ("chat",)

    def offered(self, rules: Rules, task_type: TaskType, capabilities: Capabilities) -> str | None:
        if capabilities.chat is False:
            return str(_("The endpoint answers no chat completions."))
        return None

    @property
    def wordings(self) -> tuple[Wording, ...]:
        return WORDINGS[: self.ways]

    def steps(
        self, rules: Rules, task_type: TaskType, fields: Mapping[str, str], seed: int
    ) -> tuple[Step, ...]:
        return tuple(
            self._step(wording, rules, task_type, fields, seed) for wording in self.wordings
        )

    def _step(
        self,
        wording: Wording,
        rules: Rules,
        task_type: TaskType,
        fields: Mapping[str, str],
        seed: int,
    ) -> Step:
        options = wording.options(rules, seed)
        ask = wording.ask(rules, task_type, options)
        room = TOKENS_PER_LABEL * (len(rules.labels) if task_type.multiple else 1)
        return Step(
            name=wording.name,
            messages=messages(rules, fields, ask, seed, wording.name),
            max_tokens=room + FORM_TOKENS + wording.more_tokens,
            temperature=0.0,
            seed=step_seed(seed, wording.name),
            options=options,
            schema=wording.schema(rules, task_type, options),
        )

    def read(
        self, step: Step, reply: Reply, rules: Rules, task_type: TaskType
    ) -> StepReading | Rejection:
        if rejection := unusable(step, reply):
            return rejection
        if step.purpose == "rationale" or step.schema is None:
            return StepReading(step.name, rationale=reply.text.strip()[:RATIONALE_LENGTH])
        try:
            parsed = with_slugs(parse_json(reply.text), rules)
            check(parsed.value, step.schema)
        except ReplyError as error:
            return rejected(error, CODES)
        (wording,) = (known for known in WORDINGS if known.name == step.name)
        chosen = wording.chosen(parsed.value, step.options)
        if UNSURE in chosen and len(chosen) > 1:
            return Rejection("wrong_shape", _("“unsure” stands together with labels."))
        if not task_type.multiple and len(chosen) != 1:
            detail = _("%(n)d answers are given where one was asked for.")
            return Rejection("wrong_shape", detail % {"n": len(chosen)})
        quote = str(parsed.value.get(QUOTE, ""))[:RATIONALE_LENGTH]
        if UNSURE in chosen:
            return StepReading(step.name, covered=0.0, repaired=parsed.repaired)
        shares = {slug: float(slug in chosen) for slug in rules.slugs}
        return StepReading(step.name, shares, 1.0, quote, parsed.repaired)

    def combine(
        self, readings: Sequence[StepReading | Rejection], rules: Rules, task_type: TaskType
    ) -> Judgement | Rejection:
        """An answer that could not be read counts for no label, stays visible among the votes and
        is missing from the covered mass; when more than half are, the sample is rejected for their
        commonest reason."""
        asked = readings[: self.ways]
        good, bad = answers_of(asked)
        if len(bad) > len(asked) / 2:
            code = Counter(rejection.code for rejection in bad).most_common(1)[0][0]
            first = next(rejection for rejection in bad if rejection.code == code)
            counts = {"bad": len(bad), "all": len(asked), "why": first.detail}
            return Rejection(code, _("%(bad)d of %(all)d answers: %(why)s") % counts)
        lost = [StepReading("", covered=0.0) for _ in bad]
        judgement = mean_judgement([*good, *lost], rules, task_type, self.source)
        if isinstance(judgement, Rejection):
            return judgement
        votes = tuple(
            Vote(wording.name, _code(reading, rules, task_type))
            for wording, reading in zip(self.wordings, asked, strict=False)
        )
        return replace(judgement, votes=votes, rationale=_rationale(readings[self.ways :]))

    def follow_up(
        self,
        judgement: Judgement,
        rules: Rules,
        task_type: TaskType,
        fields: Mapping[str, str],
        seed: int,
    ) -> Step | None:
        if not self.rationale:
            return None
        return rationale_step(judgement, rules, task_type, fields, seed)


def _code(reading: StepReading | Rejection, rules: Rules, task_type: TaskType) -> str | None:
    """The answer as its code; "unsure" where it was that, None where it could not be read."""
    if isinstance(reading, Rejection):
        return None
    if not reading.shares:
        return UNSURE
    return task_type.code(task_type.value([s for s, on in reading.shares.items() if on], rules))


def _rationale(rest: Sequence[StepReading | Rejection]) -> str:
    """What came after the votes."""
    good, _bad = answers_of(rest)
    return next((reading.rationale for reading in good if reading.rationale), "")
