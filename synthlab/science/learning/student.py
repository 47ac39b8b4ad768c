"""A small classifier: L2 softmax regression on standardised columns, and its held-out beliefs."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

PENALTY = 0.15  # the inverse of the penalty's weight, as C in scikit-learn
FOLDS = 5
MOST_LABELS = 30  # that a student tells apart; rarer ones count as unknown to it
STEPS = 60  # of the optimiser at most


@dataclass(frozen=True)
class Student:
    """What was fitted: weights (labels told apart, columns + 1), the constant last."""

    told_apart: np.ndarray  # codes
    weights: np.ndarray
    shares: np.ndarray  # (labels,): smoothed shares of the codes it was taught

    def beliefs(self, table: np.ndarray, offset: np.ndarray | None = None) -> np.ndarray:
        """(rows, labels). A label it was not taught gets the little that smoothing leaves."""
        answer = np.tile(self.shares, (len(table), 1))
        if len(self.told_apart) > 1:
            share = self.shares[self.told_apart].sum()
            scores = table @ self.weights[:, :-1].T + self.weights[:, -1]
            if offset is not None:
                scores = scores + offset[:, self.told_apart]
            answer[:, self.told_apart] = share * softmax(scores, axis=1)
        return answer


def teach(
    table: np.ndarray,
    codes: np.ndarray,
    labels: int,
    *,
    penalty: float = PENALTY,
    like: Student | None = None,
    offset: np.ndarray | None = None,
    centre: np.ndarray | float = 0.0,
) -> Student:
    """Fit P(code | row of table) by maximum likelihood with an L2 penalty (not on the constant).

    With one label only, or none, it answers with smoothed shares. `like` is a student of nearly
    the same rows: its weights are where the search begins, which changes the time alone. `offset`
    (rows, labels) are log-odds to start from, so that only the change to them is learnt; `centre`
    (columns,), with two labels alone, are the weights that the penalty draws towards.
    """
    counts = np.bincount(codes, minlength=labels)
    shares = (counts + 0.5 / labels) / (counts.sum() + 0.5)
    often = np.argsort(-counts, kind="stable")[:MOST_LABELS]
    often = np.sort(often[counts[often] > 0])
    weights = np.zeros((len(often), table.shape[1] + 1))
    if len(often) < 2:
        return Student(often, weights, shares)
    if like is not None:
        kept = np.isin(often, like.told_apart)
        weights[kept] = like.weights[np.searchsorted(like.told_apart, often[kept])]
    taught = np.isin(codes, often)
    aim = codes[taught][:, None] == often
    from_here = np.zeros(aim.shape) if offset is None else offset[taught][:, often]
    best = _descend(table[taught], aim.astype(float), weights, penalty, from_here, centre)
    return Student(often, best, shares)


def folds(codes: np.ndarray, rng: np.random.Generator, count: int = FOLDS) -> np.ndarray:
    """(size,): a fold for each row, dealt out label by label so that each fold has its share."""
    order = np.lexsort((rng.random(len(codes)), codes))
    fold = np.empty(len(codes), dtype=int)
    fold[order] = np.arange(len(codes)) % count
    return fold


def held_out_beliefs(
    features: np.ndarray, codes: np.ndarray, labels: int, rng: np.random.Generator
) -> np.ndarray:
    """(size, labels): what a student taught by the *other* rows' codes thinks of each row.

    Negative codes teach nothing. Fewer than two rows with codes: shares, the same for everybody.
    """
    features = np.asarray(features, dtype=float)
    spread = features.std(axis=0)
    table = (features - features.mean(axis=0)) / np.where(spread > 1e-9, spread, 1)
    fold = folds(codes, rng)
    answer = np.empty((len(codes), labels))
    student = None
    for held in range(FOLDS):
        rest, here = (fold != held) & (codes >= 0), fold == held
        student = teach(table[rest], codes[rest], labels, like=student)
        answer[here] = student.beliefs(table[here])
    return answer


def _descend(
    table: np.ndarray,
    aim: np.ndarray,
    start: np.ndarray,
    penalty: float,
    offset: np.ndarray,
    centre: np.ndarray | float,
) -> np.ndarray:
    """The weights of least loss. Two labels need one set of weights: the other is its mirror."""
    two = len(start) == 2
    begin = (start[1] - start[0])[None] if two else start
    offset = offset[:, 1:] - offset[:, :1] if two else offset
    shape = begin.shape

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(shape)
        scores = table @ weights[:, :-1].T + weights[:, -1] + offset
        away = weights[:, :-1] - centre
        if two:
            signed = np.where(aim[:, 1] > 0, scores[:, 0], -scores[:, 0])
            value = np.logaddexp(0, -signed).sum()
            miss = (1 / (1 + np.exp(-np.clip(scores, -500, 500)))) - aim[:, 1:]
        else:
            logs = log_softmax(scores, axis=1)
            value = -(aim * logs).sum()
            miss = np.exp(logs) - aim
        gradient = np.hstack([miss.T @ table, miss.sum(axis=0)[:, None]])
        gradient[:, :-1] += away / penalty
        value += (away**2).sum() / (2 * penalty)
        return value / len(table), gradient.ravel() / len(table)

    options = {"maxiter": STEPS, "gtol": 1e-4, "ftol": 1e-7}
    found = minimize(loss, begin.ravel(), jac=True, method="L-BFGS-B", options=options)
    best = found.x.reshape(shape)
    return np.vstack([np.zeros_like(best), best]) if two else np.asarray(best)
