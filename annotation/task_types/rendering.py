"""The rules of an edition as plain text: what a model reads, and what people may check it by.

The annotator's card (`templates/annotation/_card.html`) shows the same `Rules`. The headings are
a format of their own: the offline stand-in reads labels, definitions and examples back out.
"""

from annotation.task_types.base import UNSURE, Example, LabelRule, Rules


def rules_text(rules: Rules) -> str:
    """Question, instructions, labels and the unsure policy; equal rules give equal text."""
    parts = [f"# Question\n{rules.question}"]
    if rules.instructions:
        parts.append(f"# Instructions\n{rules.instructions}")
    parts.append("# Labels\n\n" + "\n\n".join(_label(label) for label in rules.labels))
    if rules.unsure:
        policy = rules.unsure_policy or "Answer it only when the rules above do not decide."
        parts.append(f"# When unsure\nThe answer “{UNSURE}” is allowed. {policy}")
    return "\n\n".join(parts)


def _label(label: LabelRule) -> str:
    lines = [f"## {label.slug}", f"Name: {label.name}"]
    if label.number is not None:
        lines.append(f"Point on the scale: {label.number:g}")
    for heading, text in (
        ("Definition", label.definition),
        ("Include when", label.include),
        ("Exclude when", label.exclude),
    ):
        if text:
            lines.append(f"{heading}: {text}")
    lines += [_example(example) for example in label.examples]
    return "\n".join(lines)


def _example(example: Example) -> str:
    kind = "Near miss, belongs elsewhere" if example.near_miss else "Example"
    return f"{kind}: {example.text}" + (f"\n  Why: {example.why}" if example.why else "")
