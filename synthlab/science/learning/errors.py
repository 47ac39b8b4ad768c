"""Where is the machine wrong, and what would people say instead? Learnt from their answers so far.

The error model is P(wrong | evidence), the corrector P(label | evidence): both L2 logistic
regressions on standardised evidence, every prediction for a sample with a person's answer made
without that answer (cross-fitting, Chernozhukov et al. 2018, section 3). The doubt that the machine
states itself is the starting point: it is made a chance of an error first, and both models learn
only what changes it. That more doubt means more errors is assumed until answers say otherwise:
answers to the greatest doubts alone show little of it, and would else teach the opposite.
"""

from dataclasses import dataclass

import numpy as np

from synthlab.science.learning.evidence import Evidence
from synthlab.science.learning.student import FOLDS, MOST_LABELS, Student, folds, teach

FEWEST_ANSWERS = 20  # people's answers below which nothing is learnt
MOST_ANSWERS = (
    4000  # people's answers that a model is fitted on, chosen by lot where there are more
)
CORRECTABLE = 150  # labels above which no corrector is tried
PER_LABEL = 3  # people's answers for each label in use below which no corrector is tried
GENTLE = 10.0  # penalty of the two numbers that stretch chances
LEAD = 0.25  # by which the corrector's label must be likelier than the machine's
TRUST = {  # scale of the columns, so that one penalty weighs on each kind as much as it should
    "raw": {"doubt": 1.0, "unstated": 3.0, "number": 0.0, "label": 0.0, "text": 0.0},
    "wrong": {"doubt": 3.0, "unstated": 3.0, "number": 0.5, "label": 0.3, "text": 0.1},
    "label": {"doubt": 2.0, "unstated": 2.0, "number": 0.5, "label": 0.5, "text": 0.15},
}
SLOPE = 0.5  # log-odds of an error by a standard deviation of doubt, for each of its two columns,
SURE = 0.0625  # and the variance around it: what is believed before people have answered


@dataclass(frozen=True)
class Learned:
    """For every sample: the label to release, how likely people disagree, what that comes from.

    `scores` names the chance that won on people's answers: "raw" (the machine's own doubt, made a
    probability), "error" (error model), "label" (corrector) or "both". `losses` are their held-out
    log losses per answer; empty where too few people answered.
    """

    labels: np.ndarray  # (size,): codes
    error: np.ndarray  # (size,): P(people would not say the label to release), in (0, 1)
    machine_error: np.ndarray  # (size,): the same for the machine's label
    corrected: np.ndarray  # (size,): bool, the label to release is not the machine's
    scores: str
    losses: dict[str, float]


@dataclass(frozen=True)
class Lesson:
    """What a model is taught: evidence, the machine's answers, and people's on some rows."""

    evidence: Evidence
    answers: np.ndarray  # (size,): codes of the machine
    labels: int
    rows: np.ndarray  # rows with a person's answer
    said: np.ndarray  # (rows,): people's codes


def learn(
    evidence: Evidence,
    answers: np.ndarray,
    known: np.ndarray,
    labels: int,
    rng: np.random.Generator,
    *,
    correct: bool = True,
    by_lot: np.ndarray | None = None,
) -> Learned:
    """Fit on the rows where `known` is not negative; the seed decides folds and subsamples.

    With fewer than 20 answers, or without `correct`, no label is corrected. People's own answers
    are not put in: `labels` of rows that they labelled are predictions as everywhere else.
    `by_lot` marks the rows drawn uniformly: chances are fitted to what happened there, since rows
    chosen for their doubt say little about how rare errors are elsewhere.
    """
    lesson = Lesson(evidence, answers, labels, *_taught(known, rng))
    if len(lesson.rows) < FEWEST_ANSWERS:
        return _untaught(lesson)
    fold = np.full(len(answers), -1)
    fold[lesson.rows] = folds(lesson.said, rng)
    chances, corrector = _cross_fitted(lesson, fold)
    losses = {name: log_loss(p[lesson.rows], _wrong(lesson)) for name, p in chances.items()}
    best = min(losses, key=lambda name: losses[name])
    fit = _representative(lesson, by_lot)
    error = _calibrated(chances[best], lesson.rows[fit], _wrong(lesson)[fit])
    corrected = np.zeros(len(answers), dtype=bool)
    if correct and corrector is not None:
        corrected = gate(corrector, lesson)
    if corrector is None or not corrected.any():
        return Learned(answers, error, error, corrected, best, losses)
    released = np.where(corrected, corrector.argmax(axis=1), answers)
    remaining = np.where(corrected, 1 - corrector.max(axis=1), chances[best])
    still = released[lesson.rows] != lesson.said
    remaining = _calibrated(remaining, lesson.rows[fit], still[fit])
    return Learned(released, remaining, error, corrected, best, losses)


def gate(corrector: np.ndarray, lesson: Lesson) -> np.ndarray:
    """(size,), bool: where the corrector's label is released. Nowhere if it has not proved itself.

    It has where, on people's answers it did not see, its replacements put more right than wrong by
    over one standard error. `corrector` is (size, labels), held out on the lesson's rows.
    """
    best, at = corrector.argmax(axis=1), np.arange(len(lesson.answers))
    mine = np.where(lesson.answers < 0, 0.0, corrector[at, lesson.answers])
    lead = corrector[at, best] - mine
    leads = (lead > LEAD) & (best != lesson.answers)
    here = leads[lesson.rows]
    right = (best[lesson.rows] == lesson.said).astype(int)
    gain = (right - (lesson.answers[lesson.rows] == lesson.said))[here]
    proved = gain.sum() > np.sqrt((gain**2).sum())
    return leads if proved else np.zeros_like(leads)


def log_loss(chance: np.ndarray, happened: np.ndarray) -> float:
    """Mean of -log of the probability given to what happened (natural logarithm)."""
    inside = _inside(chance)
    return float(-np.mean(np.where(happened, np.log(inside), np.log1p(-inside))))


def _representative(lesson: Lesson, by_lot: np.ndarray | None) -> np.ndarray:
    """(rows,), bool: which of the rows with answers were drawn by lot; all, if too few were."""
    everything = np.ones(len(lesson.rows), dtype=bool)
    drawn = everything if by_lot is None else by_lot[lesson.rows]
    return drawn if drawn.sum() >= FEWEST_ANSWERS else everything


def _calibrated(chance: np.ndarray, rows: np.ndarray, happened: np.ndarray) -> np.ndarray:
    """Chances stretched or shrunk in log-odds to fit what happened on rows where they are held out.

    Platt (1999): penalised models are too timid, and an audit is planned from sums of chances.
    """
    odds = _log_odds(chance)[:, None]
    scale = max(1e-9, float(odds[rows].std()))
    student = teach(odds[rows] / scale, happened.astype(int), 2, penalty=GENTLE)
    slope = student.weights[-1, 0]
    if len(student.told_apart) < 2 or slope <= 0:
        return _inside(chance)
    return _inside(student.beliefs(odds / scale)[:, 1])


def _taught(known: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    rows = np.flatnonzero(known >= 0)
    if len(rows) > MOST_ANSWERS:
        rows = np.sort(rng.choice(rows, MOST_ANSWERS, replace=False))
    return rows, known[rows]


def _untaught(lesson: Lesson) -> Learned:
    """The machine's own doubt, as it is; unknown doubt is the greatest there is."""
    doubt = lesson.evidence.doubt
    error = _inside(np.where(np.isnan(doubt), 1.0, doubt))
    return Learned(lesson.answers, error, error, np.zeros(len(doubt), dtype=bool), "raw", {})


@dataclass(frozen=True)
class Models:
    """What was fitted on some of the answers; no corrector where there are too few."""

    raw: Student
    error: Student
    corrector: Student | None


def _cross_fitted(
    lesson: Lesson, fold: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """Each chance of an error for all rows, and the corrector, held out where people answered."""
    everything = _fitted(lesson, np.ones(len(lesson.rows), dtype=bool))
    raw, error, corrector = _predicted(everything, lesson, np.arange(len(fold)))
    for held in range(FOLDS):
        here = np.flatnonzero(fold == held)
        models = _fitted(lesson, fold[lesson.rows] != held, everything)
        raw[here], error[here], labels = _predicted(models, lesson, here)
        if corrector is not None:
            corrector[here] = labels
    chances = {"raw": _inside(raw), "error": _inside(error)}
    if corrector is not None:
        chances["both"] = _inside(_together(error, corrector, lesson, 0.5))
        chances["label"] = _inside(_together(error, corrector, lesson, 1.0))
    return chances, corrector


def _fitted(lesson: Lesson, taught: np.ndarray, like: Models | None = None) -> Models:
    """The models by those of the lesson's answers that are marked; `like`: by nearly the same."""
    rows, said = lesson.rows[taught], lesson.said[taught]
    wrong = _wrong(lesson)[taught].astype(int)
    first, second, third = (like.raw, like.error, like.corrector) if like else (None, None, None)
    table = _scaled(lesson.evidence, "raw", rows)
    slopes = _slopes(lesson.evidence)
    raw = teach(table, wrong, 2, penalty=SURE, like=first, centre=slopes)
    start = _log_odds(raw.beliefs(table)[:, 1])
    table = _scaled(lesson.evidence, "wrong", rows)
    error = teach(table, wrong, 2, like=second, offset=_of_errors(start))
    if not _correctable(lesson):
        return Models(raw, error, None)
    table, offset = _scaled(lesson.evidence, "label", rows), _of_labels(start, rows, lesson)
    corrector = teach(table, said, lesson.labels, like=third, offset=offset)
    return Models(raw, error, corrector)


def _predicted(
    models: Models, lesson: Lesson, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """For these rows: the chance of an error by doubt and by the error model, and the labels'."""
    raw = models.raw.beliefs(_scaled(lesson.evidence, "raw", rows))[:, 1]
    start = _log_odds(raw)
    table = _scaled(lesson.evidence, "wrong", rows)
    error = models.error.beliefs(table, _of_errors(start))[:, 1]
    if models.corrector is None:
        return raw, error, None
    table, offset = _scaled(lesson.evidence, "label", rows), _of_labels(start, rows, lesson)
    return raw, error, models.corrector.beliefs(table, offset)


def _slopes(evidence: Evidence) -> np.ndarray:
    """What is believed of the columns of the raw model: they grow with confidence."""
    kinds = evidence.kinds[_weights(evidence, "raw") > 0]
    return np.where(kinds == "doubt", -SLOPE, 0.0)


def _of_errors(start: np.ndarray) -> np.ndarray:
    return np.column_stack([np.zeros(len(start)), start])


def _of_labels(start: np.ndarray, rows: np.ndarray, lesson: Lesson) -> np.ndarray:
    """Log-odds of the labels if the machine errs as `start` says, all others equally likely."""
    offset = np.zeros((len(rows), lesson.labels))
    read = np.flatnonzero(lesson.answers[rows] >= 0)
    others = len(np.unique(lesson.said)) - 1
    offset[read, lesson.answers[rows[read]]] = np.log(max(1, others)) - start[read]
    return offset


def _correctable(lesson: Lesson) -> bool:
    """A corrector needs some answers a label to learn from."""
    used = len(np.unique(lesson.said))
    return 1 < used <= len(lesson.said) / PER_LABEL and lesson.labels <= CORRECTABLE


def _together(error: np.ndarray, corrector: np.ndarray, lesson: Lesson, share: float) -> np.ndarray:
    """The log-odds of both models, the corrector's of this weight where it knows the machine's
    label at all."""
    counts = np.bincount(lesson.said, minlength=lesson.labels)
    often = np.argsort(-counts, kind="stable")[:MOST_LABELS]
    knows = np.isin(lesson.answers, often[counts[often] > 1])
    other = 1 - corrector[np.arange(len(error)), lesson.answers]
    odds = (1 - share) * _log_odds(error) + share * _log_odds(other)
    return np.asarray(np.where(knows, 1 / (1 + np.exp(-odds)), error))


def _wrong(lesson: Lesson) -> np.ndarray:
    return np.asarray(lesson.said != lesson.answers[lesson.rows])


def _scaled(evidence: Evidence, model: str, rows: np.ndarray) -> np.ndarray:
    weights = _weights(evidence, model)
    return np.asarray(evidence.table[np.ix_(rows, weights > 0)] * weights[weights > 0])


def _weights(evidence: Evidence, model: str) -> np.ndarray:
    return np.array([TRUST[model][kind] for kind in evidence.kinds])


def _inside(chance: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(chance, 1e-6, 1 - 1e-6))


def _log_odds(chance: np.ndarray) -> np.ndarray:
    inside = _inside(chance)
    return np.asarray(np.log(inside) - np.log1p(-inside))
