"""One label of the codebook for each sample."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from annotation.task_types.base import UNSURE, BadAnswer, Belief, Rules, Value


@dataclass(frozen=True)
class SingleLabel:
    """What it does: the annotator picks exactly one label, or "unsure" where offered.

    Source: the usual closed-set classification task, for example Gilardi et al. (2023).
    Use when: the labels exclude one another and together cover every sample.
    Not when: two labels can be true at once (multi-label), or they are steps of a scale (rating).
    """

    name = "single_label"
    label = "Single label: exactly one of the labels"
    multiple = False
    level = "nominal"

    def value(self, slugs: list[str], rules: Rules) -> Value:
        if len(slugs) != 1:
            raise BadAnswer("Choose exactly one label.")
        (slug,) = slugs
        if slug == UNSURE and rules.unsure:
            return {"unsure": True}
        if slug not in rules.slugs:
            raise BadAnswer(f"“{slug}” is not a label of this codebook edition.")
        return {"label": slug}

    def slugs(self, value: Mapping[str, Any]) -> list[str]:
        return [UNSURE] if value.get("unsure") else [value["label"]]

    def code(self, value: Mapping[str, Any]) -> str:
        return self.slugs(value)[0]

    def belief(self, probabilities: Mapping[str, float], rules: Rules) -> Belief:
        """Ties go to the label that stands first in the codebook. Entropy in nats."""
        p = [probabilities[slug] for slug in rules.slugs]
        best = max(range(len(p)), key=lambda i: (p[i], -i))
        runner_up = max((x for i, x in enumerate(p) if i != best), default=0.0)
        entropy = -sum(x * math.log(x) for x in p if x > 0)
        return Belief({"label": rules.slugs[best]}, p[best], max(entropy, 0.0), p[best] - runner_up)
