"""Importing rows while somebody else writes: rows a second, peak memory, how long the other waits.

    python -m bench.import_rows [--rows 100000] [--characters 500] [--profile]

An install of its own on SQLite with synchronous=FULL. The other writer is a process of its own
that commits one small row every 10 ms, as an annotator's answer does, and takes the time of each.
Printed beside its waits is what the same writer sees while nothing is imported.
"""

import argparse
import cProfile
import json
import os
import pstats
import random
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

WORDS = ("the", "of", "and", "to", "in", "is", "was", "for", "on", "with", "from", "that", "which")
EVERY = 0.01  # seconds between two commits of the other writer


def other_writer():
    """Until standard input closes: commit, wait, and at the end print what each commit took."""
    cache = User.objects.create_user("writer")
    waits, stop = [], os.fdopen(sys.stdin.fileno(), "rb", buffering=0)
    os.set_blocking(stop.fileno(), False)
    print("ready", flush=True)
    while stop.read(1) is None:
        began = time.monotonic()
        with transaction.atomic():
            User.objects.filter(pk=cache.pk).update(first_name=str(began))
        waits.append(1000 * (time.monotonic() - began))
        time.sleep(EVERY)
    print(json.dumps(sorted(waits)))


@contextmanager
def beside():
    """The other writer at work; yields a list that holds its waits afterwards."""
    command = [sys.executable, "-m", "bench.import_rows", "--writer"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    child.stdout.readline()
    waits = []
    try:
        yield waits
    finally:
        child.stdin.close()
        waits += json.loads(child.stdout.read())
        child.wait()
        User.objects.filter(username="writer").delete()


def write_file(rows, characters):
    path = Path(tempfile.mkdtemp(prefix="synthlab-bench-")) / "rows.csv"
    draw = random.Random(1)
    with path.open("w") as file:
        file.write("id,text,label,source\n")
        for number in range(rows):
            text = f"{number} " + " ".join(draw.choices(WORDS, k=characters // 3))
            file.write(f'r{number},"{text[:characters]}",{draw.choice(("Yes", "no"))},bench\n')
    return path


def imported(path):
    """The finished import, and the seconds that each part of it took."""
    project = factories.make_project()
    factories.make_codebook(project)
    clock = [time.monotonic()]
    with path.open("rb") as file:
        found = imports.receive(project, path.name, iter(lambda: file.read(1 << 16), b""))
    clock.append(time.monotonic())
    imports.choose(found, mapping_from(found.mapping))
    imports_work.work_until_rest(found)
    clock.append(time.monotonic())
    imports.decide(found, keep_duplicates=False, without_unknown=False)
    imports_work.work_until_rest(found)
    clock.append(time.monotonic())
    return found, [after - before for before, after in pairwise(clock)]


def said(name, waits):
    if waits:
        p95 = waits[int(0.95 * (len(waits) - 1))]
        print(f"{name}: {len(waits)} commits, p95 {p95:.1f} ms, longest {waits[-1]:.1f} ms")


def peak(who):
    return resource.getrusage(who).ru_maxrss / 1024


def main(options):
    call_command("migrate", verbosity=0)
    path = write_file(options.rows, options.characters)
    with beside() as alone:
        time.sleep(3)
    profile = cProfile.Profile()
    with beside() as waits:
        before = os.times()
        if options.profile:
            profile.enable()
        found, seconds = imported(path)
        profile.disable()
        after = os.times()
    look, read, write = seconds
    print(f"{found.state}: {found.rows_written:,} of {options.rows:,} rows")
    print(f"look {look:.1f} s, read and check {read:.1f} s, write {write:.1f} s")
    rate = options.rows / sum(seconds)
    print(f"{rate:,.0f} rows/s in all (goal 10,000), {options.rows / write:,.0f} while writing")
    cpu = [now - then for now, then in zip(after[:4], before[:4], strict=True)]
    print(f"CPU {sum(cpu[:2]):.1f} s, of the reader {sum(cpu[2:]):.1f} s")
    ours, child = peak(resource.RUSAGE_SELF), peak(resource.RUSAGE_CHILDREN)
    print(f"peak memory {ours:.0f} MB, of the reader {child:.0f} MB (goal < 400 MB)")
    said("other writer, nothing imported", alone)
    said("other writer meanwhile (goal < 100 ms)", waits)
    if options.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--characters", type=int, default=500)
    parser.add_argument("--profile", action="store_true", help="where the time goes")
    parser.add_argument("--writer", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    os.environ.setdefault("SYNTHLAB_DATA_DIR", tempfile.mkdtemp(prefix="synthlab-bench-"))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "synthlab.settings")
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import transaction

    from annotation.actions import imports, imports_work
    from annotation.imports.mapping import mapping_from
    from annotation.models import User
    from tests import factories

    other_writer() if given.writer else main(given)
