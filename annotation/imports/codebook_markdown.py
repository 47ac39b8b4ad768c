"""Codebooks as Markdown that people can read, comment on and send back.

Every part stands under a heading of its own. A line of the texts that begins with # gets a
backslash before it, as Markdown itself would have it, and loses it again when it is read.
"""

import re

from django.utils.translation import gettext as _

from annotation.imports.codebook_source import BadCodebook, Found
from annotation.task_types.base import Example, LabelRule, Rules
from annotation.task_types.checks import plain

HEADING = re.compile(r"(#{1,6})(?:[ \t](.*))?")
FACT = re.compile(r"[-*] ([A-Za-z ]{1,40}):(.*)")
PARTS = {"definition": "definition", "include when": "include", "exclude when": "exclude"}
EXAMPLES = {"example": False, "near miss": True}


def write(rules: Rules, task_type: str, edition: int | None = None) -> str:
    title = f"Codebook, edition {edition}" if edition else "Codebook"
    parts = [
        f"# {title}",
        f"- Task type: `{task_type}`\n- Language: `{rules.language}`",
        *_part("## Question", rules.question),
        *_part("## Instructions", rules.instructions),
        "## Labels",
    ]
    for label in rules.labels:
        parts += _label(label)
    parts += ["## Unsure", f"- Offered: {'yes' if rules.unsure else 'no'}"]
    parts += _part("### Policy", rules.unsure_policy)
    return "\n\n".join(parts) + "\n"


def _label(label: LabelRule) -> list[str]:
    facts = [f"- Key: `{label.key}`" if label.key else "- Key: none"]
    if label.number is not None:
        short = f"{label.number:g}"
        exact = short if float(short) == label.number else repr(label.number)
        facts.append(f"- Number: {exact}")
    parts = [f"### {label.name} {{#{label.slug}}}", "\n".join(facts)]
    parts += _part("#### Definition", label.definition)
    parts += _part("#### Include when", label.include)
    parts += _part("#### Exclude when", label.exclude)
    for example in label.examples:
        parts += ["#### Near miss" if example.near_miss else "#### Example"]
        parts += [_escaped(example.text)] if example.text else []
        parts += _part("##### Why", example.why)
    return parts


def _part(heading: str, text: str) -> list[str]:
    return [heading, _escaped(text)] if text else []


def _escaped(text: str) -> str:
    return re.sub(r"^(\\*#)", r"\\\1", text, flags=re.MULTILINE)


def _unescaped(text: str) -> str:
    return re.sub(r"^\\(\\*#)", r"\1", text, flags=re.MULTILINE)


class _Block:
    """A heading and the lines under it, up to the next heading."""

    def __init__(self, level: int, title: str, line: int) -> None:
        self.level, self.title, self.line = level, title, line
        self.lines: list[str] = []

    @property
    def name(self) -> str:
        return self.title.casefold()

    @property
    def text(self) -> str:
        return plain(_unescaped(plain("\n".join(self.lines))))

    def facts(self) -> dict[str, str]:
        """The `- Name: value` lines; backticks around a value are taken off."""
        found = {}
        for line in self.lines:
            if match := FACT.fullmatch(line):
                value = match[2].strip()
                quoted = len(value) > 2 and value[0] == value[-1] == "`"
                found[match[1].casefold()] = value[1:-1] if quoted else value
        return found


def read(text: str) -> Found:
    blocks = _blocks(plain(text))
    if not any(block.level == 2 and block.name == "labels" for block in blocks):
        message = _("No heading “## Labels”: docs/codebooks.md shows what the file looks like.")
        raise BadCodebook([message])
    found = Found(Rules("", "", ()))
    top, labels, section = {}, [], ""
    for block in blocks:
        section = block.name if block.level <= 2 else section
        if block.level == 1:
            top.setdefault("facts", block.facts())
        elif block.level == 2 and section in ("question", "instructions", "labels", "unsure"):
            top[section] = block
        elif block.level == 3 and section == "unsure" and block.name == "policy":
            top["policy"] = block
        elif block.level == 3 and section == "labels":
            labels.append(_new_label(block, found, len(labels)))
        elif not (section == "labels" and labels and _add(labels[-1], block)):
            message = _("Line %(line)d: ignored: “%(heading)s” and what stands under it.")
            found.remarks.append(message % {"line": block.line, "heading": block.title[:80]})
    found.rules = _rules(top, labels)
    found.task_type = top.get("facts", {}).get("task type", "")
    return found


def _blocks(text: str) -> list[_Block]:
    blocks = [_Block(0, "", 1)]
    for number, line in enumerate(text.split("\n"), 1):
        if match := HEADING.fullmatch(line):
            blocks.append(_Block(len(match[1]), (match[2] or "").strip(), number))
        else:
            blocks[-1].lines.append(line)
    return blocks if plain("\n".join(blocks[0].lines)) else blocks[1:]


def _new_label(block: _Block, found: Found, index: int) -> dict:
    facts = block.facts()
    name, slug = _name_and_slug(block.title)
    if "key" not in facts:
        found.keyless.add(index)
    try:
        number = float(facts["number"]) if facts.get("number") else None
    except ValueError as error:
        message = _("Line %(line)d: “%(value)s” is not a number.")
        words = {"line": block.line, "value": facts["number"][:60]}
        raise BadCodebook([message % words]) from error
    key = facts.get("key", "")
    return {
        "slug": slug,
        "name": " ".join(name.split()),
        "key": "" if key == "none" else key.lower(),
        "number": number,
        "examples": [],
    }


def _name_and_slug(title: str) -> tuple[str, str]:
    """“Economy {#economic}” is the name and the slug; without braces there is no slug yet."""
    name, mark, slug = title.removesuffix("}").rpartition("{#")
    return (name, slug) if mark and title.endswith("}") else (title, "")


def _add(label: dict, block: _Block) -> bool:
    """Put one part of a label in its place; False when it has none."""
    if block.level == 4 and block.name in PARTS and PARTS[block.name] not in label:
        label[PARTS[block.name]] = block.text
    elif block.level == 4 and block.name in EXAMPLES:
        label["examples"].append(Example(block.text, near_miss=EXAMPLES[block.name]))
    elif block.level == 5 and block.name == "why" and label["examples"]:
        last = label["examples"][-1]
        label["examples"][-1] = Example(last.text, block.text, last.near_miss)
    else:
        return False
    return True


def _rules(top: dict, labels: list[dict]) -> Rules:
    texts = {name: top[name].text if name in top else "" for name in ("question", "instructions")}
    facts = top["unsure"].facts() if "unsure" in top else {}
    return Rules(
        question=texts["question"],
        instructions=texts["instructions"],
        labels=tuple(
            LabelRule(**{**label, "examples": tuple(label["examples"])}) for label in labels
        ),
        unsure=facts.get("offered", "no").casefold() in ("yes", "true"),
        unsure_policy=top["policy"].text if "policy" in top else "",
        language=top.get("facts", {}).get("language", "") or "en",
    )
