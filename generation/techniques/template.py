"""Prompt templates: `{{ name }}` from an allow-list, filled in one pass, and nothing more.

No filters, no attributes, no logic: a template engine prints what a value leads to, however well
it is fenced in. What is filled in is never looked at again, so that a sample text holding
`{{ name }}` stays just that.
"""

import re
from collections.abc import Iterable, Mapping

LONGEST = 20_000
PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\}")
# Openings of Jinja and Django that are no plain placeholder; silence would look like a bug of ours.
FOREIGN = re.compile(r"\{\{|\}\}|\{%|%\}|\{#|#\}")


class TemplateError(ValueError):
    """A template that is refused; the message says what to change."""


def names_in(template: str) -> list[str]:
    """The names that a template asks for, in order, each once."""
    return list(dict.fromkeys(PLACEHOLDER.findall(template)))


def check_template(template: str, allowed: Iterable[str]) -> None:
    """Raises TemplateError unless every placeholder is a plain, allowed name. Call it on save."""
    if len(template) > LONGEST:
        raise TemplateError(f"The template is longer than {LONGEST:,} characters.")
    unknown = [name for name in names_in(template) if name not in set(allowed)]
    if unknown:
        raise TemplateError(f"“{unknown[0]}” is not a name that can be filled in here.")
    if foreign := FOREIGN.search(PLACEHOLDER.sub("", template)):
        raise TemplateError(f"Only {{{{ name }}}} is understood; “{foreign[0]}” is not.")


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its placeholders replaced; raises TemplateError for what it cannot fill."""
    check_template(template, values)
    return PLACEHOLDER.sub(lambda match: values[match[1]], template)
