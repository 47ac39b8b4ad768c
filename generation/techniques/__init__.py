"""How a model is asked. One technique per file, all of them listed here."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from generation.techniques.base import Technique
from generation.techniques.logprobs import Logprobs
from generation.techniques.prompts import Prompts
from generation.techniques.verbalized import Verbalized
from generation.techniques.votes import Votes

TECHNIQUES: dict[str, type[Technique]] = {
    technique.name: technique for technique in (Logprobs, Votes, Prompts, Verbalized)
}


class OptionsError(ValueError):
    """Options that a technique does not have or take; the message says which."""


def choices() -> list[tuple[str, str]]:
    return [(name, technique.label) for name, technique in TECHNIQUES.items()]


def options_of(name: str) -> list[dict[str, Any]]:
    """The options of a technique, for building its form: name, type, default, label, min, max."""
    return [
        {"name": option.name, "type": type(option.default), "default": option.default}
        | dict(option.metadata)
        for option in dataclasses.fields(TECHNIQUES[name])  # type: ignore[arg-type]
    ]


def make(name: str, options: Mapping[str, Any]) -> Technique:
    """A technique with stored or typed-in options; raises OptionsError for any that it lacks or
    that lies outside its range. Options that are left out have their defaults."""
    if name not in TECHNIQUES:
        raise OptionsError(_("“%(name)s” is no technique.") % {"name": name})
    known = {option["name"]: option for option in options_of(name)}
    for key, value in options.items():
        if key not in known:
            raise OptionsError(
                _("“%(name)s” has no option “%(key)s”.") % {"name": name, "key": key}
            )
        _check_option(known[key], value)
    return TECHNIQUES[name](**options)


def _check_option(option: Mapping[str, Any], value: Any) -> None:
    wanted = (int, float) if option["type"] is float else option["type"]
    if not isinstance(value, wanted) or (isinstance(value, bool) and option["type"] is not bool):
        words = {"name": option["name"], "type": option["type"].__name__}
        raise OptionsError(_("“%(name)s” must be of type %(type)s.") % words)
    if "min" in option and not option["min"] <= value <= option["max"]:
        raise OptionsError(_("“%(name)s” must lie between %(min)s and %(max)s.") % option)
