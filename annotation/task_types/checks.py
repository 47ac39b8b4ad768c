"""What a codebook may hold: limits, keys and slugs, and what an edition lacks to be published."""

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.formats import number_format
from django.utils.text import slugify
from django.utils.translation import gettext as _

from annotation.task_types.base import UNSURE, LabelRule, Rules, TaskType

LONGEST = {
    "question": 500,
    "instructions": 20_000,
    "unsure_policy": 4_000,
    "name": 200,
    "slug": 60,
    "definition": 4_000,
    "include": 4_000,
    "exclude": 4_000,
    "text": 8_000,
    "why": 2_000,
}
MOST_LABELS = 150
MOST_EXAMPLES = 20  # of one label
RESERVED_KEYS = frozenset("usfcgzxkm?/")  # the review page's own
KEYS = "123456789" + "".join(x for x in "abcdefghijklmnopqrstuvwxyz" if x not in RESERVED_KEYS)
# NUL and lone surrogates cannot be stored; the other control characters show as nothing.
UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
SLUG = re.compile(r"[-\w]+")


@dataclass(frozen=True)
class Fault:
    """What is wrong, and where: a field of the codebook, of a label or of one of its examples."""

    field: str
    message: str
    place: str = ""
    label: int | None = None
    example: int | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


def plain(text: str) -> str:
    """Text as it is kept: with plain line ends, without space around it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def make_slug(name: str, taken: Iterable[str]) -> str:
    """A label's identity, made from its first name. A name that can be a slug is kept (“-1”)."""
    name, taken = name.casefold(), set(taken) | {UNSURE}
    base = name if SLUG.fullmatch(name) else slugify(name, allow_unicode=True)
    base = base[: LONGEST["slug"] - 4] or "label"
    slug, turn = base, 1
    while slug in taken:
        turn += 1
        slug = f"{base}-{turn}"
    return slug


def next_key(taken: Iterable[str]) -> str:
    """The first key that no label has: 1 to 9, then letters; "" when none is left."""
    taken = set(taken)
    return next((key for key in KEYS if key not in taken), "")


def faults(rules: Rules) -> list[Fault]:
    """Why these rules cannot be kept even as a draft; empty when they can."""
    found = _text_faults("question", rules.question, _("Question"))
    found += _text_faults("instructions", rules.instructions, _("Instructions"))
    found += _text_faults("unsure_policy", rules.unsure_policy, _("When to answer “unsure”"))
    if len(rules.labels) > MOST_LABELS:
        message = _("%(n)d labels; at most %(most)d fit.")
        found.append(Fault("labels", message % {"n": len(rules.labels), "most": MOST_LABELS}))
    keys = Counter(label.key for label in rules.labels if label.key)
    slugs = Counter(label.slug for label in rules.labels)
    for index, label in enumerate(rules.labels):
        found += _label_faults(index, label)
        if slugs[label.slug] > 1:
            found.append(_of_label("slug", _("Another label has the same slug."), index, label))
        if keys[label.key] > 1:
            message = _("Another label has the key “%(key)s” too.") % {"key": label.key}
            found.append(_of_label("key", message, index, label))
    return found


def _label_faults(index: int, label: LabelRule) -> list[Fault]:
    found = []
    for field in ("name", "definition", "include", "exclude"):
        for fault in _text_faults(field, getattr(label, field), ""):
            found.append(_of_label(field, fault.message, index, label))
    if not label.name:
        found.append(_of_label("name", _("Give the label a name."), index, label))
    if not SLUG.fullmatch(label.slug) or len(label.slug) > LONGEST["slug"] or label.slug == UNSURE:
        message = _("“%(slug)s” cannot be a slug: use letters, digits, - and _, at most 60.")
        found.append(_of_label("slug", message % {"slug": label.slug[:80]}, index, label))
    if label.key and (fault := _key_fault(label.key)):
        found.append(_of_label("key", fault, index, label))
    if label.number is not None and not math.isfinite(label.number):
        found.append(_of_label("number", _("Enter a finite number."), index, label))
    if len(label.examples) > MOST_EXAMPLES:
        message = _("%(n)d examples; at most %(most)d fit.")
        words = {"n": len(label.examples), "most": MOST_EXAMPLES}
        found.append(_of_label("examples", message % words, index, label))
    for turn, example in enumerate(label.examples):
        texts = [*_text_faults("text", example.text, ""), *_text_faults("why", example.why, "")]
        if not example.text:
            texts.append(Fault("text", _("Give the text of the example.")))
        found += [_of_label(fault.field, fault.message, index, label, turn) for fault in texts]
    return found


def _of_label(
    field: str, message: str, index: int, label: LabelRule, example: int | None = None
) -> Fault:
    names = {
        "name": _("name"),
        "slug": _("slug"),
        "definition": _("definition"),
        "include": _("include when"),
        "exclude": _("exclude when"),
        "key": _("key"),
        "number": _("number"),
        "examples": _("examples"),
        "text": _("example %(n)d, text") % {"n": (example or 0) + 1},
        "why": _("example %(n)d, explanation") % {"n": (example or 0) + 1},
    }
    label_name = label.name[:60] or index + 1
    place = _("Label “%(name)s”, %(field)s") % {"name": label_name, "field": names[field]}
    return Fault(field, message, place, index, example)


def _text_faults(field: str, text: str, place: str) -> list[Fault]:
    found = []
    if len(text) > LONGEST[field]:
        message = _("%(n)s characters; at most %(most)s fit.")
        words = {
            "n": number_format(len(text), force_grouping=True),
            "most": number_format(LONGEST[field], force_grouping=True),
        }
        found.append(Fault(field, message % words, place))
    if bad := UNFIT.search(text):
        message = _("The character U+%(code)04X cannot be kept. Remove it.")
        found.append(Fault(field, message % {"code": ord(bad[0])}, place))
    return found


def _key_fault(key: str) -> str:
    if len(key) != 1 or not key.isprintable() or key.isspace():
        return _("A key is one character that a keyboard can type.")
    if key in RESERVED_KEYS:
        return _("“%(key)s” does something else on the review page. Choose another key.") % {
            "key": key
        }
    return ""


def lacks(rules: Rules, task: TaskType) -> list[Fault]:
    """What keeps these rules from being published; empty when nothing does."""
    found = faults(rules)
    if not rules.question:
        found.append(Fault("question", _("Ask a question: what is to be decided about a sample?")))
    least = 1 if task.multiple else 2
    if len(rules.labels) < least:
        message = _("Add labels: there must be at least %(n)d.") % {"n": least}
        found.append(Fault("labels", message))
    names = Counter(label.name.casefold() for label in rules.labels)
    numbers = Counter(label.number for label in rules.labels)
    for index, label in enumerate(rules.labels):
        if names[label.name.casefold()] > 1:
            found.append(_of_label("name", _("Another label has the same name."), index, label))
        if task.level == "nominal":
            continue
        if label.number is None:
            message = _("Give it its point on the scale.")
            found.append(_of_label("number", message, index, label))
        elif numbers[label.number] > 1:
            message = _("Another label has the same point on the scale.")
            found.append(_of_label("number", message, index, label))
    return found
