"""How much faster is vote-k than the procedure it was published with, and does it pick the same?

    .venv/bin/python bench/vote_k.py [--large 100000] [--million]

The published procedure, written anew here: for every sample all likenesses by scikit-learn's
`cosine_similarity` and a full sort of them, and for every pick all scores from scratch in Python.
It links some samples only and makes, at 10,000, a few picks: each costs the same, so that
the time of all is extrapolated, and the line says so. Its picks are compared on the same graph,
sorted in blocks and not timed. Each measurement has a process of its own, whose peak memory is
printed. Ratios are of processor time, all cores together, so that other work on a busy machine
does not count; seconds on the clock stand beside them. The vectors are random, in groups; ties
cannot decide.
"""

import argparse
import math
import multiprocessing
import os
import resource
import sys
import time
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # a second thread waits more than it works on a busy core
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from sklearn.metrics.pairwise import cosine_similarity

from synthlab.science.nearby import graph
from synthlab.science.neighbours import nearest
from synthlab.science.selection.vote_k import Ballot, greedy

NEIGHBOURS, DISCOUNT, PICKS = 150, 10.0, 100
LINKED = 100  # samples that the published procedure links where it does not link all


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", type=int, default=100_000, help="samples of the larger lines")
    parser.add_argument("--million", action="store_true", help="1,000,000 samples too")
    parser.add_argument("--only-million", action="store_true", help="nothing but these")
    options = parser.parse_args()
    if not options.only_million:
        for size, picks in ((1000, PICKS), (3000, PICKS), (10_000, 5)):
            compare(size, 384, picks)
        overlap(30_000, 64)
        for dimensions in (64, 384):
            show(options.large, dimensions)
    if options.million or options.only_million:
        show(1_000_000, 64)


def compare(size, dimensions, picks):
    quick, memory = alone(fast, size, dimensions)
    slow, slow_memory = alone(published, size, dimensions, picks)
    seconds = slow["linking"] + slow["picking"] * PICKS / picks
    same = quick["picks"][:picks] == slow["picks"]
    print(
        f"{size:,} x {dimensions}: {PICKS} picks in {quick['seconds']:.2f} s (clock "
        f"{quick['clock']:.2f} s), published procedure {seconds:.1f} s (extrapolated from "
        f"{LINKED} samples linked and {picks} picks), {seconds / quick['seconds']:.0f} times "
        f"faster, {'the same picks' if same else 'OTHER PICKS'} ({picks} of {picks} compared); "
        f"peak memory {memory:.0f} against {slow_memory:.0f} MB",
        flush=True,
    )
    if not same:
        sys.exit(f"At {size} samples: {quick['picks'][:picks]} against {slow['picks']}.")


def overlap(size, dimensions):
    """How much of the exact picks an approximate graph gives, where both can be had."""
    answer, _ = alone(both, size, dimensions)
    print(
        f"{size:,} x {dimensions}: an approximate graph of recall {answer['recall']:.3f} gives "
        f"{answer['shared']} of the {PICKS} picks of the exact one; their neighbours reach "
        f"{answer['reached']:.3f} of what those of the exact picks reach",
        flush=True,
    )


def show(size, dimensions):
    quick, memory = alone(fast, size, dimensions)
    how = "all pairs compared" if quick["recall"] is None else f"recall {quick['recall']:.3f}"
    print(
        f"{size:,} x {dimensions}: {PICKS} picks in {quick['clock']:.1f} s ({quick['seconds']:.1f}"
        f" s of processor time, {quick['linking']:.1f} s of them for the graph, {how}); "
        f"peak memory {memory:.0f} MB",
        flush=True,
    )


def alone(run, *arguments):
    """The answer of `run` from a process of its own, and that process's peak memory in MB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (run, *arguments))


def _measured(run, size, dimensions, *more):
    answer = run(vectors(size, dimensions), *more)
    return answer, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def vectors(size, dimensions):
    """Forty groups; float32, as features are stored."""
    rng = np.random.default_rng(7)
    groups = rng.normal(size=(40, dimensions)).astype(np.float32)
    rows = 1.5 * rng.standard_normal(size=(size, dimensions), dtype=np.float32)
    group = rng.integers(0, 40, size=size)
    for start in range(0, size, 10_000):
        rows[start : start + 10_000] += groups[group[start : start + 10_000]]
    return rows


def fast(features):
    clock, began = time.perf_counter(), time.process_time()
    linked = graph(features, NEIGHBOURS, np.arange(len(features)), np.random.default_rng(0))
    linking = time.process_time() - began
    rows, _ = greedy(Ballot(linked.neighbours, DISCOUNT), PICKS)
    return {
        "linking": linking,
        "seconds": time.process_time() - began,
        "clock": time.perf_counter() - clock,
        "picks": rows,
        "recall": linked.recall,
    }


def both(features):
    order, rng = np.arange(len(features)), np.random.default_rng(0)
    every = nearest(features, NEIGHBOURS)
    most = graph(features, NEIGHBOURS, order, rng, exact=0)
    picks = [greedy(Ballot(votes, DISCOUNT), PICKS)[0] for votes in (every, most.neighbours)]
    exact, approximate = (np.isin(every, rows).any(axis=1).sum() for rows in picks)
    shared = len(set(picks[0]) & set(picks[1]))
    return {"recall": most.recall, "shared": shared, "reached": approximate / exact}


def published(features, picks):
    began = time.process_time()
    for row in range(LINKED):
        likeness = cosine_similarity(features, features[row : row + 1])[:, 0]
        np.argsort(likeness).tolist()[-NEIGHBOURS - 1 : -1]
    linking = (time.process_time() - began) / LINKED * len(features)
    voters = _voters(features.astype(float))
    began = time.process_time()
    picked = _picked(voters, picks)
    return {"linking": linking, "picking": time.process_time() - began, "picks": picked}


def _voters(features):
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    voters = {row: [] for row in range(len(unit))}
    for start in range(0, len(unit), 100):
        by_likeness = np.argsort(unit[start : start + 100] @ unit.T, axis=1)[:, ::-1]
        for row, others in enumerate(by_likeness[:, : NEIGHBOURS + 1].tolist(), start):
            for other in [other for other in others if other != row][:NEIGHBOURS]:
                voters[other].append(row)
    return voters


def _picked(voters, picks):
    taken_for, taken = dict.fromkeys(voters, 0), {}
    in_order = sorted(voters, key=lambda row: (-len(voters[row]), row))
    while len(taken) < picks:
        best = max(  # the first of equals
            (row for row in in_order if row not in taken),
            key=lambda row: math.fsum(
                DISCOUNT ** -taken_for[voter] for voter in voters[row] if voter not in taken
            ),
        )
        taken[best] = True
        for voter in voters[best]:
            taken_for[voter] += 1
    return list(taken)


if __name__ == "__main__":
    main()
