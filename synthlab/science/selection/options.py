"""What can be set about a strategy: those of its fields that carry words for a form."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from synthlab.science.selection.base import Strategy

T = TypeVar("T", int, float, str)
S = TypeVar("S", bound=Strategy)


class OptionsError(ValueError):
    """Options that a strategy does not have or take; the message names the option."""


@dataclass(frozen=True)
class Option:
    """One option, in the words of a form. `kind` is int, float or str; numbers lie from `least` to
    `most`; `choices` are what a str may be. Of an `open` str only the project knows the choices.
    """

    label: str
    help: str = ""
    least: float = -math.inf
    most: float = math.inf
    choices: tuple[tuple[str, str], ...] = ()
    name: str = ""
    default: int | float | str = ""

    @property
    def kind(self) -> type:
        return type(self.default)

    @property
    def open(self) -> bool:
        return self.kind is str and not self.choices


def option(default: T, words: Option) -> T:
    """A field of a strategy that becomes a field of the form."""
    return field(default=default, metadata={"words": words})


def options_of(strategy: type[Strategy]) -> list[Option]:
    """The strategy's options in their order; fields without words are not for a form."""
    return [
        Option(**{**vars(f.metadata["words"]), "name": f.name, "default": f.default})
        for f in fields(strategy)  # type: ignore[arg-type]
        if "words" in f.metadata
    ]


def made(strategy: type[S], options: Mapping[str, Any]) -> S:
    """The strategy with these options, others at their defaults; raises OptionsError."""
    known = {option.name: option for option in options_of(strategy)}
    if unknown := sorted(set(options) - set(known)):
        listed = f"It has: {', '.join(known)}." if known else "It has none."
        raise OptionsError(f"“{strategy.name}” has no option “{unknown[0]}”. {listed}")
    return strategy(**{name: checked(known[name], value) for name, value in options.items()})


def checked(option: Option, value: object) -> int | float | str:
    """The value as the option takes it, also from text; OptionsError says what it takes."""
    if option.kind is str:
        return _chosen(option, value)
    try:
        number: float = option.kind(str(value))
    except ValueError:
        number = math.nan
    if not option.least <= number <= option.most:
        whole = "whole " if option.kind is int else ""
        raise OptionsError(
            f"{option.label}: enter a {whole}number from {option.least:g} to {option.most:g}."
        )
    return int(number) if option.kind is int else float(number)


def _chosen(option: Option, value: object) -> str:
    allowed = [name for name, _ in option.choices]
    if not isinstance(value, str) or (allowed and value not in allowed):
        raise OptionsError(f"{option.label}: choose one of {', '.join(allowed) or 'some words'}.")
    return value


def in_words(strategy: type[Strategy], options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Stored options as pairs of label and value, for people to read."""
    known = {option.name: option for option in options_of(strategy)}
    return [
        (known[name].label, dict(known[name].choices).get(value, f"{value}"))
        for name, value in options.items()
        if name in known
    ]
