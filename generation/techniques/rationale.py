"""Why a model answers as it did: asked after the answer, so that the answer stays what it was."""

from collections.abc import Mapping

from annotation.task_types.base import Rules, TaskType
from generation.techniques.base import RATIONALE_TOKENS, Judgement, Step, step_seed
from generation.techniques.prompt import messages


def rationale_step(
    judgement: Judgement,
    rules: Rules,
    task_type: TaskType,
    fields: Mapping[str, str],
    seed: int,
) -> Step:
    """The request for a short rationale of what was concluded."""
    chosen = task_type.slugs(judgement.value)
    names = ", ".join(f"“{slug}”" for slug in chosen) or "none of the labels"
    ask = (
        f"The answer to this sample was {names}. Say in one or two sentences, quoting the "
        "words of the sample that decide, why the rules lead to it. Write nothing else."
    )
    return Step(
        name="rationale",
        messages=messages(rules, fields, ask, seed, "rationale"),
        max_tokens=RATIONALE_TOKENS,
        temperature=0.0,
        seed=step_seed(seed, "rationale"),
        purpose="rationale",
    )
