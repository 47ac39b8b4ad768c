"""The rules of a codebook edition, as both people and models read them, and the task type contract.

`Rules` is the one object behind the annotator's card and the model's prompt: whoever renders
a codebook renders this, so that the two cannot drift apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

UNSURE = "unsure"  # the code of an "unsure" answer; no label may have this slug


@dataclass(frozen=True)
class Example:
    """A text that shows a rule: a positive one, or a near miss that belongs elsewhere."""

    text: str
    why: str = ""
    near_miss: bool = False


@dataclass(frozen=True)
class LabelRule:
    """One label as the codebook defines it. `number` is the point on the scale, for ratings."""

    slug: str
    name: str
    definition: str = ""
    include: str = ""
    exclude: str = ""
    examples: tuple[Example, ...] = ()
    key: str = ""
    number: float | None = None


@dataclass(frozen=True)
class Rules:
    """One edition of a codebook, without any database behind it."""

    question: str
    instructions: str
    labels: tuple[LabelRule, ...]
    unsure: bool = False  # may people and models answer "unsure"?
    unsure_policy: str = ""  # when to answer it, in the codebook's words
    language: str = "en"

    @property
    def slugs(self) -> tuple[str, ...]:
        return tuple(label.slug for label in self.labels)

    def label(self, slug: str) -> LabelRule:
        """The rule of one label; raises KeyError for a slug that this edition does not have."""
        for label in self.labels:
            if label.slug == slug:
                return label
        raise KeyError(slug)


class BadAnswer(ValueError):
    """An answer that this task type or edition does not allow; the message says why."""


Value = dict[str, Any]  # what is stored in Annotation.value and Suggestion.value


@dataclass(frozen=True)
class Belief:
    """What a machine believes of one sample, reduced to what is stored beside a suggestion."""

    value: Value
    confidence: float
    entropy: float
    margin: float


class TaskType(Protocol):
    """What an annotator answers. `value` is JSON, `code` its canonical short text."""

    name: str
    label: str
    multiple: bool  # may an answer hold several labels?
    level: str  # how labels are compared: "nominal", "ordinal" or "interval"

    def value(self, slugs: list[str], rules: Rules) -> Value:
        """The stored value of chosen labels (or [UNSURE]); raises BadAnswer."""

    def slugs(self, value: Mapping[str, Any]) -> list[str]:
        """The labels of a stored value; [UNSURE] for an unsure answer."""

    def code(self, value: Mapping[str, Any]) -> str:
        """A canonical text: equal answers have equal codes."""

    def belief(self, probabilities: Mapping[str, float], rules: Rules) -> Belief:
        """The answer that probabilities over the labels amount to, and how unsure they are."""
