"""An import that is killed anywhere leaves nothing to be seen, and is finished by the next worker.

Each property has a twin with the safeguard switched off, which must break it.
"""

import json
import os
import signal
import subprocess
import time

import pytest

from tests.faults import stack

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
ROWS = 1300  # three chunks
SETTINGS = {"SYNTHLAB_WORK_LEASE_SECONDS": "1"}
ON_SQLITE = pytest.mark.parametrize("install", ["sqlite"], indirect=True)

# Duplicates are kept, so that nothing but its position keeps a writer from writing a row twice.
BEGIN = f"""
from annotation.actions import imports, imports_work
from annotation.imports.mapping import Mapping
from tests import factories
project = factories.make_project()
content = "text\\n" + "".join(f"text {{n}}\\n" for n in range({ROWS}))
found = imports.receive(project, "rows.csv", [content.encode()])
imports.choose(found, Mapping(text=("text",)))
if WRITING:
    imports_work.work_until_rest(found)
    imports.decide(found, keep_duplicates=True, without_unknown=False)
"""
WORK = "from annotation.actions import imports_work; imports_work.work_on_due()"
STATE = """
import json
from annotation.models import Sample, SampleImport
found = SampleImport.objects.latest("pk")
mine = Sample.objects.filter(project=found.project)
print(json.dumps([found.state, mine.visible().count(), mine.count(), found.rows_written]))
"""
FINISH = """
from annotation.actions import imports, imports_work
from annotation.models import SampleImport
found = SampleImport.objects.latest("pk")
imports_work.work_until_rest(found)
if found.state == "staged":
    imports.decide(found, keep_duplicates=True, without_unknown=False)
    imports_work.work_until_rest(found)
"""


def shell(script, env):
    return stack.manage("shell", "-v0", "-c", script, env=env, check=False)


def state(env, script=""):
    """State, rows that can be seen, rows, rows written, as the database has them."""
    done = shell(script + STATE, env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def begun(install, writing=True, **more):
    env = {**install, **SETTINGS, **more}
    done = shell(f"WRITING = {writing}\n{BEGIN}", env)
    assert done.returncode == 0, done.stderr
    return env


def killed(env, where):
    done = shell(WORK, {**env, "SYNTHLAB_FAIL": f"{where}:kill"})
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize(
    "where", ["import.staged", "import.open@2", "import.chunk@2", "import.written"]
)
def test_an_import_that_is_killed_is_not_seen_and_is_finished_by_the_next_worker(install, where):
    env = begun(install, writing=where != "import.staged")
    killed(env, where)
    assert state(env)[1] == 0
    assert state(env, FINISH) == ["done", ROWS, ROWS, ROWS]


@ON_SQLITE
def test_the_twin_without_hiding_shows_half_an_import(install):
    env = begun(install, SYNTHLAB_MUTATE="import_in_sight")
    killed(env, "import.chunk@2")
    assert state(env)[1] > 0


@ON_SQLITE
def test_the_twin_without_a_position_writes_rows_twice(install):
    env = begun(install, SYNTHLAB_MUTATE="position_apart")
    killed(env, "import.chunk@2")
    assert state(env, FINISH)[2] > ROWS


def overtaken(install, **more):
    """A writer sleeps through its lease; another one finishes; then the sleeper wakes."""
    env = begun(install, **more)
    asleep = stack.manage_in_background(
        *("shell", "-v0", "-c", WORK),
        env={**env, "SYNTHLAB_FAIL": "import.chunk:stop"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 60
        while state(env)[2] == 0:
            assert time.monotonic() < until
        finished = state(env, FINISH)
        os.kill(asleep.pid, signal.SIGCONT)
        asleep.wait(60)
    finally:
        asleep.kill()
        asleep.wait()
    return finished, state(env)


def test_a_writer_that_slept_through_its_lease_writes_nothing(install):
    finished, after = overtaken(install)
    assert finished == after == ["done", ROWS, ROWS, ROWS]


@ON_SQLITE
def test_the_twin_without_a_fence_writes_rows_twice(install):
    _finished, after = overtaken(install, SYNTHLAB_MUTATE="no_import_fence")
    assert after[2] > ROWS


HOSTILE = r"""
import json
from annotation.actions import imports, imports_work
from annotation.imports.mapping import mapping_from
from annotation.models import Sample
from tests import factories
texts = ["good", "a\0b", "\ud800", "\u202egood\u202c", "\u00e9", "e\u0301", "x" * 100000]
lines = [json.dumps({"text": text, "z": 1, "b": {"y": n}}) for n, text in enumerate(texts)]
lines += ['{"text": "twice", "text": "twice"}', '{"text": NaN}', '{"text": "n", "big": 1e999}']
lines += ['{"text": "deep", "z": ' + "[" * 200000 + "]" * 200000 + "}"]
lines += ['{"text": "digits", "z": ' + "9" * 6000 + "}", '{"text": "\\ud83d\\ude00"}', "[1, 2]"]
project = factories.make_project()
found = imports.receive(project, "a\0b.jsonl", ["\n".join(lines).encode()])
imports.choose(found, mapping_from({"text": ["text"]}))
imports_work.work_until_rest(found)
imports.decide(found, keep_duplicates=False, without_unknown=False)
imports_work.work_until_rest(found)
samples = Sample.objects.visible().filter(project=project).order_by("pk")
texts = [sample.text[:20] for sample in samples]
print(json.dumps([found.state, found.error, texts, samples[0].meta, dict(
    found.refused.values_list("row_number", "reason"))]))
"""
REFUSED = {
    "2": "NUL character",
    "3": "broken or does not fit",
    "8": "stands twice in one object",
    "9": "NaN is not a JSON number",
    "10": "not a finite number",
    "11": "nested more than 64 levels",
    "12": "6,000 digits is too long",
    "14": "",
}


def test_a18_hostile_values_have_the_same_verdict_on_both_databases(install):
    done = shell(HOSTILE, {**install, **SETTINGS})
    assert done.returncode == 0, done.stderr
    verdict = json.loads(done.stdout.strip().splitlines()[-1])
    ended, error, texts, meta, refused = verdict
    assert (ended, error) == ("done", "")
    assert texts == ["good", "\u202egood\u202c", "\u00e9", "x" * 20, "\U0001f600"]
    assert meta == {"z": 1, "b": {"y": 0}}
    assert refused.keys() == REFUSED.keys()
    assert [row for row, reason in REFUSED.items() if reason not in refused[row]] == []


ORDER = """
import json
from tests import factories
from annotation.models import Sample
factories.make_sample(factories.make_project(), fields={"sentence": "b", "a": "c", "before": ""})
print(json.dumps(list(Sample.objects.get().fields)))
"""


def test_the_texts_of_a_sample_keep_their_order(install):
    done = shell(ORDER, install)
    assert json.loads(done.stdout.strip().splitlines()[-1]) == ["sentence", "a", "before"]


FILES = r"""
import io
import json
import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter
from annotation.actions import imports, imports_work
from annotation.imports.mapping import mapping_from
from annotation.models import Sample
from tests import factories
def parquet(**columns):
    file = io.BytesIO()
    pq.write_table(pa.table(list(columns.values()), names=[name[:4] for name in columns]), file)
    return file.getvalue()
def workbook(*rows):
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"strings_to_formulas": False}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    return file.getvalue()
files = {
    "null.parquet": parquet(text=["a", "b\x00c", "d"], n=[1.0, float("nan"), 2.0]),
    "twice.parquet": parquet(text=["a"], text2=["b"]),
    "bytes.parquet": parquet(text=pa.array([b"a", b"\xff\xfe"]), n=[1, 2]),
    "good.xlsx": workbook(["text", "n"], ["=1+1", 1], ["", 2], ["\U0001f600", 3]),
    "mark.csv": b"\xef\xbb\xbftext,n\na,1\n",
    "latin.csv": "text,n\ncaf\u00e9 \u00fcber,1\nna\u00efve,2\n".encode("latin-1"),
    "ragged.csv": b"text,n\na,1\nb\nc,3,4,5\nd,4\n",
    "quoted.csv": b'text,n\r\n"a\r\nb",1\r\n',
    "twice.csv": b"text,text\na,b\n",
    "null.csv": b"text,n\na\x00b,1\nc,2\n",
    "wrong.xlsx": b"text,n\na,1\n",
    "wrong.parquet": b"PAR1 no parquet PAR1",
    "empty.csv": b"",
    "header.csv": b"text,n\n",
    "blank.jsonl": b"\n\n\n",
}
verdicts = {}
for name, content in files.items():
    project = factories.make_project()
    try:
        found = imports.receive(project, name, [content])
        imports.choose(found, mapping_from({"text": ["text"]}))
        imports_work.work_until_rest(found)
        if found.state == "staged":
            imports.decide(found, keep_duplicates=False, without_unknown=False)
            imports_work.work_until_rest(found)
        said = [found.state, found.error]
    except imports.CannotImport as error:
        said = ["refused", str(error)]
    samples = Sample.objects.filter(project=project).order_by("pk")
    refused = project.imports.values_list("refused__row_number", flat=True)
    refused = sorted(number for number in refused if number)
    verdicts[name] = [said[0], bool(said[1]), [sample.text for sample in samples], refused]
print(json.dumps(verdicts))
"""
VERDICTS = {  # state, is there an error, the texts, the rows refused
    "null.parquet": ["done", False, ["a", "d"], [2]],
    "twice.parquet": ["done", False, ["a"], []],
    "bytes.parquet": ["done", False, [], [1, 2]],
    "good.xlsx": ["done", False, ["=1+1", "\U0001f600"], [3]],
    "mark.csv": ["done", False, ["a"], []],
    "latin.csv": ["done", False, ["café über", "naïve"], []],
    "ragged.csv": ["done", False, ["a", "d"], [3, 4]],
    "quoted.csv": ["done", False, ["a\r\nb"], []],
    "twice.csv": ["done", False, ["a"], []],
    "null.csv": ["refused", True, [], []],
    "wrong.xlsx": ["done", False, ["a"], []],
    "wrong.parquet": ["refused", True, [], []],
    "empty.csv": ["refused", True, [], []],
    "header.csv": ["done", False, [], []],
    "blank.jsonl": ["refused", True, [], []],
}


def test_a18_awkward_files_have_the_same_verdict_on_both_databases(install):
    done = shell(FILES, {**install, **SETTINGS})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.strip().splitlines()[-1]) == VERDICTS
