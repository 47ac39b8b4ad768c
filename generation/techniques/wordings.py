"""Seven ways to ask for the same label. Each is one request, whatever the number of labels.

A wording says what to ask, which JSON it wants and which answers that JSON chooses. Wordings that
show the answers as a list show them in an order of the seed's: position moves models.
"""

import random
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from annotation.task_types.base import UNSURE, Rules, TaskType
from generation.llm.replies import Schema, object_schema
from generation.techniques.prompt import option_lines

QUOTE = "quote"


class Wording(Protocol):
    """A way to ask. `options` are the answers that it shows, by mark; none where it names slugs."""

    name: ClassVar[str]
    more_tokens: ClassVar[int]  # beside those for the label or labels

    def options(self, rules: Rules, seed: int) -> Mapping[str, str]: ...

    def ask(self, rules: Rules, task_type: TaskType, options: Mapping[str, str]) -> str: ...

    def schema(self, rules: Rules, task_type: TaskType, options: Mapping[str, str]) -> Schema: ...

    def chosen(self, value: Mapping[str, Any], options: Mapping[str, str]) -> list[str]:
        """The slugs that a value of the schema's shape stands for."""


def answers(rules: Rules) -> list[str]:
    return [*rules.slugs, *([UNSURE] if rules.unsure else [])]


def shuffled(rules: Rules, seed: int, name: str) -> list[str]:
    slugs = answers(rules)
    random.Random(f"{seed}:{name}").shuffle(slugs)
    return slugs


def shown(slug: str, rules: Rules) -> str:
    if slug == UNSURE:
        return "it cannot be told (“unsure”)"
    name = rules.label(slug).name
    return f"“{slug}”" if name == slug else f"“{slug}” ({name})"


@dataclass(frozen=True)
class ByName:
    """Asks for the slug itself, as "label" or "labels"."""

    words: str  # for one label
    words_multiple: str

    more_tokens: ClassVar[int] = 0

    def options(self, rules: Rules, seed: int) -> Mapping[str, str]:
        return {}

    def ask(self, rules: Rules, task_type: TaskType, options: Mapping[str, str]) -> str:
        words = self.words_multiple if task_type.multiple else self.words
        return f"{words.format(question=rules.question)}\n{self.form(rules, task_type)}"

    def form(self, rules: Rules, task_type: TaskType) -> str:
        listed = ", ".join(rules.slugs)
        first = "Answer with a JSON object and nothing else: " + self.before()
        if task_type.multiple:
            unsure = f'; ["{UNSURE}"] when unsure' if rules.unsure else ""
            return (
                f'{first}"labels": a list of every label that applies, also none, out of: '
                f"{listed}{unsure}."
            )
        unsure = f', or "{UNSURE}"' if rules.unsure else ""
        return f'{first}"label": one of: {listed}{unsure}.'

    def before(self) -> str:
        return ""

    def schema(self, rules: Rules, task_type: TaskType, options: Mapping[str, str]) -> Schema:
        one: Schema = {"type": "string", "enum": answers(rules)}
        if task_type.multiple:
            return object_schema({"labels": {"type": "array", "items": one, "uniqueItems": True}})
        return object_schema({"label": one})

    def chosen(self, value: Mapping[str, Any], options: Mapping[str, str]) -> list[str]:
        return list(value["labels"]) if "labels" in value else [value["label"]]


@dataclass(frozen=True)
class Question(ByName):
    """The codebook's own question."""

    name: ClassVar[str] = "question"
    words: str = "{question}"
    words_multiple: str = "{question}"


@dataclass(frozen=True)
class Instruction(ByName):
    """A task to carry out, without a question."""

    name: ClassVar[str] = "instruction"
    words: str = "File this sample under the label whose definition it meets."
    words_multiple: str = "File this sample under every label whose definition it meets."


@dataclass(frozen=True)
class Comparison(ByName):
    """Labels against one another."""

    name: ClassVar[str] = "comparison"
    words: str = (
        "Hold the labels against one another, two at a time, and ask each time which of the two "
        "describes the sample better. Name the label that wins every comparison."
    )
    words_multiple: str = (
        "Hold the labels against the sample one after the other, and against their neighbours "
        "where they are easily confused. Name those that still apply."
    )


@dataclass(frozen=True)
class Evidence(ByName):
    """The words that decide first, then the label."""

    name: ClassVar[str] = "evidence"
    more_tokens: ClassVar[int] = 120
    words: str = (
        "Find the words of the sample that decide its label, quote at most twenty of them, and "
        "name the label that they lead to by the rules."
    )
    words_multiple: str = (
        "Find the words of the sample that decide its labels, quote at most twenty of them, and "
        "name the labels that they lead to by the rules."
    )

    def before(self) -> str:
        return f'"{QUOTE}": those words, '

    def schema(self, rules: Rules, task_type: TaskType, options: Mapping[str, str]) -> Schema:
        asked = super().schema(rules, task_type, options)["properties"]
        return object_schema({QUOTE: {"type": "string"}, **asked})


class ByMark:
    """Shows the answers in a random order and asks for the mark of the right one, or ones."""

    name: ClassVar[str]
    more_tokens: ClassVar[int] = 0
    key: ClassVar[str]

    def marks(self, count: int) -> Sequence[str]:
        return [str(number + 1) for number in range(count)]

    def options(self, rules: Rules, seed: int) -> Mapping[str, str]:
        slugs = shuffled(rules, seed, self.name)
        return dict(zip(self.marks(len(slugs)), slugs, strict=True))

    def mark_schema(self, options: Mapping[str, str]) -> Schema:
        return {"type": "integer", "enum": [int(mark) for mark in options]}

    def several(self, task_type: TaskType) -> bool:
        return task_type.multiple

    def schema(self, rules: Rules, task_type: TaskType, options: Mapping[str, str]) -> Schema:
        one = self.mark_schema(options)
        if self.several(task_type):
            one = {"type": "array", "items": one, "uniqueItems": True}
        return object_schema({self.key: one})

    def chosen(self, value: Mapping[str, Any], options: Mapping[str, str]) -> list[str]:
        marks = value[self.key] if isinstance(value[self.key], list) else [value[self.key]]
        return [options[str(mark)] for mark in marks]

    def form(self, task_type: TaskType, what: str) -> str:
        wanted = f"a list of {what}s, also empty" if self.several(task_type) else f"its {what}"
        return f'Answer with a JSON object and nothing else: "{self.key}": {wanted}.'


class Choice(ByMark):
    """Multiple choice."""

    name = "choice"
    key = "option"

    def marks(self, count: int) -> Sequence[str]:
        letters = string.ascii_uppercase
        return letters[:count] if count <= len(letters) else super().marks(count)

    def mark_schema(self, options: Mapping[str, str]) -> Schema:
        return {"type": "string", "enum": list(options)}

    def ask(self, rules: Rules, task_type: TaskType, options: Mapping[str, str]) -> str:
        lines = option_lines([(mark, shown(slug, rules)) for mark, slug in options.items()])
        which = "Which options are right?" if task_type.multiple else "Which one option is right?"
        return f"{rules.question} {which}\n{lines}\n{self.form(task_type, 'mark')}"


class TrueFalse(ByMark):
    """One statement for each label; the true ones are asked for, in one request."""

    name = "true_false"
    key = "true"

    def several(self, task_type: TaskType) -> bool:
        return True  # whoever calls two labels true has not answered a question with one

    def ask(self, rules: Rules, task_type: TaskType, options: Mapping[str, str]) -> str:
        claim = "The label {} applies." if task_type.multiple else "The right label is {}."
        lines = "\n".join(
            f"{mark}. {self.claim(claim, slug, rules)}" for mark, slug in options.items()
        )
        count = "Any number of them can be true." if task_type.multiple else "Exactly one is true."
        return (
            f"Judge each statement about the sample as true or false. {count}\n{lines}\n"
            f'Answer with a JSON object and nothing else: "{self.key}": a list of the numbers of '
            "the true statements."
        )

    def claim(self, claim: str, slug: str, rules: Rules) -> str:
        return (
            f"It cannot be told (“{UNSURE}”)."
            if slug == UNSURE
            else claim.format(shown(slug, rules))
        )


class Entailment(ByMark):
    """The sample as the premise, the labels as hypotheses."""

    name = "entailment"
    key = "entailed"

    def ask(self, rules: Rules, task_type: TaskType, options: Mapping[str, str]) -> str:
        lines = "\n".join(f"{mark}. {shown(slug, rules)}" for mark, slug in options.items())
        if task_type.multiple:
            which = "Which of these hypotheses follow from the premise?"
        else:
            which = "Exactly one of these hypotheses follows from the premise. Which?"
        return (
            "Take the sample as a premise, and each line below as the hypothesis that the sample "
            f"falls under this label by the rules. {which}\n{lines}\n"
            f"{self.form(task_type, 'number')}"
        )


# The most unlike first: whoever asks in fewer ways asks in these.
WORDINGS: tuple[Wording, ...] = (
    Question(), Choice(), Entailment(), TrueFalse(), Instruction(), Comparison(), Evidence(),
)  # fmt: skip
