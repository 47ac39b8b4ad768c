"""Token probabilities: one letter is asked for, and the model's weights on the letters are read."""

import math
import random
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.task_types.base import UNSURE, Rules, TaskType
from generation.llm.base import Alternatives, Capabilities, Reply
from generation.techniques.base import (
    RATIONALE_LENGTH,
    Judgement,
    Rejection,
    Source,
    Step,
    StepReading,
    answers_of,
    mean_judgement,
    step_seed,
    unusable,
)
from generation.techniques.prompt import messages, option_lines
from generation.techniques.rationale import rationale_step

MOST_OPTIONS = 20  # endpoints give at most 20 alternatives
LEAST_MASS = 0.5  # below it the model was about to write something else than a letter
YES, NO = "yes", "no"


@dataclass(frozen=True)
class Logprobs:
    """What it does: shows the labels as letters in random order, asks for one letter and reads how
    probable the model found each. Multi-label: one yes/no question for each label.

    Source: Zhao et al. (2021), "Calibrate before use", for label probabilities; Wang et al. (2024),
    "Large language models are not fair evaluators", for averaging over orders.
    Use when: the endpoint returns log probabilities; it is the cheapest and finest-grained answer.
    Not when: there are more than 20 labels, or the model must reason before it can answer.
    """

    orders: int = field(
        default=1,
        metadata={
            "label": gettext_lazy("Orders of the labels to average over"),
            "min": 1,
            "max": 10,
        },
    )
    rationale: bool = field(
        default=False,
        metadata={"label": gettext_lazy("Ask for a short rationale, as a second request")},
    )

    name: ClassVar[str] = "logprobs"
    label: ClassVar[str] = gettext_lazy("Token probabilities of one letter")
    version: ClassVar[int] = 1
    source: ClassVar[Source] = "logprobs"
    needs: ClassVar[tuple[str, ...]] = ("chat", "logprobs")

    def offered(self, rules: Rules, task_type: TaskType, capabilities: Capabilities) -> str | None:
        if capabilities.logprobs is None:
            return str(
                _("It is not known whether the endpoint gives log probabilities; probe it first.")
            )
        if not capabilities.logprobs:
            return str(_("The endpoint gives no log probabilities."))
        if len(rules.labels) + rules.unsure > MOST_OPTIONS:
            return str(_("The codebook has more than %(n)d answers.") % {"n": MOST_OPTIONS})
        return None

    def steps(
        self, rules: Rules, task_type: TaskType, fields: Mapping[str, str], seed: int
    ) -> tuple[Step, ...]:
        subjects = rules.slugs if task_type.multiple else ("",)
        return tuple(
            self._step(rules, fields, seed, subject, order)
            for subject in subjects
            for order in range(self.orders)
        )

    def _step(
        self, rules: Rules, fields: Mapping[str, str], seed: int, subject: str, order: int
    ) -> Step:
        name = f"{subject}:{order}" if subject else f"order:{order}"
        slugs = [YES, NO] if subject else list(rules.slugs)
        slugs += [UNSURE] if rules.unsure else []
        random.Random(f"{seed}:{name}").shuffle(slugs)
        options = dict(zip(string.ascii_uppercase, slugs, strict=False))
        shown = [(letter, _shown(slug, rules, subject)) for letter, slug in options.items()]
        ask = (
            f"{_question(rules, subject)}\n{option_lines(shown)}\n"
            "Answer with one letter and nothing else."
        )
        return Step(
            name=name,
            messages=messages(rules, fields, ask, seed, name),
            max_tokens=1,
            temperature=0.0,
            seed=step_seed(seed, name),
            options=options,
            subject=subject,
            one_token=True,
            logprobs=MOST_OPTIONS,
        )

    def read(
        self, step: Step, reply: Reply, rules: Rules, task_type: TaskType
    ) -> StepReading | Rejection:
        if rejection := unusable(step, reply):
            return rejection
        if step.purpose == "rationale":
            return StepReading(step.name, rationale=reply.text.strip()[:RATIONALE_LENGTH])
        if not reply.logprobs:
            return Rejection("no_logprobs", _("The reply holds no log probabilities."))
        masses = letter_masses(reply.logprobs[0], step.options)
        total, on_labels = sum(masses.values()), sum(masses[s] for s in masses if s != UNSURE)
        if total < LEAST_MASS:
            said = reply.text.strip()[:40]
            detail = _("Letters hold %(share)s of the mass; it said “%(said)s”.")
            return Rejection("low_mass", detail % {"share": f"{total:.0%}", "said": said})
        if not on_labels:
            return StepReading(step.name, covered=0.0)
        shares = {slug: mass / on_labels for slug, mass in masses.items() if slug != UNSURE}
        if step.subject:
            shares = {step.subject: shares[YES]}
        return StepReading(step.name, shares, covered=min(on_labels, 1.0))

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
        """The rationale comes after the letter, so that the letter stays one token."""
        if not self.rationale:
            return None
        return rationale_step(judgement, rules, task_type, fields, seed)


def _question(rules: Rules, subject: str) -> str:
    if not subject:
        return rules.question
    name = rules.label(subject).name
    return f"Does the label “{subject}” ({name}) apply to the sample, whatever else applies?"


def _shown(slug: str, rules: Rules, subject: str) -> str:
    if subject or slug == UNSURE:
        return slug
    name = rules.label(slug).name
    return slug if name == slug else f"{slug} ({name})"


def letter_masses(position: Alternatives, options: Mapping[str, str]) -> dict[str, float]:
    """The probability of each option: all tokens that come down to its letter, added up.

    "A", " A", "a", "A." and the space marks of common tokenizers (▁A, ĠA) are one letter.
    """
    masses = dict.fromkeys(options.values(), 0.0)
    for token, logprob in position:
        letter = token.strip(" \t\r\n▁Ġ.):(*\"'").upper()
        if letter in options:
            masses[options[letter]] += math.exp(logprob)
    return masses
