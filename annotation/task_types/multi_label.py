"""Any number of labels for each sample, also none."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from annotation.task_types.base import UNSURE, BadAnswer, Belief, Rules, Value


@dataclass(frozen=True)
class MultiLabel:
    """What it does: the annotator ticks every label that applies; none is an answer of its own.

    Source: binary relevance, Tsoumakas & Katakis (2007): each label is a yes/no question.
    Use when: labels can be true together, such as topics or harms.
    Not when: exactly one is right; then a single label keeps the probabilities honest.
    """

    name = "multi_label"
    label = "Multi-label: every label that applies, also none"
    multiple = True
    level = "nominal"

    def value(self, slugs: list[str], rules: Rules) -> Value:
        if slugs == [UNSURE] and rules.unsure:
            return {"unsure": True}
        for slug in slugs:
            if slug not in rules.slugs:
                raise BadAnswer(f"“{slug}” is not a label of this codebook edition.")
        return {"labels": [slug for slug in rules.slugs if slug in slugs]}

    def slugs(self, value: Mapping[str, Any]) -> list[str]:
        return [UNSURE] if value.get("unsure") else list(value["labels"])

    def code(self, value: Mapping[str, Any]) -> str:
        """Slugs hold no "|", so that the joined text stays unambiguous; none is ""."""
        return "|".join(sorted(self.slugs(value)))

    def belief(self, probabilities: Mapping[str, float], rules: Rules) -> Belief:
        """A label is on at 0.5 and above. Confidence and margin are those of the least sure label;
        entropy is the mean binary entropy over the labels, in nats."""
        p = [probabilities[slug] for slug in rules.slugs]
        on = [slug for slug in rules.slugs if probabilities[slug] >= 0.5]
        entropies = [-sum(q * math.log(q) for q in (x, 1 - x) if q > 0) for x in p]
        sure = min(max(x, 1 - x) for x in p)
        return Belief({"labels": on}, sure, sum(entropies) / len(p), 2 * sure - 1)
