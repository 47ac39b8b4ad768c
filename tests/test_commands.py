"""The whole loop by commands, as scripts drive it; people answer over HTTP, as browsers do."""

import csv
import json
import re
from html import unescape
from io import StringIO

import openpyxl
import pandas
import pytest
from datasets import load_dataset
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from annotation.models import Annotation, Project, Suggestion
from tests import factories as f
from tests.faults.stack import environment, manage_in_background

CODEBOOK = {
    "question": "Which policy area does the sentence mainly deal with?",
    "labels": [
        {"name": "economic", "definition": "Tax, spending, jobs, wages, trade and pensions."},
        {"name": "social", "definition": "Crime, police, immigration, family, marriage, morals."},
        {"name": "neither", "definition": "Sport, weather, holidays and everything else."},
    ],
}
SENTENCES = {
    "economic": ("We will cut the tax on wages", "Pensions and spending on jobs will rise"),
    "social": ("The police will fight crime", "We protect marriage and the family"),
    "neither": ("The weather was fine at the sport", "We thank you for the holidays"),
}
BEFORE, AFTER = "A sentence before.", "A sentence after."
FORM = re.compile(r'<form id="answer" method="post" action="([^"]+)"(.*?)</form>', re.DOTALL)
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)"(?: value="([^"]*)")?>')


def run(command, *arguments):
    """What the command says with --json."""
    out = StringIO()
    call_command(command, *map(str, arguments), "--json", stdout=out)
    return json.loads(out.getvalue())


@pytest.fixture
def model(tmp_path):
    """The base URL of an offline stand-in of its own."""
    env = environment(tmp_path / "model")
    child = manage_in_background("offline_model", "--port", 0, "--json", env=env, stdout=-1)
    yield json.loads(child.stdout.readline())["base_url"]
    child.terminate()
    child.communicate(timeout=10)


@pytest.fixture
def files(tmp_path):
    """A codebook and sixty sentences with a reference label; all but the first have context."""
    (tmp_path / "codebook.json").write_text(json.dumps(CODEBOOK))
    with (tmp_path / "sentences.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "text", "pre_context", "post_context", "gold_area"])
        for n in range(60):
            label = list(SENTENCES)[n % 3]
            text = f"{SENTENCES[label][n % 2]}, as in {1960 + n}."
            rows.writerow([f"s{n}", text, BEFORE if n else "", AFTER, label])
    return tmp_path


def answer_all(user, round_id):
    """Answer as the page asks, until nothing is left; how many answers it were."""
    client, answers = Client(), 0
    client.force_login(user)
    while form := FORM.search(client.get(f"/rounds/{round_id}/review/").text):
        address, inside = form.groups()
        sentence = next(text for text in re.findall(r">([^<]{20,})<", inside) if ", as in" in text)
        starts = {text: label for label, texts in SENTENCES.items() for text in texts}
        label = starts[unescape(sentence).split(", as in")[0].strip()]
        said = client.post(address, {**dict(HIDDEN.findall(inside)), "slugs": label})
        assert said.status_code == 302
        answers += 1
    return answers


def test_commands_carry_a_project_through_the_whole_loop(committed_db, snapshot_db, files, model):
    f.make_superuser()
    made = run(
        "create_project", "Manifestos", "--task-type", "single_label",
        "--codebook", files / "codebook.json",
    )  # fmt: skip
    connected = run(
        "connect", "local", "--base-url", model, "--model", "offline-stand-in", "--allow-host"
    )
    assert len(connected["findings"]) >= 4
    columns = "id=id,optional=pre_context,text=text,optional=post_context,reference=gold_area"
    imported = run("import_samples", "Manifestos", files / "sentences.csv", "--map", columns)
    project = Project.objects.get(pk=made["project"])
    assert project.samples.visible().count() == 60, imported
    assert list(project.samples.last().fields) == ["pre_context", "text", "post_context"]

    labelled = run(
        "label", "Manifestos", "--connection", "local", "--technique", "logprobs", "--wait"
    )
    assert (labelled["state"], labelled["done"], labelled["rejected"]) == ("done", 60, 0)
    people = [f.make_annotator(project), f.make_annotator(project)]
    drawn = run(
        "draw", "Manifestos", "--strategy", "least_confidence",
        "--budget", "15%", "--audit", "5%", "--overlap", "2",
    )  # fmt: skip
    assert (drawn["samples"], drawn["audit"], drawn["seats"]) == (12, 3, 24)
    assert [answer_all(person, drawn["round"]) for person in people] == [12, 12]
    assert Annotation.objects.filter(blind=True).count() == 24

    compared = run("agreement", "Manifestos")
    assert compared["basis"]["answered"] == 12
    assert compared["basis"]["by_lot"] >= 3
    assert compared["people"]["annotators"] == 2
    everyone = {row["name"]: row for row in compared["people"]["measures"]}
    assert everyone["alpha"]["naive"]["value"] == 1.0
    _open_everywhere(files, Suggestion.objects.count())


def _open_everywhere(folder, n):
    """Each format opens where people would open it, with one row a sample."""
    for name in ("out.jsonl", "out.csv", "out.xlsx", "out.parquet"):
        written = run("export", "Manifestos", "--out", folder / name)
        assert written["rows"] == n == 60
    assert run("export", "Manifestos", "--format", "dataset", "--out", folder / "set")["rows"] == n
    frames = [
        pandas.read_json(folder / "out.jsonl", lines=True),
        pandas.read_csv(folder / "out.csv"),
        pandas.read_parquet(folder / "out.parquet"),
    ]
    assert [len(frame) for frame in frames] == [n, n, n]
    book = openpyxl.load_workbook(folder / "out.xlsx", read_only=True)
    assert sum(1 for _row in book.worksheets[0].rows) == n + 1
    book.close()
    found = load_dataset(str(folder / "set"), cache_dir=str(folder / "cache"))
    assert sum(split.num_rows for split in found.values()) == n


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["label", "None", "--connection", "no", "--technique", "logprobs"], "no"),
        (["draw", "None", "--budget", "5"], "None"),
        (["agreement", "None"], "None"),
        (["export", "None", "--out", "x.jsonl"], "None"),
        (["import_samples", "None", "x.csv", "--map", "text=text"], "None"),
        (["create_project", "New", "--task-type", "rating", "--codebook", "nowhere.json"], "nowhe"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_that_fails_says_so_in_json_and_by_its_exit_code(db, arguments, words):
    out = StringIO()
    with pytest.raises(CommandError) as raised:
        call_command(*arguments, "--json", stdout=out)
    assert raised.value.returncode == 1
    assert words in json.loads(out.getvalue())["error"]
