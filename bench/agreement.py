"""Agreement with resampled intervals on a million labels, in seconds and as a ratio.

    python -m bench.agreement [--samples 1000000] [--profile]

Two annotators, with and without unequal chances (every weight different: the worst case for
resampling), for every measure that a page shows, and three annotators of whom many are missing.
The ratio is to the time of reading the same codes once with numpy's bincount.
"""

import argparse
import cProfile
import pstats
import time

import numpy as np

from synthlab.science.agreement import MISSING, agreement
from synthlab.science.bootstrap import Bootstrap
from synthlab.science.confusion import compare
from synthlab.science.estimation import Design
from synthlab.science.measures import (
    CohenKappa,
    FleissKappa,
    GwetAC1,
    KrippendorffAlpha,
    PercentAgreement,
)

RESAMPLING = Bootstrap(replicates=200)  # as the page takes for so many samples
MEASURES = (PercentAgreement(), CohenKappa(), KrippendorffAlpha(), GwetAC1())
MOST_SECONDS = 10


def two_annotators(rng, n, labels=5):
    first = rng.integers(0, labels, n)
    other = np.where(rng.random(n) < 0.85, first, rng.integers(0, labels, n))
    return np.stack([first, other], axis=1)


def with_gaps(rng, n):
    codes = two_annotators(rng, n)
    third = np.where(rng.random(n) < 0.8, codes[:, 0], rng.integers(0, 5, n))
    codes = np.concatenate([codes, third[:, None]], axis=1)
    return np.where(rng.random(codes.shape) < 0.2, MISSING, codes)


def cases(n, rng):
    """Names, and what is to be timed."""
    pair, gaps = two_annotators(rng, n), with_gaps(rng, n)
    even = Design(np.full(n, 0.1), 10 * n)
    uneven = Design(rng.uniform(0.05, 0.5, n))
    twice = Design(np.full(n, 0.1), 10 * n, clusters=np.arange(n) // 2)
    for name, design in (("drawn evenly", even), ("all weights different", uneven),
                         ("every text twice", twice)):  # fmt: skip
        for measure in MEASURES:
            yield f"{measure.name}, {name}", measure, pair, design
    for measure in (KrippendorffAlpha(), GwetAC1()):
        yield f"{measure.name}, three annotators with gaps", measure, gaps, even
    yield "fleiss, drawn evenly", FleissKappa(), pair, even


def timed(function):
    start = time.process_time()  # of one core, whatever else the machine does
    function()
    return time.process_time() - start


def measure_all(n):
    rng = np.random.default_rng(1)
    pair = two_annotators(rng, n)
    once = timed(lambda: np.bincount(pair[:, 0] * 5 + pair[:, 1]))
    print(f"{n:,} samples; counting the cells once takes {1000 * once:.0f} ms")
    slowest = 0.0
    for name, measure, codes, design in cases(n, rng):
        seconds = timed(lambda: agreement(measure, codes, 5, design, RESAMPLING))  # noqa: B023
        slowest = max(slowest, seconds)
        print(f"{name:<45}{seconds:>8.2f} s{seconds / once:>10.0f} x", flush=True)
    uneven = Design(rng.uniform(0.05, 0.5, n))
    seconds = timed(lambda: compare(pair[:, 0], pair[:, 1], 5, uneven, RESAMPLING))
    print(f"{'label by label, all weights different':<45}{seconds:>8.2f} s")
    slowest = max(slowest, seconds)
    print(f"slowest {slowest:.2f} s, at most {MOST_SECONDS} s wanted")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    if not options.profile:
        measure_all(options.samples)
        return
    profile = cProfile.Profile()
    profile.runcall(measure_all, options.samples)
    pstats.Stats(profile).sort_stats("cumulative").print_stats(25)


if __name__ == "__main__":
    main()
