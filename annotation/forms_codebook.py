"""The codebook editor: a form of labels, each with examples, that works without JavaScript.

What is posted becomes a plain `content` first. Rows are added, moved and taken away there, so
that no press of a button loses what was typed, right or wrong.
"""

import re

from django import forms
from django.utils.translation import gettext_lazy as _

from annotation.models import Codebook
from annotation.task_types.base import Example, LabelRule, Rules
from annotation.task_types.checks import faults, make_slug, next_key, plain

LABEL = re.compile(r"labels-(\d{1,4})-([a-z]+)")
EXAMPLE = re.compile(r"labels-(\d{1,4})-examples-(\d{1,4})-([a-z_]+)")
ORDER = re.compile(r"(up|down|remove|add-example)-(\d{1,4})|remove-example-(\d{1,4})-(\d{1,4})")
WORDS = ("name", "definition", "include", "exclude")


def _area(rows, **attrs):
    return forms.Textarea(attrs={"rows": rows, "dir": "auto", **attrs})


class RulesForm(forms.Form):
    """What stands above the labels. Lengths and the like are checked by `faults`."""

    use_required_attribute = False
    question = forms.CharField(
        required=False,
        label=_("Question"),
        widget=_area(2),
        help_text=_("What is to be decided about each sample?"),
    )
    instructions = forms.CharField(
        required=False,
        label=_("Instructions"),
        widget=_area(8),
        help_text=_("Markdown. What to read first, how to weigh, what to do in doubt."),
    )
    unsure = forms.ChoiceField(
        label=_("Is “unsure” an answer?"), choices=Codebook.Unsure, widget=forms.RadioSelect
    )
    unsure_policy = forms.CharField(
        required=False, label=_("When to answer “unsure”"), widget=_area(2)
    )


class LabelForm(forms.Form):
    use_required_attribute = False
    slug = forms.CharField(required=False, widget=forms.HiddenInput)
    name = forms.CharField(
        required=False, label=_("Name"), widget=forms.TextInput(attrs={"dir": "auto"})
    )
    key = forms.CharField(
        required=False,
        label=_("Key"),
        widget=forms.TextInput(attrs={"maxlength": 1, "autocomplete": "off", "size": 2}),
    )
    number = forms.FloatField(
        required=False,
        label=_("Scale point"),
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    definition = forms.CharField(required=False, label=_("Definition"), widget=_area(2))
    include = forms.CharField(required=False, label=_("Include when"), widget=_area(2))
    exclude = forms.CharField(required=False, label=_("Exclude when"), widget=_area(2))


class ExampleForm(forms.Form):
    use_required_attribute = False
    text = forms.CharField(required=False, label=_("Text"), widget=_area(2))
    why = forms.CharField(
        required=False, label=_("Why"), widget=forms.TextInput(attrs={"dir": "auto"})
    )
    near_miss = forms.BooleanField(
        required=False, label=_("Near miss: it looks like this label but belongs elsewhere")
    )


def content_of(rules):
    """What the editor shows of stored rules."""
    return {
        "question": rules.question,
        "instructions": rules.instructions,
        "unsure": Codebook.Unsure.OFFERED if rules.unsure else Codebook.Unsure.NEVER,
        "unsure_policy": rules.unsure_policy,
        "labels": [
            {
                "slug": label.slug,
                "key": label.key,
                "number": "" if label.number is None else repr(label.number).removesuffix(".0"),
                **{name: getattr(label, name) for name in WORDS},
                "examples": [
                    {"text": x.text, "why": x.why, "near_miss": x.near_miss} for x in label.examples
                ],
            }
            for label in rules.labels
        ],
    }


def posted(data):
    """What the editor sent, in the order of its numbers; gaps in them do no harm."""
    content = {name: plain(data.get(name, "")) for name in RulesForm.base_fields}
    labels, examples = {}, {}
    for name in data:
        if match := LABEL.fullmatch(name):
            labels.setdefault(int(match[1]), {})[match[2]] = plain(data[name])
        elif match := EXAMPLE.fullmatch(name):
            row = examples.setdefault(int(match[1]), {}).setdefault(int(match[2]), {})
            row[match[3]] = plain(data[name])
    content["labels"] = [
        {
            **{field: labels[i].get(field, "") for field in LabelForm.base_fields},
            "examples": [_example(row) for _j, row in sorted(examples.get(i, {}).items())],
        }
        for i in sorted(labels)
    ]
    return content


def _example(row):
    return {"text": row.get("text", ""), "why": row.get("why", ""), "near_miss": "near_miss" in row}


def without_blanks(content):
    """The content without rows in which nothing was written."""
    labels = []
    for label in content["labels"]:
        examples = [x for x in label["examples"] if x["text"] or x["why"]]
        if examples or label["slug"] or any(label[name] for name in WORDS):
            labels.append({**label, "examples": examples})
    return {**content, "labels": labels}


def reordered(content, order):
    """The content after a button such as "up-3", and the name of what to focus then."""
    labels = [dict(label) for label in content["labels"]]
    content = {**content, "labels": labels}
    if order == "add-label":
        blank = {**dict.fromkeys(LabelForm.base_fields, ""), "examples": []}
        labels.append({**blank, "key": next_key(label["key"] for label in labels)})
        return content, f"labels-{len(labels) - 1}-name"
    match = ORDER.fullmatch(order)
    at = int(match[2] or match[3]) if match else len(labels)
    if at >= len(labels):
        return content, ""
    if match[1] in ("up", "down"):
        to = min(max(at + (1 if match[1] == "down" else -1), 0), len(labels) - 1)
        labels.insert(to, labels.pop(at))
        return content, f"{match[1]}-{to}"
    if match[1] == "remove":
        labels.pop(at)
        return content, "add-label"
    examples = list(labels[at]["examples"])
    labels[at]["examples"] = examples
    if match[1] == "add-example":
        examples.append(_example({}))
        return content, f"labels-{at}-examples-{len(examples) - 1}-text"
    examples[int(match[4]) : int(match[4]) + 1] = []
    return content, f"add-example-{at}"


class Editor:
    """The forms of one content, and the rules that it amounts to.

    `known` are the slugs that labels of this codebook already have; any other is made from the
    name, so that nobody can give a label another label's past.
    """

    def __init__(self, content, project, known, checked=False, focus=""):
        self.content, self.focus = content, focus
        self.rules = _rules(content, project.language, set(known))
        self.form = _form(RulesForm, content, None, checked)
        self.rows = [_Row(i, label, checked, focus) for i, label in enumerate(content["labels"])]
        self.scale = project.task.level != "nominal"
        self.faults = faults(self.rules) if checked else []
        for fault in self.faults:
            self._place(fault)

    def _place(self, fault):
        form = self.form
        if fault.label is not None:
            form = self.rows[fault.label].form
            if fault.example is not None:
                form = self.rows[fault.label].examples[fault.example]
        form.add_error(fault.field if fault.field in form.fields else None, fault.message)

    @property
    def is_valid(self):
        return not self.form.errors and not any(row.has_errors for row in self.rows)


class _Row:
    """One label in the editor, with its examples."""

    def __init__(self, index, label, checked, focus):
        prefix = f"labels-{index}"
        self.index, self.position = index, str(index)
        self.slug, self.name, self.key = label["slug"], label["name"], label["key"]
        self.form = _form(LabelForm, label, prefix, checked, focus)
        self.examples = [
            _form(ExampleForm, example, f"{prefix}-examples-{turn}", checked, focus)
            for turn, example in enumerate(label["examples"])
        ]
        self.focused = focus.startswith(f"{prefix}-") or focus == f"add-example-{index}"

    @property
    def has_errors(self):
        return any(form.errors for form in (self.form, *self.examples))

    @property
    def is_open(self):
        return self.focused or self.has_errors


def _form(form_class, values, prefix, checked, focus=""):
    if checked:
        form = form_class(
            {f"{prefix}-{k}" if prefix else k: v for k, v in values.items()}, prefix=prefix
        )
    else:
        form = form_class(initial=values, prefix=prefix)
    for name, field in form.fields.items():
        if form.add_prefix(name) == focus:
            field.widget.attrs["autofocus"] = True
    return form


def _rules(content, language, known):
    labels, taken = [], {label["slug"] for label in content["labels"]} & known
    for label in content["labels"]:
        slug = label["slug"] if label["slug"] in known else make_slug(label["name"], taken)
        taken.add(slug)
        labels.append(
            LabelRule(
                slug=slug,
                key=label["key"].lower(),
                number=_number(label["number"]),
                examples=tuple(Example(**example) for example in label["examples"]),
                name=" ".join(label["name"].split()),
                **{name: label[name] for name in WORDS if name != "name"},
            )
        )
    return Rules(
        question=content["question"],
        instructions=content["instructions"],
        labels=tuple(labels),
        unsure=content["unsure"] == Codebook.Unsure.OFFERED,
        unsure_policy=content["unsure_policy"],
        language=language,
    )


def _number(text):
    try:
        return float(text)
    except ValueError:
        return None
