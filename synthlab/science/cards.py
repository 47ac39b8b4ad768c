"""Method cards: the docstring of every plug-in says when to use it, and pages show it."""

import inspect
import re
from dataclasses import dataclass

MARKUP = re.compile(r"(`|\*)([^`*]+)\1")  # `code` and *stress*, which pages show as they are
PARTS = ("What it does", "Source", "Use when", "Not when")


@dataclass(frozen=True)
class MethodCard:
    """What a page shows about one plug-in."""

    does: str
    source: str
    use_when: str
    not_when: str


def card(plug_in: object) -> MethodCard:
    """The card in a plug-in's docstring (class or instance); ValueError if a part is missing."""
    owner = plug_in if inspect.isclass(plug_in) else type(plug_in)
    # Not inspect.getdoc: a plug-in must not pass with the card that it inherits.
    heading = re.compile(rf"^({'|'.join(PARTS)}):", re.MULTILINE)
    _, *pieces = heading.split(inspect.cleandoc(owner.__doc__ or ""))
    texts = (MARKUP.sub(r"\2", " ".join(piece.split())) for piece in pieces[1::2])
    found = dict(zip(pieces[::2], texts, strict=True))
    missing = [part for part in PARTS if not found.get(part)]
    if missing:
        raise ValueError(f"The method card of {owner.__name__} lacks: {', '.join(missing)}.")
    return MethodCard(*(found[part] for part in PARTS))
