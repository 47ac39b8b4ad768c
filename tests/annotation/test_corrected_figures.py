"""From a model's replies to the page's figures: corrected ones hold the truth, naive ones do not.

A seeded population whose model is wrong where it is unsure, and surer than it should be: its
replies come from the scripted server over HTTP, through a label run. Mixed rounds of the least
sure with an audit, drawn by the command, answered over HTTP as a browser does.
"""

import json
import re
from io import StringIO

import numpy as np
import pytest
from django.core.management import call_command

from annotation.models import Annotation, RoundItem
from generation import techniques
from generation.actions import runs
from synthlab.science.agreement import agreement
from synthlab.science.bootstrap import Bootstrap
from synthlab.science.estimation import Design
from synthlab.science.measures import CohenKappa, GwetAC1, KrippendorffAlpha, PercentAgreement
from synthlab.science.selection.base import Pool
from synthlab.science.selection.least_confidence import LeastConfidence
from synthlab.science.selection.mixture import draw
from tests import factories as f
from tests.annotation.test_agreement import make_samples, page
from tests.annotation.test_review import HTMX, answer, show
from tests.generation.runs import connect, work_off

SLUGS = ("yes", "no", "maybe")
SIZE, MAIN, AUDIT, ROUNDS = 400, 30, 30, 6
MEASURES = (PercentAgreement(), CohenKappa(), KrippendorffAlpha(), GwetAC1())


def population(seed=2026):
    """What people say, what the model says, how sure it claims to be: codes of SLUGS."""
    rng = np.random.default_rng(seed)
    people = rng.choice(3, SIZE, p=[0.5, 0.35, 0.15])
    confidence = 1 - 0.6 * rng.beta(0.8, 2.2, SIZE)
    wrong = rng.random(SIZE) < np.clip(1.1 * (1 - confidence), 0, 1)
    model = np.where(wrong, (people + rng.integers(1, 3, SIZE)) % 3, people)
    return people, model, confidence


def holds(interval, truth):
    return interval is not None and interval[0] <= truth <= interval[1]


def command(name, *args):
    out = StringIO()
    call_command(name, *(str(arg) for arg in args), "--json", stdout=out)
    return json.loads(out.getvalue())


def answer_everything(client, round_, people):
    """As a browser does: each answer brings the next sample, until nothing is left."""
    shown = show(client, round_)
    while place := re.search(r">\s*Text (\d+)\s*<", shown.content.decode()):
        said = SLUGS[people[int(place[1])]]
        response = answer(client, shown, said, **HTMX)
        assert response.status_code == 200
        shown = show(client, round_) if b'id="answer"' not in response.content else response


def label_over_http(project, server, model, confidence):
    """The machine of a label run whose endpoint says what the population's model says."""
    server.script(
        *(
            {"match": rf"Text {place}(?!\d)", "replies": [{"text": stated(label, sure)}]}
            for place, (label, sure) in enumerate(zip(model, confidence, strict=True))
        )
    )
    technique = techniques.make("verbalized", {})
    run, _new = runs.start_run(connect(server, concurrency=8), technique, project.edition())
    runs.plan(run.pk)
    assert work_off(run).state == run.State.DONE, run.reason
    return run.machine


def stated(label, sure):
    rest = (1 - sure) / (len(SLUGS) - 1)
    shares = {slug: sure if code == label else rest for code, slug in enumerate(SLUGS)}
    return json.dumps({"probabilities": shares})


@pytest.mark.django_db
def test_replies_and_answers_over_http_give_intervals_that_hold_the_truth(client, openai_server):
    people, model, confidence = population()
    project = f.make_project()
    f.make_codebook(project, SLUGS)
    annotator = f.make_annotator(project)
    make_samples(project, SIZE)
    machine = label_over_http(project, openai_server, model, confidence)
    assert len(openai_server.ledger) == SIZE
    said = machine.suggestions.order_by("sample").values_list("code", "confidence")
    assert [code for code, _sure in said] == [SLUGS[code] for code in model]
    assert np.allclose([sure for _code, sure in said], confidence)
    truth = {
        measure.name: agreement(measure, np.stack([people, model], 1), 3, bootstrap=None).value
        for measure in MEASURES
    }
    hits = {(name, side): 0 for name in truth for side in ("corrected", "naive")}
    client.force_login(annotator)
    for seed in range(ROUNDS):
        command(
            "draw", project.pk, "--strategy", "least_confidence", "--budget", MAIN,
            "--audit", AUDIT, "--again", "--seed", seed,
        )  # fmt: skip
        round_ = project.rounds.latest("pk")
        answer_everything(client, round_, people)
        result = command("agreement", project.pk, "--round", round_.pk)
        assert result["model"]["samples"] == MAIN + AUDIT
        assert result["model"]["by_lot"] == AUDIT
        for row in result["model"]["measures"]:
            for side in ("corrected", "naive"):
                if row["name"] in truth:
                    hits[row["name"], side] += holds(row[side]["interval"], truth[row["name"]])
    assert Annotation.objects.filter(blind=True).count() == ROUNDS * (MAIN + AUDIT)
    assert RoundItem.objects.filter(inclusion=AUDIT / SIZE).count() == ROUNDS * AUDIT
    # So few rounds only show that the whole road works; the test below counts two hundred.
    assert min(hits[name, "corrected"] for name in truth) >= ROUNDS - 1, hits
    assert max(hits[name, "naive"] for name in truth) <= 0.2 * ROUNDS, hits
    shown = page(client, project, f"?round={round_.pk}")
    assert "Among the samples that people saw the model looks worse" in shown.content.decode()


def test_two_hundred_rounds_of_the_same_population_hold_the_truth_as_often_as_they_say():
    people, model, confidence = population()
    pool = Pool(size=SIZE, confidence=confidence)
    codes = np.stack([people, model], axis=1)
    truth = {m.name: agreement(m, codes, 3, bootstrap=None).value for m in MEASURES}
    hits = {(name, side): 0 for name in truth for side in ("corrected", "naive")}
    for seed in range(200):
        drawn = draw(pool, LeastConfidence(), MAIN, AUDIT, np.random.default_rng(seed))
        design = Design(drawn.inclusion, SIZE)
        for measure in MEASURES:
            for side, way in (("corrected", design), ("naive", None)):
                figure = agreement(measure, codes[drawn.rows], 3, way, Bootstrap(replicates=400))
                hits[measure.name, side] += holds(figure.interval, truth[measure.name])
    assert min(hits[name, "corrected"] for name in truth) >= 0.93 * 200, hits
    assert max(hits[name, "naive"] for name in truth) < 0.20 * 200, hits
