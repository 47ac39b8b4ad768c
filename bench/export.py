"""How fast, and in how much memory, is a large project exported while people label?

    .venv/bin/python bench/export.py [--rows 1000000] [--format jsonl csv parquet dataset xlsx]

Makes annotated samples in a SQLite database of its own, exports them in a child process, and
meanwhile saves answers through another connection. Prints seconds, rows a second, the child's
peak memory, and the longest that saving an answer took, beside the same without an export. Seconds
at work are the processor's: on a busy machine they say more than those on the clock.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
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

from annotation.models import Annotation, Round  # noqa: E402
from tests import factories as f  # noqa: E402

WORDS = "The council shall keep the library open on Sundays because people who work all week "
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) "
FILL = (
    "INSERT INTO annotation_sample (id, project_id, external_id, fields, text, meta, content_hash,"
    " origin, split, reference, reference_code, created_at) SELECT i, {project}, 'row-' || i,"
    """ json_object('text', i || ' {text}'), i || ' {text}', '{{"source":"bench"}}', i,"""
    """ 'imported', 'pool', '{{"label":"yes"}}', 'yes', '2026-01-01 10:00:00' FROM n""",
    "INSERT INTO annotation_suggestion (machine_id, sample_id, value, code, probabilities, source,"
    " covered_mass, confidence, entropy, margin, rationale, created_at) SELECT {machine}, i,"
    """ '{{"label":"yes"}}', 'yes', '{{"yes":0.75,"no":0.25}}', 'logprobs', 1.0, 0.75, 0.5623,"""
    " 0.5, '', '2026-01-01 11:00:00' FROM n",
    "INSERT INTO annotation_rounditem (id, round_id, sample_id, rank, score, stratum, inclusion)"
    " SELECT i, {round}, i, i, NULL, 'uniform', 1.0 FROM n",
    "INSERT INTO annotation_annotation (project_id, sample_id, round_item_id, annotator_id,"
    " codebook_id, value, code, seconds, blind, flag, comment, extra, late, client_key, created_at)"
    """ SELECT {project}, i, i, {annotator}, {codebook}, '{{"label":"no"}}', 'no', 4.2, 1, 0, '',"""
    " 0, 0, printf('%032x', i), '2026-01-02 10:00:00' FROM n",
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--format", nargs="+", default=["jsonl", "csv", "parquet", "dataset"])
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    started = time.monotonic()
    ids = fill(options.rows)
    print(f"{options.rows:,} annotated samples made in {time.monotonic() - started:.0f} s")
    alone = Saving(ids)
    time.sleep(5)
    print(f"longest wait to save an answer, nothing else running: {alone.stop() * 1000:.0f} ms")
    for format_ in options.format:
        measure(format_, options.rows, ids)


def fill(rows):
    project = f.make_project(name="bench")
    codebook = f.make_codebook(project)
    round_ = Round.objects.create(
        project=project, name="all", codebook=codebook, strategy="uniform", seed=1, state="open"
    )
    ids = {
        "project": project.pk,
        "codebook": codebook.pk,
        "annotator": f.make_annotator(project).pk,
        "second": f.make_annotator(project).pk,
        "machine": f.make_machine(project).pk,
        "round": round_.pk,
        "text": (WORDS * 6)[:490],
    }
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in FILL:
            cursor.execute(NUMBERS.format(rows=rows) + statement.format(**ids))
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return ids


class Saving:
    """Saves an answer every 20 ms, as annotators do, until it is stopped."""

    answers = 0  # over all of them: each sample is answered once by the second annotator

    def __init__(self, ids):
        self.ids, self.longest, self.stopped = ids, 0.0, threading.Event()
        self.thread = threading.Thread(target=self._save_all, daemon=True)
        self.thread.start()

    def _save_all(self):
        while not self.stopped.wait(0.02):
            Saving.answers += 1
            began = time.perf_counter()
            Annotation.objects.create(
                project_id=self.ids["project"],
                sample_id=Saving.answers,
                round_item_id=Saving.answers,
                annotator_id=self.ids["second"],
                codebook_id=self.ids["codebook"],
                value={"label": "no"},
                code="no",
                blind=True,
                client_key=uuid.uuid4(),
            )
            self.longest = max(self.longest, time.perf_counter() - began)
        connection.close()

    def stop(self):
        self.stopped.set()
        self.thread.join()
        return self.longest


def measure(format_, rows, ids):
    target = Path(FOLDER.name) / f"bench-{format_}"
    command = [sys.executable, "manage.py", "export", str(ids["project"]), "--json"]
    command += ["--format", format_, "--out", str(target)]
    saving, began = Saving(ids), time.perf_counter()
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    answer = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds, waited = time.perf_counter() - began, saving.stop()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{format_}: the export failed: {answer.decode()}")
    made, at_work = json.loads(answer), usage.ru_utime + usage.ru_stime
    print(
        f"{format_}: {made['rows']:,} rows in {seconds:.1f} s ({at_work:.1f} s of them at work), "
        f"{rows / seconds:,.0f} rows/s, "
        f"{made['bytes'] / 1e6:,.0f} MB; peak memory {usage.ru_maxrss / 1024:.0f} MB; "
        f"longest wait to save an answer {waited * 1000:.0f} ms",
        flush=True,
    )


if __name__ == "__main__":
    main()
