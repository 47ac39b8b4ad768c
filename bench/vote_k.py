"""How much faster is vote-k than the procedure it was published with, and does it pick the same?

    .venv/bin/python bench/vote_k.py [--large 100000]

The published procedure, written anew here: for every sample a full sort of all likenesses, and for
every pick all scores from scratch in Python. At 10,000 samples it makes a few picks only; a pick
costs the same every time, so that the time of all is extrapolated, and the line says so. Each
measurement has a process of its own, on one core, whose peak memory is printed. Seconds are the
processor's: other work on a busy machine does not count. The vectors are random, in groups; ties
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

from synthlab.science.neighbours import nearest
from synthlab.science.selection.vote_k import Ballot, greedy

NEIGHBOURS, DISCOUNT, PICKS = 150, 10.0, 100


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", type=int, default=100_000, help="samples of the last line")
    options = parser.parse_args()
    for size, picks in ((3000, PICKS), (10_000, 5)):
        compare(size, 384, picks)
    seconds, _, memory = alone(fast, options.large, 64, PICKS)
    print(
        f"{options.large:,} x 64: {PICKS} picks in {sum(seconds):.1f} s ({seconds[0]:.1f} s of them"
        f" for the neighbours); peak memory {memory:.0f} MB"
    )


def compare(size, dimensions, picks):
    quick, picked, memory = alone(fast, size, dimensions, PICKS)
    slow, expected, slow_memory = alone(published, size, dimensions, picks)
    all_picks = slow[0] + slow[1] * PICKS / picks
    how = "measured" if picks == PICKS else f"extrapolated from {picks} picks"
    same = "the same picks" if picked[:picks] == expected else "OTHER PICKS"
    print(
        f"{size:,} x {dimensions}: {PICKS} picks in {sum(quick):.2f} s, published procedure "
        f"{all_picks:.1f} s ({how}), {all_picks / sum(quick):.0f} times faster, {same} "
        f"({picks} of {picks} compared); peak memory {memory:.0f} against {slow_memory:.0f} MB",
        flush=True,
    )
    if picked[:picks] != expected:
        sys.exit(f"At {size} samples the picks differ: {picked[:picks]} against {expected}.")


def alone(run, *arguments):
    """The answer of `run` from a process of its own, and that process's peak memory in MB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (run, *arguments))


def _measured(run, size, dimensions, picks):
    seconds, picked = run(vectors(size, dimensions), picks)
    return seconds, picked, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def vectors(size, dimensions):
    rng = np.random.default_rng(7)
    groups = rng.normal(size=(40, dimensions))
    return groups[rng.integers(0, 40, size=size)] + 1.5 * rng.normal(size=(size, dimensions))


def fast(features, picks):
    began = time.process_time()
    graph = nearest(features, NEIGHBOURS)
    linked = time.process_time()
    rows, _ = greedy(Ballot(graph, DISCOUNT), picks)
    return (linked - began, time.process_time() - linked), rows


def published(features, picks):
    began = time.process_time()
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    voters = {row: [] for row in range(len(unit))}
    for row in range(len(unit)):
        by_likeness = np.argsort(unit @ unit[row])[::-1].tolist()
        for other in [other for other in by_likeness if other != row][:NEIGHBOURS]:
            voters[other].append(row)
    linked = time.process_time()
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
    return (linked - began, time.process_time() - linked), list(taken)


if __name__ == "__main__":
    main()
