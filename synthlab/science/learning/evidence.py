"""What can be known about a sample before a person has seen it, as columns that a model can use."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from synthlab.science import uncertainty
from synthlab.science.learning.student import held_out_beliefs

FEWEST = 10  # answers that a label needs for a column of its own, and at least
RAREST = 0.01  # this share of all
WIDEST = 30  # columns at most for the labels of one machine or prompt
SUREST = 1e-9  # no stated probability is nearer to 0 or 1 than this


@dataclass(frozen=True)
class Clues:
    """What machines and texts say, as arrays aligned by row. None: nobody knows.

    Codes run from 0 to labels - 1; -1 is an answer that could not be read. NaN in a float means
    that this sample lacks it. No column may come from a person.
    """

    answers: np.ndarray  # (size,): codes of the labels that would be released as they are
    labels: int
    confidence: np.ndarray | None = None  # (size,): stated or from probabilities
    probabilities: np.ndarray | None = None  # (size, labels)
    votes: np.ndarray | None = None  # (size, prompts): codes, one column a prompt, run or model
    signals: np.ndarray | None = None  # (size, signals): other numbers
    features: np.ndarray | None = None  # (size, dimensions): what the text is about


@dataclass(frozen=True)
class Evidence:
    """The columns, standardised over all samples, and the doubt that needs no learning."""

    table: np.ndarray  # (size, columns), finite
    kinds: np.ndarray  # (columns,): doubt, unstated, number, label or text
    doubt: np.ndarray  # (size,): 1 - confidence in the answer; NaN where nothing is known


def gather(clues: Clues, rng: np.random.Generator) -> Evidence:
    """All evidence that these clues allow; the seed decides the folds of the student alone.

    A missing number becomes the mean of its column, and that it was missing a column of its own.
    """
    doubt = raw_doubt(clues)
    named = [
        (kind, _complete(block)) for kind, block in _blocks(clues, doubt, rng) if block.shape[1]
    ]
    table = np.hstack([block for _, block in named])
    kinds = np.concatenate([np.full(block.shape[1], kind) for kind, block in named])
    spread = table.std(axis=0)
    varied = spread > 1e-9
    table = (table - table.mean(axis=0))[:, varied] / spread[varied]
    return Evidence(table, kinds[varied], doubt)


def raw_doubt(clues: Clues) -> np.ndarray:
    """One minus the belief in the answer: stated, else its probability, else its share of votes.

    With several machines this is the doubt in the label that would be released; the entropy of
    their votes would call a sample certain where all others agree on another label.
    """
    if clues.confidence is not None:
        return 1 - np.asarray(clues.confidence, dtype=float)
    for shares in (clues.probabilities, vote_shares(clues)):
        if shares is not None:
            return 1 - _of_answer(shares, clues.answers)
    return np.full(len(clues.answers), np.nan)


def vote_shares(clues: Clues) -> np.ndarray | None:
    """(size, labels + 1): how the prompts voted; an unreadable vote is a category of its own."""
    if clues.votes is None or clues.votes.shape[1] == 0:
        return None
    size, prompts = clues.votes.shape
    shares = np.zeros((size, clues.labels + 1))
    for vote in clues.votes.T:
        shares[np.arange(size), np.where(vote < 0, clues.labels, vote)] += 1 / prompts
    return shares


def _blocks(
    clues: Clues, doubt: np.ndarray, rng: np.random.Generator
) -> Iterator[tuple[str, np.ndarray]]:
    if not np.isnan(doubt).all():
        stated = _complete(_scales(1 - doubt))
        yield "doubt", stated[:, :2]
        yield "unstated", stated[:, 2:]
        yield "label", _by_answer(stated[:, :1], clues.answers)
    yield "label", one_hot(clues.answers)
    for beliefs in (clues.probabilities, vote_shares(clues), _student(clues, rng)):
        if beliefs is not None:
            yield "number", _shape(beliefs, clues.answers)
    if clues.signals is not None:
        yield from (("number", _scales(signal)) for signal in clues.signals.T)
    if clues.votes is not None:
        yield from (("label", one_hot(vote)) for vote in clues.votes.T)
    if clues.features is not None:
        yield "text", np.asarray(clues.features, dtype=float)


def _student(clues: Clues, rng: np.random.Generator) -> np.ndarray | None:
    if clues.features is None or clues.features.shape[1] == 0:
        return None
    return held_out_beliefs(clues.features, clues.answers, clues.labels, rng)


def _scales(number: np.ndarray) -> np.ndarray:
    """A number as it is (log-odds if all are probabilities) and as its rank, ties shared."""
    number = np.asarray(number, dtype=float)
    seen = number[~np.isnan(number)]
    if seen.size and seen.min() >= 0 and seen.max() <= 1:
        # A stated 0 or 1 is taken for half as far from it as the nearest that is not.
        gaps = np.minimum(seen, 1 - seen)
        edge = max(SUREST, gaps[gaps > 0].min() / 2) if gaps.any() else 0.01
        inside = np.clip(number, edge, 1 - edge)
        number = np.log(inside) - np.log1p(-inside)
    return np.column_stack([number, rankdata(number, nan_policy="omit") / max(1, len(number))])


def _by_answer(number: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """The number once for each frequent answer: a machine may be overconfident in one label."""
    centred = np.nan_to_num(number - np.nanmean(number)) if (~np.isnan(number)).any() else 0
    return np.asarray(one_hot(answers) * centred)


def _shape(beliefs: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Entropy, margin, best, the belief in the answer and, where few, all of a distribution."""
    mine = _of_answer(beliefs, answers)
    inside = np.clip(mine, 1e-3, 1 - 1e-3)
    columns = [
        uncertainty.entropy(beliefs),
        uncertainty.margin(beliefs),
        uncertainty.confidence(beliefs),
        mine,
        np.log(inside) - np.log1p(-inside),
    ]
    every = beliefs if beliefs.shape[1] <= WIDEST else beliefs[:, :0]
    return np.column_stack([*columns, every])


def _of_answer(beliefs: np.ndarray, answers: np.ndarray) -> np.ndarray:
    mine = beliefs[np.arange(len(answers)), np.maximum(answers, 0)]
    return np.where(answers < 0, np.nan, mine)


def one_hot(codes: np.ndarray) -> np.ndarray:
    """(size, frequent codes); rare labels share the zero of all columns."""
    found, counts = np.unique(codes, return_counts=True)
    enough = counts >= max(FEWEST, RAREST * len(codes))
    often = found[enough][np.argsort(-counts[enough], kind="stable")]
    return np.asarray(codes[:, None] == often[:WIDEST], dtype=float)


def _complete(block: np.ndarray) -> np.ndarray:
    """Without NaN: the column's mean instead, and a column that says where it was missing."""
    missing = np.isnan(block)
    if not missing.any():
        return block
    seen = ~missing
    mean = np.where(missing, 0, block).sum(axis=0) / np.maximum(1, seen.sum(axis=0))
    return np.hstack([np.where(missing, mean, block), missing.any(axis=1, keepdims=True)])
