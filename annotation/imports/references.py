"""Reference labels as a file has them, matched to the codebook: exactly, or not at all."""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from annotation.imports.mapping import plain
from annotation.task_types.base import UNSURE, BadAnswer, Rules, TaskType, Value

CODE_LENGTH = 500  # of Sample.reference_code

Reference = str | list[str] | None


def parts_of(reference: Reference, multiple: bool) -> tuple[str, ...] | None:
    """The labels that a cell names; None where it names no answer at all.

    An empty list is an answer where none of the labels may be one.
    """
    if reference is None or (reference == [] and not multiple):
        return None
    return (reference,) if isinstance(reference, str) else tuple(reference)


class Labels:
    """Finds the labels of a codebook by slug, name or, for ratings, number, in any case."""

    def __init__(self, task: TaskType, rules: Rules) -> None:
        self.task, self.rules = task, rules
        self.exact = {*rules.slugs, UNSURE} if rules.unsure else set(rules.slugs)
        self.named: dict[str, set[str]] = {}
        for label in rules.labels:
            numbers = () if task.level == "nominal" else _numbers(label.number)
            for word in (label.slug, label.name, *numbers):
                self.named.setdefault(_folded(word), set()).add(label.slug)
        self.found: dict[tuple[str, ...], tuple[Value, str] | None] = {}

    def value(self, parts: tuple[str, ...]) -> tuple[Value, str] | None:
        """The stored value and its code; None unless every part is exactly one label."""
        if parts not in self.found:
            self.found[parts] = self._value(parts)
        return self.found[parts]

    def _value(self, parts: tuple[str, ...]) -> tuple[Value, str] | None:
        slugs = [self._slug(part) for part in parts]
        if None in slugs:
            return None
        try:
            value = self.task.value(slugs, self.rules)
        except BadAnswer:
            return None
        code = self.task.code(value)
        return (value, code) if len(code) <= CODE_LENGTH else None

    def _slug(self, part: str) -> str | None:
        if part in self.exact:  # our own exports write slugs
            return part
        found = self.named.get(_folded(part), set())
        return next(iter(found)) if len(found) == 1 else None


def _numbers(number: float | None) -> tuple[str, ...]:
    """3 may also be written 3.0, as spreadsheets do."""
    return () if number is None else (plain(float(number)), str(float(number)))


def _folded(word: str) -> str:
    return unicodedata.normalize("NFC", word).strip().casefold()


@dataclass(frozen=True)
class Match:
    """What of a file's reference labels the codebook knows, in rows."""

    known: int
    unknown: int
    values: tuple[tuple[str, int], ...]  # the unknown ones as the file has them, most rows first


def match(counted: Iterable[tuple[list[str], int]], labels: Labels) -> Match:
    known = unknown = 0
    strangers: Counter[str] = Counter()
    for parts, rows in counted:
        if labels.value(tuple(parts)) is not None:
            known += rows
        else:
            unknown += rows
            strangers[shown(parts)] += rows
    return Match(known, unknown, tuple(strangers.most_common()))


def shown(parts: Iterable[str]) -> str:
    return " | ".join(parts)
