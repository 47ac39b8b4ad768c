"""Codebooks as JSON: our own format, and the looser style in which codebooks are published."""

import json
import re
from dataclasses import asdict
from typing import Any

from django.utils.translation import gettext as _

from annotation.imports.codebook_source import BadCodebook, Found
from annotation.task_types.base import Example, LabelRule, Rules
from annotation.task_types.checks import make_slug, plain

FORMAT = "synthlab-codebook"
OFFERED, NEVER = "offered", "never"
# Ours first, then the names that published codebooks use.
KEYS = {
    "question": ("question", "task"),
    "instructions": ("instructions", "note"),
    "unsure": ("unsure",),
    "unsure_policy": ("unsure_policy",),
    "language": ("language",),
    "task_type": ("task_type",),
    "labels": ("labels",),
}
LABEL_KEYS = {
    "slug": ("slug",),
    "name": ("title", "name"),
    "definition": ("definition", "description"),
    "include": ("include", "include_when"),
    "exclude": ("exclude", "exclude_when"),
    "examples": ("examples",),
    "key": ("key",),
    "number": ("number",),
}
EXAMPLE_KEYS = {"text": ("text",), "why": ("why", "explanation"), "near_miss": ("near_miss",)}
WRITTEN_BESIDE = {"format", "version", "edition"}  # what `write` adds for people


def write(rules: Rules, task_type: str, edition: int | None = None) -> str:
    labels = [
        {
            **{name: getattr(label, name) for name in LABEL_KEYS if name != "examples"},
            "examples": [asdict(example) for example in label.examples],
        }
        for label in rules.labels
    ]
    document = {
        "format": FORMAT,
        "version": 1,
        "edition": edition,
        "task_type": task_type,
        "language": rules.language,
        "question": rules.question,
        "instructions": rules.instructions,
        "unsure": OFFERED if rules.unsure else NEVER,
        "unsure_policy": rules.unsure_policy,
        "labels": labels,
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def read(text: str) -> Found:
    return _Reader().read(text)


class _Reader:
    """Walks one document, collecting what is wrong and what is left out, each with its place."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.remarks: list[str] = []
        self.ignored: dict[str, dict[str, None]] = {}

    def read(self, text: str) -> Found:
        document = self._parsed(text)
        if not isinstance(document, dict) or not isinstance(document.get("labels"), list):
            raise BadCodebook([_("Expected an object with a list “labels”.")])
        values = self._values(document, KEYS, "", WRITTEN_BESIDE)
        found = Found(Rules("", "", ()), remarks=self.remarks)
        labels = []
        for index, label in enumerate(values["labels"]):
            labels.append(self._label(label, index, found))
        found.task_type = self._text(values, "task_type", "")
        unsure = values.get("unsure", False)
        if unsure not in (OFFERED, NEVER, True, False):
            message = _("unsure: expected “offered” or “never”, found %(value)s.")
            self.errors.append(message % {"value": _shown(unsure)})
        found.rules = Rules(
            question=self._text(values, "question", ""),
            instructions=self._text(values, "instructions", ""),
            labels=tuple(labels),
            unsure=unsure in (OFFERED, True),
            unsure_policy=self._text(values, "unsure_policy", ""),
            language=self._text(values, "language", "") or "en",
        )
        if self.errors:
            raise BadCodebook(self.errors[:20])
        self._remark_on_ignored()
        return found

    def _parsed(self, text: str) -> Any:
        try:
            return json.loads(text, object_pairs_hook=self._object)
        except json.JSONDecodeError as error:
            message = _("The file is no JSON: line %(line)d, column %(column)d: %(what)s.")
            words = {"line": error.lineno, "column": error.colno, "what": error.msg}
            raise BadCodebook([message % words]) from error
        except (ValueError, RecursionError) as error:
            raise BadCodebook([_("The file is no JSON that can be read.")]) from error

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _value in pairs]
            twice = sorted({name for name in names if names.count(name) > 1})
            message = _("%(names)s: given twice in one object. Keep one.")
            self.errors.append(message % {"names": ", ".join(twice)})
        return found

    def _values(
        self,
        found: dict[str, Any],
        keys: dict[str, tuple[str, ...]],
        place: str,
        beside: set[str] = frozenset(),
    ) -> dict[str, Any]:
        """The values by our own names; the rest is named as ignored."""
        values, used = {}, set(beside)
        for name, spellings in keys.items():
            present = [spelling for spelling in spellings if spelling in found]
            if present:
                values[name] = found[present[0]]
                used.add(present[0])
        # A published label may have a short name and a title: the name is then its identity.
        if keys is LABEL_KEYS and "title" in found and "name" in found:
            used.add("name")
            values.setdefault("slug_name", found["name"])
        kind = re.sub(r"\[\d+\]", "[]", place)
        self.ignored.setdefault(kind, {}).update(dict.fromkeys(found.keys() - used))
        return values

    def _remark_on_ignored(self) -> None:
        """One sentence for each kind of place: 80 labels may all have the same extra key."""
        for place, names in self.ignored.items():
            if names:
                listed = ", ".join(name[:60] for name in sorted(names)[:20])
                message = _("%(place)s: ignored: %(names)s.") if place else _("Ignored: %(names)s.")
                self.remarks.append(message % {"place": place, "names": listed})

    def _label(self, label: Any, index: int, found: Found) -> LabelRule:
        place = f"labels[{index}]"
        if isinstance(label, str):
            label = {"name": label}
        if not isinstance(label, dict):
            message = _("%(place)s: expected an object or a name, found %(value)s.")
            self.errors.append(message % {"place": place, "value": _shown(label)})
            label = {"name": ""}
        values = self._values(label, LABEL_KEYS, place)
        if "key" not in values:
            found.keyless.add(index)
        name = " ".join(self._text(values, "name", place).split())
        slug = self._text(values, "slug", place)
        if not slug and "slug_name" in values:
            slug = make_slug(self._text(values, "slug_name", place), ())
        return LabelRule(
            slug=slug,
            name=name,
            definition=self._text(values, "definition", place),
            include=self._text(values, "include", place),
            exclude=self._text(values, "exclude", place),
            examples=self._examples(values.get("examples"), place, index, found),
            key=self._text(values, "key", place).lower(),
            number=self._number(values.get("number"), place),
        )

    def _examples(self, examples: Any, place: str, index: int, found: Found) -> tuple[Example, ...]:
        if not isinstance(examples, list):
            if examples is not None:
                message = _("%(place)s: ignored: examples (expected a list, found %(value)s).")
                self.remarks.append(message % {"place": place, "value": _shown(examples)})
            return ()
        kept = []
        for turn, example in enumerate(examples):
            here = f"{place}.examples[{turn}]"
            if isinstance(example, str | int) and not isinstance(example, bool):
                found.bare_examples.add((index, len(kept)))
                kept.append(Example(plain(str(example))))
            elif isinstance(example, dict):
                values = self._values(example, EXAMPLE_KEYS, here)
                texts = self._text(values, "text", here), self._text(values, "why", here)
                kept.append(Example(*texts, near_miss=self._flag(values, "near_miss", here)))
            else:
                message = _("%(place)s: expected a text or an object, found %(value)s.")
                self.errors.append(message % {"place": here, "value": _shown(example)})
        return tuple(kept)

    def _text(self, values: dict[str, Any], name: str, place: str) -> str:
        value = values.get(name)
        if value is None:
            return ""
        if isinstance(value, list | dict | bool):
            message = _("%(place)s: expected a text, found %(value)s.")
            where = f"{place}.{name}" if place else name
            self.errors.append(message % {"place": where, "value": _shown(value)})
            return ""
        return plain(str(value))

    def _flag(self, values: dict[str, Any], name: str, place: str) -> bool:
        value = values.get(name, False)
        if not isinstance(value, bool):
            message = _("%(place)s: expected true or false, found %(value)s.")
            self.errors.append(message % {"place": f"{place}.{name}", "value": _shown(value)})
        return value is True

    def _number(self, value: Any, place: str) -> float | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            message = _("%(place)s: expected a number, found %(value)s.")
            self.errors.append(message % {"place": f"{place}.number", "value": _shown(value)})
            return None
        try:
            return float(value)
        except OverflowError:
            return float("inf")


def _shown(value: Any) -> str:
    return repr(value)[:60]
