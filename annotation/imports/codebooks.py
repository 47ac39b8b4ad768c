"""Codebooks as files, JSON and Markdown, both ways: reading what was written gives equal rules.

docs/codebooks.md describes both formats.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotation.imports import codebook_json, codebook_markdown
from annotation.imports.codebook_source import BadCodebook, Found
from annotation.task_types.base import Example, LabelRule, Rules, TaskType
from annotation.task_types.checks import KEYS, faults, make_slug, next_key

LARGEST = 2 * 1024 * 1024  # bytes
NAMED = 10  # examples that a message names
# What stands where an example's text should be: an id of the source's own samples.
BARE_ID = re.compile(r"(?=.*\d)[!-~]+")
NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")

Texts = Callable[[list[str]], dict[str, str]]  # the texts of the samples with these ids


@dataclass(frozen=True)
class CodebookFile:
    """What a file says, ready to be kept, and what of it was left out or changed on the way.

    `unknown`: examples that are left out, because no sample has their id: (name of the label, id).
    """

    rules: Rules
    remarks: tuple[str, ...]
    unknown: tuple[tuple[str, str], ...] = ()


def read_codebook(content: bytes, task: TaskType, texts: Texts) -> CodebookFile:
    """The rules in a file of either format; raises BadCodebook, whose messages say what to mend.

    Examples that are given as ids of samples become these samples' texts.
    """
    text = _decoded(content)
    if text.lstrip().startswith(("{", "[")):
        found = codebook_json.read(text)
    else:
        found = codebook_markdown.read(text)
    remarks = list(found.remarks)
    if found.task_type and found.task_type != task.name:
        message = _("The file is for the task type “%(theirs)s”; this project is “%(ours)s”.")
        remarks.append(message % {"theirs": found.task_type, "ours": task.name})
    labels = _with_numbers(_with_keys(_with_slugs(found), found), task)
    labels, unknown = _with_examples(labels, found, texts)
    if unknown:
        remarks.append(_left_out(unknown))
    rules = replace(found.rules, labels=labels)
    if bad := faults(rules):
        raise BadCodebook([str(fault) for fault in bad])
    return CodebookFile(rules, tuple(remarks), unknown)


def _decoded(content: bytes) -> str:
    if len(content) > LARGEST:
        message = _("The file is larger than %(n)d MB, too large for a codebook.")
        raise BadCodebook([message % {"n": LARGEST // 1024**2}])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadCodebook([_("The file is not UTF-8 text. Save it as UTF-8.")]) from error
    if not text.strip():
        raise BadCodebook([_("The file is empty.")])
    return text


def _with_slugs(found: Found) -> list[LabelRule]:
    taken = {label.slug for label in found.rules.labels if label.slug}
    labels = []
    for label in found.rules.labels:
        slug = label.slug or make_slug(label.name, taken)
        taken.add(slug)
        labels.append(replace(label, slug=slug))
    return labels


def _with_keys(labels: list[LabelRule], found: Found) -> list[LabelRule]:
    """Keys for the labels of which the file says nothing; a key left empty stays empty."""
    taken = {label.key for label in labels}
    # Labels named 0, 1, 2 get these keys, but only if all can: -1 on key 3 beside 1 on key 1
    # would mislead.
    own = all(labels[i].slug in {*KEYS, "0"} - taken for i in found.keyless)
    keyed = []
    for index, label in enumerate(labels):
        key = label.key
        if index in found.keyless:
            key = label.slug if own else next_key(taken)
        taken.add(key)
        keyed.append(replace(label, key=key))
    return keyed


def _with_numbers(labels: list[LabelRule], task: TaskType) -> list[LabelRule]:
    """Points of the scale for ratings, read off slugs such as “-2” where the file gives none."""
    if task.level == "nominal":
        return labels
    return [
        replace(label, number=float(label.slug))
        if label.number is None and NUMBER.fullmatch(label.slug)
        else label
        for label in labels
    ]


def _with_examples(labels: list[LabelRule], found: Found, texts: Texts):
    """The labels with the texts of their examples, and (label, id) of each that has none."""
    bare = sorted({labels[i].examples[j].text for i, j in found.bare_examples})
    known = texts(bare) if bare else {}
    kept, unknown = [], []
    for i, label in enumerate(labels):
        examples = []
        for j, example in enumerate(label.examples):
            if (i, j) not in found.bare_examples or not BARE_ID.fullmatch(example.text):
                examples.append(example)
            elif example.text in known:
                examples.append(Example(known[example.text]))
            else:
                unknown.append((label.name, example.text))
        kept.append(replace(label, examples=tuple(examples)))
    return tuple(kept), tuple(unknown)


def _left_out(unknown: tuple[tuple[str, str], ...]) -> str:
    message = ngettext(
        "%(n)d example is skipped, because no sample of this project has its id: %(ids)s.",
        "%(n)d examples are skipped, because no sample of this project has their ids: %(ids)s.",
        len(unknown),
    )
    return message % {"n": len(unknown), "ids": named_examples(unknown)}


def named_examples(unknown: tuple[tuple[str, str], ...]) -> str:
    """The first ten of these examples, each with its label."""
    named = ", ".join(f"{id_} ({label})" for label, id_ in unknown[:NAMED])
    return named + (", …" if len(unknown) > NAMED else "")


def as_json(rules: Rules, task: TaskType, edition: int | None = None) -> str:
    return codebook_json.write(rules, task.name, edition)


def as_markdown(rules: Rules, task: TaskType, edition: int | None = None) -> str:
    return codebook_markdown.write(rules, task.name, edition)
