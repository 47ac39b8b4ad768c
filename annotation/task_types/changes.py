"""What changed from one edition of the rules to another, down to the word."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

from django.utils.translation import gettext as _

from annotation.task_types.base import LabelRule, Rules

# A word, a sign, or one character of a script without spaces, each with the space after it.
WORDS = re.compile(
    r"([\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|"
    r"[^\W\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+|[^\w\s]|)(\s*)"
)
LINES = re.compile(r"([^\n]*)(\n?)")
MOST_WORDS = 5_000  # beyond it, texts are compared line by line


@dataclass(frozen=True)
class Piece:
    """A stretch of text that is "same", "added" or "removed"."""

    kind: str
    text: str


@dataclass(frozen=True)
class FieldChange:
    """One field whose text differs; without the removed pieces it reads as the new text."""

    field: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class LabelChange:
    """One label that was added, removed or changed. `old` and `new` are None where it is not."""

    old: LabelRule | None
    new: LabelRule | None
    moved: bool
    fields: tuple[FieldChange, ...]

    @property
    def label(self) -> LabelRule:
        return self.new or self.old

    @property
    def kind(self) -> str:
        if self.old is None:
            return "added"
        return "changed" if self.new else "removed"

    @property
    def renamed(self) -> bool:
        return bool(self.old and self.new and self.old.name != self.new.name)


@dataclass(frozen=True)
class Changes:
    """Everything that differs between two editions."""

    fields: tuple[FieldChange, ...]
    labels: tuple[LabelChange, ...]

    def __bool__(self) -> bool:
        return bool(self.fields or self.labels)

    @property
    def added(self) -> list[LabelRule]:
        return [change.new for change in self.labels if change.kind == "added"]

    @property
    def removed(self) -> list[LabelRule]:
        return [change.old for change in self.labels if change.kind == "removed"]

    @property
    def renamed(self) -> list[LabelChange]:
        return [change for change in self.labels if change.renamed]

    @property
    def moved(self) -> list[LabelChange]:
        return [change for change in self.labels if change.moved]

    @property
    def reworded(self) -> list[LabelChange]:
        return [change for change in self.labels if change.kind == "changed" and change.fields]


def compare(old: Rules, new: Rules) -> Changes:
    """What a reader of `old` must know to work by `new`; labels are the same by their slug."""
    before = {label.slug: label for label in old.labels}
    after = {label.slug: label for label in new.labels}
    stayed = _in_order(
        [slug for slug in old.slugs if slug in after],
        [slug for slug in new.slugs if slug in before],
    )
    slugs = [*new.slugs, *(slug for slug in old.slugs if slug not in after)]
    labels = []
    for slug in slugs:
        was, now = before.get(slug), after.get(slug)
        moved = bool(was and now) and slug not in stayed
        fields = _changed(_label_texts(was), _label_texts(now))
        if not (was and now):
            fields = tuple(change for change in fields if change.field != "name")
        if fields or moved or not (was and now):
            labels.append(LabelChange(was, now, moved, fields))
    return Changes(_changed(_texts(old), _texts(new)), tuple(labels))


def outdated(old: Rules, new: Rules) -> tuple[str, ...]:
    """The labels of `old` whose answers a change of meaning to `new` leaves in doubt, in its order.

    Those whose rule reads otherwise (its key does not matter) and those that went: removed, merged
    or split. Where none did, but the question, the instructions, the unsure policy or new labels
    differ, nobody can say which answers still hold: then it is all of them.
    """
    changes = compare(old, new)
    doubtful = {label.slug for label in changes.removed}
    for change in changes.reworded:
        if any(field.field != "key" for field in change.fields):
            doubtful.add(change.label.slug)
    elsewhere = bool(changes.fields or changes.added)
    return tuple(slug for slug in old.slugs if slug in doubtful or (elsewhere and not doubtful))


def word_diff(old: str, new: str) -> tuple[Piece, ...]:
    """The way from one text to the other, in stretches of words."""
    a, b = WORDS.findall(old), WORDS.findall(new)
    if max(len(a), len(b)) > MOST_WORDS:
        a, b = LINES.findall(old), LINES.findall(new)
    matcher = SequenceMatcher(None, [word for word, _gap in a], [word for word, _gap in b])
    pieces = []
    for tag, a_from, a_to, b_from, b_to in matcher.get_opcodes():
        if tag == "equal":
            for (word, old_gap), (_word, new_gap) in zip(
                a[a_from:a_to], b[b_from:b_to], strict=True
            ):
                pieces += _same(word, old_gap, new_gap)
            continue
        pieces.append(Piece("removed", "".join(word + gap for word, gap in a[a_from:a_to])))
        pieces.append(Piece("added", "".join(word + gap for word, gap in b[b_from:b_to])))
    return _joined(pieces)


def _same(word: str, old_gap: str, new_gap: str) -> list[Piece]:
    if old_gap == new_gap:
        return [Piece("same", word + old_gap)]
    return [Piece("same", word), Piece("removed", old_gap), Piece("added", new_gap)]


def _joined(pieces: list[Piece]) -> tuple[Piece, ...]:
    """Neighbours of one kind as one, between two same pieces the removed before the added."""
    joined: list[Piece] = []
    pending = {"removed": "", "added": ""}
    for piece in [*pieces, Piece("same", "")]:
        if piece.kind != "same":
            pending[piece.kind] += piece.text
        else:
            joined += [Piece(kind, text) for kind, text in pending.items() if text]
            pending = {"removed": "", "added": ""}
            if joined and joined[-1].kind == "same":
                joined[-1] = Piece("same", joined[-1].text + piece.text)
            elif piece.text:
                joined.append(piece)
    return tuple(joined)


def _in_order(old: list[str], new: list[str]) -> set[str]:
    """The slugs that need not move to turn one order into the other."""
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    return {slug for block in blocks for slug in old[block.a : block.a + block.size]}


def _changed(old: dict[str, str], new: dict[str, str]) -> tuple[FieldChange, ...]:
    return tuple(
        FieldChange(field, word_diff(old.get(field, ""), new.get(field, "")))
        for field in (old or new)
        if old.get(field, "") != new.get(field, "")
    )


def _texts(rules: Rules) -> dict[str, str]:
    return {
        "question": rules.question,
        "instructions": rules.instructions,
        "unsure": _("offered") if rules.unsure else _("never"),
        "unsure_policy": rules.unsure_policy,
    }


def _label_texts(label: LabelRule | None) -> dict[str, str]:
    if label is None:
        return {}
    return {
        "name": label.name,
        "definition": label.definition,
        "include": label.include,
        "exclude": label.exclude,
        "examples": "\n".join(
            f"{_('Near miss') if x.near_miss else _('Example')}: {x.text}"
            + (f" ({x.why})" if x.why else "")
            for x in label.examples
        ),
        "key": label.key,
        "number": "" if label.number is None else f"{label.number:g}",
    }
