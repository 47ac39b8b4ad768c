"""How good is the selection? On recorded answers of real models, with people's gold labels.

    python -m bench.selection_quality FOLDER [--json] [--seeds 3] [--runs 200] [--sets a,b]
        [--strategies uniform,expected_error] [--methods pac,exact,automatic]

Reads every table `<name>.csv.gz` of FOLDER (format: `bench/recorded.py`). First the accuracy of the
released set against the share that people labelled (0 to 50 %), its area with a 95 % interval over
seeds and how much of the gap between a random and an all-knowing choice it closes; then the labels
needed to certify 5 and 10 % of errors with 95 % confidence and how often that promise was broken.
A quick look: `--seeds 1 --runs 20 --strategies expected_error --methods exact,automatic`.
`--seeds 0` leaves the curves out, `--runs 0` the certificates.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from scipy import stats

from bench import certificates, curves, recorded
from synthlab.science.features import text_features
from synthlab.science.learning.evidence import gather

SHARES = (0.05, 0.10)  # of errors, to certify


def prepare(paths):
    """The sets one by one; texts that several sets share are turned into features once."""
    features = {}
    for path in paths:
        found = recorded.read(path)
        if found.texts is not None:
            texts = tuple(found.texts)
            if texts not in features:
                features = {texts: text_features(found.texts).astype(float)}
            found = found.with_features(features[texts])
        evidence = gather(found.clues, np.random.default_rng(0))
        pool = curves.pool_of(found, evidence)
        yield curves.Prepared(found, evidence, pool)


def interval(values):
    """95 % of the mean (Student's t); None for a single value."""
    if len(values) < 2:
        return None
    mean, error = float(np.mean(values)), float(stats.sem(values))
    if error == 0:
        return [mean, mean]
    return [float(end) for end in stats.t.interval(0.95, len(values) - 1, mean, error)]


def quality_of_curves(prepared, strategies, seeds):
    low, high = (curves.area(bound) for bound in curves.bounds(prepared))
    answer = {"random_expected": {"area": low}, "oracle": {"area": high}}
    for name in curves.offered(prepared):
        if strategies and name not in strategies:
            continue
        began = time.monotonic()
        runs = np.array([curves.curve(prepared, name, seed) for seed in range(seeds)])
        areas = [curves.area(run) for run in runs]
        area = float(np.mean(areas))
        answer[name] = {
            "area": area,
            "interval": interval(areas),
            "gap_closed": 100 * (area - low) / (high - low) if high > low else None,
            "accuracy": [round(float(a), 5) for a in runs.mean(axis=0)],
            "seconds": round(time.monotonic() - began, 1),
        }
    return answer


def quality_of_certificates(prepared, methods, runs):
    answer = {}
    for eps in SHARES:
        found = {"oracle": {"labels": 100 * certificates.oracle(prepared, eps)}}
        for name, method in certificates.METHODS.items():
            if methods and name not in methods:
                continue
            outcomes = list(method(prepared, eps, runs, 1))
            shares = [100 * share for share, _ in outcomes]
            broken = sum(is_broken for _, is_broken in outcomes)
            found[name] = {
                "labels": float(np.mean(shares)),
                "spread": float(np.std(shares)),
                "broken": broken / len(outcomes),
                "broken_too_often": bool(broken / len(outcomes) > most_broken(len(outcomes))),
                "runs": len(outcomes),
            }
        answer[f"{eps:.2f}"] = found
    return answer


def most_broken(runs):
    """Five per cent and two standard errors of so many runs."""
    return certificates.ALPHA + 2 * np.sqrt(certificates.ALPHA * (1 - certificates.ALPHA) / runs)


def summary(sets):
    """Over all sets: the median gap closed, the worst against least confidence, mean labels."""
    closed, behind, labels, worse = {}, {}, {}, {}
    for found in sets.values():
        areas = found.get("curves", {})
        for name, one in areas.items():
            if one.get("gap_closed") is not None:
                closed.setdefault(name, []).append(one["gap_closed"])
            if name in curves.LEARNING and "least_confidence" in areas:
                lead = one["area"] - areas["least_confidence"]["area"]
                behind.setdefault(name, []).append(lead)
        for eps, methods in found.get("certificates", {}).items():
            for name, one in methods.items():
                labels.setdefault(eps, {}).setdefault(name, []).append(one["labels"])
            if {"exact", "automatic"} <= methods.keys():
                lead = methods["automatic"]["labels"] - methods["exact"]["labels"]
                worse.setdefault(eps, []).append(lead)
    return {
        "median_gap_closed": {name: float(np.median(v)) for name, v in closed.items()},
        "least_lead_over_least_confidence": {name: min(v) for name, v in behind.items()},
        "mean_labels": {
            eps: {name: float(np.mean(v)) for name, v in by.items()} for eps, by in labels.items()
        },
        "most_labels_above_exact": {eps: max(v) for eps, v in worse.items()},
    }


def as_text(name, found):
    print(f"\n{name}: {found['size']:,} samples, the model is right on {found['accuracy']:.1%}")
    for strategy, one in found.get("curves", {}).items():
        ends = one.get("interval")
        within = f" ({ends[0]:.1f} to {ends[1]:.1f})" if ends else ""
        gap = one.get("gap_closed")
        closed = "" if gap is None else f", gap closed {gap:.0f} %"
        print(f"  {strategy:22} area {one['area']:.1f}{within}{closed}")
    for eps, methods in found.get("certificates", {}).items():
        for method, one in methods.items():
            broken = f", broken in {one['broken']:.1%} of {one['runs']}" if "runs" in one else ""
            print(f"  at most {float(eps):.0%} wrong, {method:10} {one['labels']:.1f} %{broken}")


def main(options):
    paths = sorted(Path(options.folder).glob("*.csv.gz"))
    wanted = set(options.sets.split(",")) if options.sets else None
    paths = [p for p in paths if not wanted or p.name.removesuffix(".csv.gz") in wanted]
    if not paths:
        sys.exit(f"There is no table to read in {options.folder}.")
    strategies = options.strategies.split(",") if options.strategies else None
    methods = options.methods.split(",") if options.methods else None
    sets = {}
    for prepared in prepare(paths):
        name = prepared.recorded.name
        accuracy = float(1 - prepared.wrong.mean())
        sets[name] = {"size": prepared.recorded.size, "accuracy": accuracy}
        if options.seeds:
            sets[name]["curves"] = quality_of_curves(prepared, strategies, options.seeds)
        if options.runs:
            sets[name]["certificates"] = quality_of_certificates(prepared, methods, options.runs)
        if not options.json:
            as_text(name, sets[name])
        print(f"{name} done", file=sys.stderr, flush=True)
    result = {"sets": sets, "summary": summary(sets)}
    print(json.dumps(result if options.json else result["summary"], indent=1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder")
    parser.add_argument("--json", action="store_true", help="everything as one JSON object")
    parser.add_argument("--seeds", type=int, default=3, help="of each curve")
    parser.add_argument("--runs", type=int, default=200, help="of each certificate")
    parser.add_argument("--sets", help="names, separated by commas")
    parser.add_argument("--strategies", help="names, separated by commas")
    parser.add_argument("--methods", help="pac, exact, automatic")
    main(parser.parse_args())
