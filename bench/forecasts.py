"""Does the set come out as the planner foretold, and what does a forecast of a million cost?

    python -m bench.forecasts [--runs 60] [--rows 1000000]

First seeded populations whose truth is known: 2,000 samples, three labels, an overconfident machine
and texts that say something about its errors. A pilot is drawn by lot, the forecast is made, then
each strategy takes 15 % of the samples and the share of right labels is counted: how often it lies
in the band, and how far the forecast was off. Beside it what a ranking would have promised, were it
judged by the chances that it follows. Then time and memory of a forecast of a million samples.
"""

import argparse
import resource
import time

import numpy as np
from threadpoolctl import threadpool_limits

from synthlab.science import forecast
from synthlab.science.forecast import Checked, Population, View
from synthlab.science.forecast_lines import Ground, believe, lines
from synthlab.science.selection.base import Pool

MOST_ROWS = 50_000  # as annotation.arrays_forecast reads
SIZE, LABELS, TEXTS, TAKEN = 2000, 3, 8, 0.15
WORLDS = {
    "pilot of 100": {"pilot": 100},
    "pilot of 40": {"pilot": 40},
    "pilot of 100, then the 200 least sure": {"pilot": 100, "first": 200},
    "a confidence that means nothing, pilot of 100": {"pilot": 100, "meaning": 0.0},
}


def world(rng, size, meaning=1.0):
    """People's labels, the machine's, its probabilities and confidence, and texts."""
    texts = rng.normal(size=(size, TEXTS))
    direction = rng.normal(size=TEXTS)
    odds = rng.normal(1.6, 1.3, size)
    hidden = 0.9 * (texts @ direction) / np.linalg.norm(direction)
    chance = 1 / (1 + np.exp(-(meaning * odds + (1 - meaning) * 1.6 + hidden)))
    people = rng.integers(0, LABELS, size)
    other = (people + rng.integers(1, LABELS, size)) % LABELS
    machine = np.where(rng.random(size) < chance, people, other)
    sure = np.maximum(1 / (1 + np.exp(-1.5 * odds)), 1 / LABELS + 0.01)
    beliefs = np.repeat(((1 - sure) / (LABELS - 1))[:, None], LABELS, axis=1)
    beliefs[np.arange(size), machine] = sure
    return people, machine, beliefs, sure, texts


def foretold(seed, pilot, first=0, meaning=1.0, size=SIZE):
    rng = np.random.default_rng(seed)
    people, machine, beliefs, sure, texts = world(rng, size, meaning)
    known = np.full(size, -1)
    lot = rng.permutation(size)[:pilot]
    known[lot] = people[lot]
    free = np.flatnonzero(known < 0)
    least = free[np.argsort(sure[free])[:first]]
    known[least] = people[least]
    ends = np.sort(beliefs, axis=1)
    pool = Pool(
        size,
        answers=machine,
        known=known,
        confidence=sure,
        probabilities=beliefs,
        margin=ends[:, -1] - ends[:, -2],
        features=texts,
    )
    right = np.where(known >= 0, (known == machine).astype(float), np.nan)
    population = Population(size, np.ones(size), known < 0, np.zeros(size, dtype=bool))
    belief = believe(pool, right, np.isin(np.arange(size), lot), rng)
    checked = Checked(lot, (people != machine)[lot].astype(float), np.full(pilot, size / pilot))
    labels = np.array([0, round(TAKEN * size), round(population.to_draw)])
    found, _ = lines(pool, Ground(population, belief, checked, labels), rng)
    named = {name: line for line in found for name in line.strategies}
    return named, pool, population, belief, labels, people != machine


def outcomes(seed, **options):
    """By strategy: what came out, what was foretold, and whether the band held it."""
    named, pool, population, belief, labels, wrong = foretold(seed, **options)
    ways = {
        "expected_error": forecast.by_rank(belief.error, population),
        "least_confidence": forecast.by_rank(1 - pool.confidence, population),
        "uncertainty_weighted": forecast.by_chance(belief.error, population),
        "uniform": forecast.by_lot(population),
    }
    for name, taken in ways.items():
        left = float((wrong * population.free * (1 - taken(labels[1]))).sum())
        line, came = named[name], 1 - left / population.size
        itself = forecast.accuracy([View(taken, belief.error)], belief.error, population, labels)
        inside = line.low[1] <= came <= line.high[1]
        width = line.high[1] - line.low[1]
        yield name, (came, line.accuracy[1], itself[1], inside, width)


def coverage(runs):
    for title, options in WORLDS.items():
        found = {}
        for seed in range(runs):
            for name, outcome in outcomes(seed, **options):
                found.setdefault(name, []).append(outcome)
        print(f"\n{title}, {runs} runs")
        for name, rows in found.items():
            came, told, itself, inside, width = np.mean(np.array(rows, dtype=float), axis=0)
            print(
                f"  {name:22} came out {came:.1%}, foretold {100 * (told - came):+.1f} points"
                f" (judged by itself {100 * (itself - came):+.1f}), in the band {inside:.1%},"
                f" {100 * width:.0f} points wide"
            )


def speed(rows):
    """As the worker does it: a part read by lot stands for all."""
    began = time.monotonic()
    part = min(rows, MOST_ROWS)
    rng = np.random.default_rng(0)
    people, machine, beliefs, sure, _ = world(rng, part)
    texts = rng.normal(size=(part, 64)).astype(np.float32)
    known = np.where(np.arange(part) < 400, people, -1)
    pool = Pool(
        part, answers=machine, known=known, confidence=sure, probabilities=beliefs, features=texts,
        entropy=1 - sure, margin=sure,
    )  # fmt: skip
    free = known < 0
    weights = np.where(free, (rows - 400) / free.sum(), 1.0)
    population = Population(rows, weights, free, np.zeros(part, dtype=bool))
    belief = believe(pool, np.full(part, np.nan), known >= 0, rng)
    learned = time.monotonic()
    checked = Checked(
        np.arange(400), (people != machine)[:400].astype(float), np.full(400, rows / 400)
    )
    found, _ = lines(pool, Ground(population, belief, checked, forecast.grid(population)), rng)
    took, peak = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"\n{rows:,} samples from {part:,} rows: {took:.0f} s, of which learning"
        f" {learned - began:.0f} s; {len(found)} lines; {peak:.0f} MB"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--rows", type=int, default=1_000_000)
    chosen = parser.parse_args()
    with threadpool_limits(1, user_api="blas"):
        coverage(chosen.runs)
        speed(chosen.rows)
