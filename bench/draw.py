"""From a million stored suggestions to a round that is open: how long, against reading them once?

    .venv/bin/python bench/draw.py [--rows 1000000] [--budgets 1000 10000] [--profile]

Makes samples and one machine's suggestions in a SQLite database of its own, reads the columns of a
frame plainly (one SELECT, rows thrown away), then draws rounds by max-entropy with an audit part
of 1 % of the budget. Prints seconds on the clock, those of the processor, and the ratio to the
plain read in the same run. A draw rests as long as each chunk of its rows took to write, so that
answers are never kept waiting: the clock counts that too.
"""

import argparse
import cProfile
import os
import pstats
import sys
import tempfile
import time
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parent.parent
FOLDER = tempfile.TemporaryDirectory(prefix="synthlab-bench-")
os.environ |= {
    "SYNTHLAB_DATA_DIR": FOLDER.name,
    "SYNTHLAB_DATABASE_URL": "",
    "DJANGO_SETTINGS_MODULE": "synthlab.settings",
}
sys.path.insert(0, str(ROOT))
django.setup()

from django.core.management import call_command  # noqa: E402 - settings name the folder first
from django.db import connection, transaction  # noqa: E402

from annotation.actions.draws import Design, draw_round  # noqa: E402
from annotation.models import Round  # noqa: E402
from tests import factories as f  # noqa: E402

MOST_SECONDS = 20
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) "
SAMPLES = (
    "INSERT INTO annotation_sample (id, project_id, external_id, fields, text, meta, content_hash,"
    " origin, split, reference, reference_code, created_at) SELECT i, {project}, 'row-' || i,"
    """ json_object('text', 'text ' || i), 'text ' || i || ' {text}', '{{}}', i,"""
    " 'imported', 'pool', NULL, NULL, '2026-01-01 10:00:00' FROM n"
)
# Confidences that look random and repeat: i times a large number, in steps of a thousandth.
SUGGESTIONS = (
    "INSERT INTO annotation_suggestion (machine_id, sample_id, value, code, probabilities, source,"
    " covered_mass, confidence, entropy, margin, rationale, created_at) SELECT {machine}, i,"
    """ '{{"label":"yes"}}', 'yes', '{{"yes":0.75,"no":0.25}}', 'logprobs', 1.0,"""
    " 0.5 + (i * 7919 % 500) / 1000.0, (500 - i * 7919 % 500) / 722.0, (i * 7919 % 500) / 500.0,"
    " '', '2026-01-01 11:00:00' FROM n"
)
PLAIN = (
    "SELECT sample_id, confidence, entropy, margin FROM annotation_suggestion"
    " WHERE machine_id = %s ORDER BY sample_id"
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--budgets", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    project, codebook, machine = fill(options.rows)
    once = timed(lambda: read_plainly(machine))
    print(f"{options.rows:,} suggestions read plainly in {once[0]:.1f} s ({once[1]:.1f} s at work)")
    for budget in options.budgets:
        design = Design(
            codebook=codebook,
            strategy="max_entropy",
            budget=str(budget),
            audit=str(budget // 100),
            seed=7,
            machine=machine,
            annotators=(f.make_annotator(project),),
        )
        profile = cProfile.Profile() if options.profile else None
        clock, work = timed(lambda: drawn(project, design, profile))  # noqa: B023
        print(
            f"max-entropy, {budget:,} + {budget // 100:,} audit, to opened round: {clock:.1f} s "
            f"({work:.1f} s at work), {clock / once[0]:.1f} plain reads; at most "
            f"{MOST_SECONDS} s wanted",
            flush=True,
        )
        if profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(20)


def fill(rows):
    project = f.make_project(name="bench")
    codebook = f.make_codebook(project)
    machine = f.make_machine(project, codebook)
    ids = {"project": project.pk, "machine": machine.pk, "text": "and more of it " * 10}
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in (SAMPLES, SUGGESTIONS):
            cursor.execute(NUMBERS.format(rows=rows) + statement.format(**ids))
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return project, codebook, machine


def read_plainly(machine):
    with connection.cursor() as cursor:
        cursor.execute(PLAIN, [machine.pk])
        while cursor.fetchmany(10_000):
            pass


def drawn(project, design, profile):
    draw = profile.runcall if profile else lambda function, *arguments: function(*arguments)
    round_ = draw(draw_round, project, design)
    if round_.state != Round.State.OPEN:
        sys.exit(f"The round is {round_.state}.")


def timed(function):
    clock, work = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - clock, time.process_time() - work


if __name__ == "__main__":
    main()
