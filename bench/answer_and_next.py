"""Is "answer and next" as fast in a round of a million samples as in one of ten thousand?

    .venv/bin/python bench/answer_and_next.py [--small 10000] [--large 1000000] [--answers 300]

Makes two SQLite databases, with overlap 2 and one annotator alone who has done a tenth of each
round, and answers samples in both by turns, through the whole request path in this process.
Prints the median and 95th percentile in ms, of wall and of CPU time, the ratio of the medians,
and the queries of one answer.
"""

import argparse
import json
import os
import re
import statistics
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
    "DJANGO_SETTINGS_MODULE": "tests.settings",
}
sys.path.insert(0, str(ROOT))
django.setup()

from django.core.management import call_command  # noqa: E402 - settings name the folder first
from django.db import connection, connections  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from tests import factories as f  # noqa: E402

TEXT = "The council shall keep the library open on Sundays because people who work all week " * 6
ROWS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) "
DONE = "WHERE i <= {rows} / 10"
FILL = (
    "INSERT INTO annotation_sample (id, project_id, external_id, fields, text, meta, content_hash,"
    " origin, split, created_at) SELECT i, {project}, 'row-' || i, json_object('text', i || ' '"
    " || '{text}'), i, '{{}}', i, 'imported', 'pool', '2026-01-01 10:00:00' FROM n",
    "INSERT INTO annotation_suggestion (machine_id, sample_id, value, code, probabilities, source,"
    " confidence, entropy, margin, rationale, created_at) SELECT {machine}, i,"
    """ '{{"label":"yes"}}', 'yes', '{{"yes":0.75,"no":0.25}}', 'logprobs', 0.75, 0.5623, 0.5,"""
    " 'It says so.', '2026-01-01 11:00:00' FROM n",
    "INSERT INTO annotation_rounditem (id, round_id, sample_id, rank, stratum, inclusion)"
    " SELECT i, {round}, i, i - 1, 'uniform', 1.0 FROM n",
    "INSERT INTO annotation_assignment (id, round_id, round_item_id, seat, priority, state,"
    " annotator_id, version, skip_reason, skip_note, closed_at) SELECT 2 * i, {round}, i, 1, i - 1,"
    " CASE WHEN i <= {rows} / 10 THEN 'done' ELSE 'open' END,"
    " CASE WHEN i <= {rows} / 10 THEN {annotator} END, 1, '', '',"
    " CASE WHEN i <= {rows} / 10 THEN '2026-01-02 10:00:00' END FROM n",
    "INSERT INTO annotation_assignment (id, round_id, round_item_id, seat, priority, state,"
    " version, skip_reason, skip_note) SELECT 2 * i + 1, {round}, i, 2, i - 1, 'open', 0, '', ''"
    " FROM n",
    "INSERT INTO annotation_annotation (project_id, sample_id, round_item_id, assignment_id,"
    " annotator_id, codebook_id, value, code, seconds, blind, flag, comment, extra, late,"
    " client_key, created_at) SELECT {project}, i, i, 2 * i, {annotator}, {codebook},"
    """ '{{"label":"no"}}', 'no', 4.2, 1, 0, '', 0, 0, printf('%032x', i), '2026-01-02 10:00:00'"""
    f" FROM n {DONE}",
)


class Annotator:
    """Someone in a round of so many samples, in a database file of its own."""

    def __init__(self, rows):
        self.file = Path(FOLDER.name) / f"{rows}.sqlite3"
        self.use()
        call_command("migrate", verbosity=0)
        project = f.make_project()
        codebook, user = f.make_codebook(project), f.make_annotator(project)
        machine = f.make_machine(project)
        round_ = f.make_round(project, texts=[], annotators=[user], overlap=2, machine=machine)
        ids = {"project": project.pk, "codebook": codebook.pk, "annotator": user.pk}
        ids |= {"machine": machine.pk, "round": round_.pk, "rows": rows, "text": TEXT}
        with connection.cursor() as cursor:
            for statement in FILL:
                head, _, select = statement.partition(" SELECT ")
                cursor.execute(f"{head} {ROWS} SELECT {select}".format(**ids))
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.execute("ANALYZE")
        self.client = Client()
        self.client.force_login(user)
        page = self.client.get(f"/rounds/{round_.pk}/review/").content.decode()
        self.form = self.read(page)
        self.ahead = self.read(page[page.index('<template id="ahead"') :])

    def use(self):
        connections["default"].close()
        connections["default"].settings_dict["NAME"] = str(self.file)

    def read(self, html):
        url = re.search(r'<form id="answer" method="post" action="([^"]+)"', html)[1]
        return url, dict(re.findall(r'name="(client_key|version)" value="([^"]+)"', html)[:2])

    def answer(self):
        """Seconds of wall and of CPU time for one answer with the next sample."""
        url, fields = self.form
        data = {**fields, "slugs": "yes", "seconds": "2.5", "have": self.ahead[1]["client_key"]}
        wall, cpu = time.perf_counter(), time.process_time()
        reply = self.client.post(url, data, headers={"HX-Request": "true"})
        spent = time.perf_counter() - wall, time.process_time() - cpu
        assert reply.status_code == 200, reply.status_code
        self.form, self.ahead = self.ahead, self.read(reply.content.decode())
        return spent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--answers", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    people = {rows: Annotator(rows) for rows in (options.small, options.large)}
    spent = {rows: [] for rows in people}
    for turn in range(options.answers // 25):
        for rows, annotator in people.items():  # by turns: a busy machine is busy for both
            annotator.use()
            annotator.answer()
            measured = [annotator.answer() for _ in range(25)]
            spent[rows] += measured if turn else []  # the first turn warms the caches
    with CaptureQueriesContext(connection) as captured:
        people[options.large].answer()
    marks = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT", "PRAGMA")
    queries = [one["sql"] for one in captured if not one["sql"].startswith(marks)]
    report = {"queries": len(queries)}
    for rows, times in spent.items():
        for kind, values in zip(("wall", "cpu"), zip(*times, strict=True), strict=True):
            ordered = sorted(1000 * value for value in values)
            report[f"{kind}_ms_{rows}"] = round(statistics.median(ordered), 2)
            report[f"{kind}_ms_{rows}_p95"] = round(ordered[int(len(ordered) * 0.95)], 2)
    for kind in ("wall", "cpu"):
        large, small = (report[f"{kind}_ms_{rows}"] for rows in (options.large, options.small))
        report[f"{kind}_ratio"] = round(large / small, 2)
    lines = (f"{name:>24}  {value}" for name, value in report.items())
    print(json.dumps(report) if options.json else "\n".join(lines))


if __name__ == "__main__":
    main()
