"""Does every 95 % interval that the product shows hold the truth? In seeded populations.

    python -m bench.coverage [--populations 400] [--draws 1] [--seed 2026] [--json]

A population has 2, 5 or 30 labels, a model that is right on 80 to 98 % and sure of itself too
often. Of it 30 to 500 samples are drawn by one of four designs, everything that a page would show
is computed from the answers, and held against the same figure of the whole population. `naive` is
the interval that leaves the design out of account. Intervals that are not shown are counted apart.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from synthlab.science.agreement import agreement
from synthlab.science.assisted import cross_fitted, helped_proportion, prevalences
from synthlab.science.bootstrap import Bootstrap
from synthlab.science.confusion import Comparison, compare
from synthlab.science.estimation import Design, naive_proportion
from synthlab.science.figures import Figure
from synthlab.science.measures import CohenKappa, GwetAC1, KrippendorffAlpha
from synthlab.science.selection.base import Pool
from synthlab.science.selection.least_confidence import LeastConfidence
from synthlab.science.selection.mixture import draw

SIZE = 4000
LABELS, SIZES = (2, 5, 30), (30, 60, 120, 250, 500)
RESAMPLING = Bootstrap(replicates=400)
ENOUGH = 0.93
MEASURES = {"kappa": CohenKappa(), "alpha": KrippendorffAlpha(), "ac1": GwetAC1()}
UNIFORM_SHARE = 0.3  # of the uncertainty-weighted draw


@dataclass(frozen=True)
class Population:
    """What people would say of every sample, what the model said, and how sure it claimed to be."""

    people: np.ndarray
    model: np.ndarray
    confidence: np.ndarray
    labels: int

    @property
    def accuracy(self) -> float:
        return float((self.people == self.model).mean())


def population(rng, labels, accuracy, size=SIZE):
    """Labels from common to rare; errors where the model is less sure, more than it says."""
    common = rng.permutation(1 / np.arange(1, labels + 1) ** 0.7)
    common /= common.sum()
    people = rng.choice(labels, size, p=common)
    doubt = rng.beta(0.8, 4, size)
    slopes = np.linspace(0, 12, 400)
    expected = np.minimum(slopes[:, None] * doubt, 0.95).mean(axis=1)
    slope = slopes[np.argmin(abs(expected - (1 - accuracy)))]
    wrong = rng.random(size) < np.minimum(slope * doubt, 0.95)
    other = (people + 1 + rng.integers(0, max(labels - 1, 1), size)) % labels
    return Population(people, np.where(wrong, other, people), 1 - doubt, labels)


def uniform(found, n, rng):
    rows = rng.choice(len(found.people), n, replace=False)
    return rows, Design(np.full(n, n / len(found.people)), len(found.people))


def mixture(found, n, rng):
    """Half by lot, half the least sure: these measure nothing."""
    pool = Pool(size=len(found.people), confidence=found.confidence)
    drawn = draw(pool, LeastConfidence(), n - n // 2, n // 2, rng)
    return drawn.rows, Design(drawn.inclusion, len(found.people))


def weighted(found, n, rng):
    """Zrnic & Candes (2024), active inference: by doubt, mixed with an even draw."""
    doubt, size = 1 - found.confidence, len(found.people)
    pi = (1 - UNIFORM_SHARE) * n * doubt / doubt.sum() + UNIFORM_SHARE * n / size
    pi = np.minimum(pi, 1)
    rows = np.flatnonzero(rng.random(size) < pi)
    return rows, Design(pi[rows], size)


def stratified(found, n, rng):
    """Three bands of confidence: 40 % of the draw from the lowest fifth, 35 % and 25 %."""
    bands = np.digitize(found.confidence, np.quantile(found.confidence, (0.2, 0.5)))
    rows, pi = [], []
    for band, share in enumerate((0.40, 0.35, 0.25)):
        inside = np.flatnonzero(bands == band)
        taken = min(max(round(share * n), 2), len(inside))
        rows.append(rng.choice(inside, taken, replace=False))
        pi.append(np.full(taken, taken / len(inside)))
    rows = np.concatenate(rows)
    return rows, Design(np.concatenate(pi), len(found.people), strata=bands[rows])


DESIGNS: dict[str, Callable] = {
    "uniform": uniform,
    "mixture": mixture,
    "weighted": weighted,
    "stratified": stratified,
}


def shown(people, model, labels, design, bootstrap=RESAMPLING):
    """Every figure of the page by its name; those of labels are lists in the codebook's order."""
    compared = compare(people, model, labels, design, bootstrap or Bootstrap(replicates=1))
    figures = {"accuracy": [compared.accuracy], "macro F1": [compared.macro_f1]}
    codes = np.stack([people, model], axis=1)
    for name, measure in MEASURES.items():
        figures[name] = [agreement(measure, codes, labels, design, bootstrap)]
    return figures | _by_label(compared)


def _by_label(compared: Comparison) -> dict[str, list[Figure]]:
    parts = ("precision", "recall", "f1", "prevalence")
    return {part: [getattr(label, part) for label in compared.labels] for part in parts}


def truth(found):
    """The same figures of the whole population; F1 is never hidden there."""
    everything = Design(np.ones(len(found.people)), len(found.people))
    return shown(found.people, found.model, found.labels, everything, None)


class Tally:
    """How often intervals held the truth, by figure and by whatever else describes the draw."""

    def __init__(self):
        self.hits = defaultdict(lambda: [0, 0, 0, 0.0])  # covered, shown, not shown, width

    def add(self, keys, figure, value):
        for key in keys:
            entry = self.hits[key]
            if figure.value is None or figure.interval is None or value is None:
                entry[2] += 1
                continue
            low, high = figure.interval
            entry[0] += low - 1e-9 <= value <= high + 1e-9
            entry[1] += 1
            entry[3] += high - low

    def share(self, key):
        covered, n, _hidden, _width = self.hits[key]
        return covered / n if n else None


def run(populations, draws, seed, size=SIZE):
    """Seeded populations, each drawn from `draws` times."""
    tally = Tally()
    for number in range(populations):
        rng = np.random.default_rng([seed, number])
        labels, n = LABELS[number % 3], SIZES[number // 3 % 5]
        found = population(rng, labels, rng.uniform(0.80, 0.98), size)
        values = truth(found)
        design_name = list(DESIGNS)[number // 15 % 4]
        for _ in range(draws):
            rows, design = DESIGNS[design_name](found, n, rng)
            _count(tally, found, values, rows, design, (design_name, labels, n))
    return tally


def assisted(found, rows, design):
    """The figures that AIPW helps with where answers are enough; the model spoke of every sample.
    "AIPW" below are those of them that it did help with."""
    right = (found.people == found.model).astype(float)[rows]
    stated = np.clip(found.confidence, 1e-6, 1 - 1e-6)
    sure = np.log(stated / (1 - stated))[:, None]
    places = np.arange(found.labels)
    said = (found.people[rows, None] == places).astype(float)
    given = (found.model[:, None] == places).astype(float)
    predictions = cross_fitted(right, design, sure, rows)
    return {
        "accuracy, helped": [helped_proportion(right, design, predictions).figure],
        "prevalence, helped": prevalences(said, design, given, rows),
    }


def _count(tally, found, values, rows, design, about):
    people, model = found.people[rows], found.model[rows]
    design_name, labels, n = about
    figures = shown(people, model, found.labels, design) | assisted(found, rows, design)
    for name, each in figures.items():
        target_name = name.removesuffix(", helped")
        keys = [
            (name, "all"), (name, design_name), (name, f"{labels} labels"), (name, f"n = {n}"),
            (name, design_name, labels, n),
        ]  # fmt: skip
        for figure, target in zip(each, values[target_name], strict=True):
            tally.add(keys, figure, target.value)
            if figure.method in ("aipw", "ppi"):
                tally.add(
                    [(f"{target_name}, AIPW", key[1]) for key in keys[:4]], figure, target.value
                )
    if design_name != "uniform":
        naive = naive_proportion((people == model).astype(float))
        tally.add(
            [
                ("naive accuracy", "all"),
                ("naive accuracy", design_name),
                ("naive accuracy", f"{labels} labels"),
                ("naive accuracy", f"n = {n}"),
            ],
            naive,
            values["accuracy"][0].value,
        )


def table(tally):
    names = list(dict.fromkeys(key[0] for key in tally.hits))
    columns = list(dict.fromkeys(key[1] for key in tally.hits if len(key) == 2))
    lines = [" " * 20 + "".join(f"{column:>12}" for column in columns) + "   shown  hidden  width"]
    for name in names:
        shares = [tally.share((name, column)) for column in columns]
        cells = ["-" if share is None else f"{100 * share:.1f}" for share in shares]
        _covered, n, hidden, width = tally.hits[name, "all"]
        tail = f"{n:>8}{hidden:>8}{width / max(n, 1):>7.3f}"
        lines.append(f"{name:<20}" + "".join(f"{cell:>12}" for cell in cells) + tail)
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--populations", type=int, default=400)
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    start = time.process_time()
    tally = run(options.populations, options.draws, options.seed)
    if options.json:
        print(json.dumps({" / ".join(map(str, key)): entry for key, entry in tally.hits.items()}))
        return
    print(table(tally))
    print(f"{options.populations} populations, {time.process_time() - start:.0f} s of one core")


if __name__ == "__main__":
    main()
