"""Why a file or a row is refused: a sentence with its figures, so that a page can translate it."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

EXCERPT = 160  # characters of a refused row that the report shows


def gettext_noop(text: str) -> str:
    """Mark a sentence for translation; the reader itself speaks English and loads no Django."""
    return text


@dataclass(frozen=True)
class Reason:
    """`str()` is the English sentence; a page shows `gettext(template) % params` instead."""

    template: str
    params: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.template % self.params if self.params else self.template.replace("%%", "%")


class ImportRefused(Exception):
    """The whole file is refused. `reason` says why and what to do about it."""

    def __init__(self, template: str, **params: Any) -> None:
        self.reason = Reason(template, params)
        super().__init__(str(self.reason))


class RowFault(ValueError):
    """One row cannot be used; the reader turns it into a `Refused` with the row's number."""

    def __init__(self, template: str, **params: Any) -> None:
        self.reason = Reason(template, params)
        super().__init__(str(self.reason))


class Row(NamedTuple):
    """One row as it stands in the file; `number` is what a person would count."""

    number: int
    values: dict[str, Any]


class Refused(NamedTuple):
    """One row that cannot be imported, and why."""

    number: int
    reason: Reason
    excerpt: str


def refused(number: int, fault: RowFault, content: object) -> Refused:
    """The report's line for a row; the excerpt is made safe to store and to show."""
    if isinstance(content, dict | list):
        cells = content.values() if isinstance(content, dict) else content
        content = " | ".join(str(cell)[:EXCERPT] for cell in cells)
    text = str(content)
    text = text[:EXCERPT].replace("\0", "\u2400").encode("utf-8", "replace").decode()
    return Refused(number, fault.reason, text)
