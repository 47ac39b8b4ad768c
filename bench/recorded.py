"""Recorded answers of real models, read from any folder of tables of one format.

A table is `<name>.csv.gz` with id, text, gold, llm_label, confidence, prompt_labels (JSON list or
object of labels, "?" is unparsable), label_probs (JSON object) and extra (JSON object). Empty cells
are unknown. Of `extra` only machines' numbers are evidence; what people said there is left alone.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from synthlab.science.learning.evidence import Clues

UNREADABLE = "?"
CODED = {"pred", "other"}  # such a gold says right or wrong, not which label would be right
MACHINES = re.compile(r"msp|conf|prob|logit|entropy", re.IGNORECASE)
PEOPLE = re.compile(r"annot|human|people|person|worker|crowd|rater|expert|gold", re.IGNORECASE)


@dataclass(frozen=True)
class Recorded:
    """One table as arrays; `gold` and the clues' codes mean places in `names`."""

    name: str
    gold: np.ndarray
    clues: Clues
    texts: list[str] | None
    names: list[str]
    relabels: bool  # whether another label than the model's can be released at all

    @property
    def size(self) -> int:
        return len(self.gold)

    def with_features(self, features: np.ndarray) -> "Recorded":
        return replace(self, clues=replace(self.clues, features=features))


def read(path: Path) -> Recorded:
    columns = pd.read_csv(path, dtype=str, keep_default_na=False, low_memory=False)
    gold, answers = columns["gold"].tolist(), columns["llm_label"].tolist()
    votes = _votes([_json(cell) for cell in columns["prompt_labels"]])
    beliefs = [_json(cell) or {} for cell in columns["label_probs"]]
    named = {*gold, *answers, *(label for belief in beliefs for label in belief)}
    named |= {label for vote in votes.values() for label in vote if label}
    names = sorted(named - {UNREADABLE, ""})
    code = {name: at for at, name in enumerate(names)}

    def codes(labels: list[str]) -> np.ndarray:
        return np.array([code.get(label, -1) for label in labels])

    texts = columns["text"].tolist()
    clues = Clues(
        answers=codes(answers),
        labels=len(names),
        confidence=_numbers(columns["confidence"]),
        probabilities=_beliefs(beliefs, code),
        votes=np.column_stack([codes(vote) for vote in votes.values()]) if votes else None,
        signals=_signals([_json(cell) or {} for cell in columns["extra"]]),
    )
    has_text = sum(map(bool, texts)) > len(texts) / 2
    name = path.name.removesuffix(".csv.gz")
    return Recorded(
        name, codes(gold), clues, texts if has_text else None, names, not {*gold} <= CODED
    )


def _json(cell: str) -> object:
    return json.loads(cell) if cell else None


def _numbers(column: pd.Series) -> np.ndarray | None:
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    return None if np.isnan(numbers).all() else numbers


def _votes(cells: list) -> dict[str, list[str]]:
    """One list of labels a prompt. Several runs of a prompt count as their commonest label."""
    named = [dict(enumerate(c)) if isinstance(c, list) else c or {} for c in cells]
    prompts = dict.fromkeys(prompt for cell in named for prompt in cell)
    return {prompt: [_commonest(cell.get(prompt)) for cell in named] for prompt in prompts}


def _commonest(vote: object) -> str:
    if isinstance(vote, list):
        return str(Counter(map(str, vote)).most_common(1)[0][0]) if vote else UNREADABLE
    return UNREADABLE if vote is None else str(vote)


def _beliefs(cells: list[dict], code: dict[str, int]) -> np.ndarray | None:
    if not any(cells):
        return None
    table = np.zeros((len(cells), len(code)))
    for row, belief in enumerate(cells):
        for label, p in belief.items():
            if label in code:
                table[row, code[label]] = p
        table[row] = table[row] / table[row].sum() if table[row].sum() > 0 else np.nan
    return table


def _signals(cells: list[dict]) -> np.ndarray | None:
    keys = sorted({key for cell in cells if isinstance(cell, dict) for key in cell})
    keys = [key for key in keys if MACHINES.search(key) and not PEOPLE.search(key)]
    columns = [[_number(cell.get(key)) for cell in cells] for key in keys]
    columns = [column for column in columns if not np.isnan(column).all()]
    return np.array(columns).T if columns else None


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")
