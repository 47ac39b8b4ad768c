"""Tables of recorded answers, made up here, as the benchmark reads them."""

import csv
import gzip
import json
from argparse import Namespace

import numpy as np
import pytest

from bench.certificates import METHODS, allowed, freeze
from bench.curves import Prepared, area, bounds, curve, offered, pool_of
from bench.recorded import read
from bench.selection_quality import main
from synthlab.science.learning.evidence import gather

HEAD = ["id", "text", "gold", "llm_label", "confidence", "prompt_labels", "label_probs", "extra"]


def write(folder, rows):
    path = folder / "made_up.csv.gz"
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(HEAD)
        for number, row in enumerate(rows):
            cells = {"id": number, **row}
            table.writerow([cells.get(name, "") for name in HEAD])
    return path


def test_labels_become_codes_and_question_marks_none(tmp_path):
    rows = [
        {"gold": "yes", "llm_label": "no", "prompt_labels": json.dumps(["no", "?"])},
        {"gold": "no", "llm_label": "no", "prompt_labels": json.dumps(["no", "yes"])},
    ]
    found = read(write(tmp_path, rows))
    assert found.names == ["no", "yes"]
    assert found.gold.tolist() == [1, 0]
    assert found.clues.answers.tolist() == [0, 0]
    assert found.clues.votes.tolist() == [[0, -1], [0, 1]]
    assert found.clues.confidence is None
    assert found.texts is None


def test_runs_of_a_prompt_count_as_their_commonest_label(tmp_path):
    votes = {"first": ["a", "b", "b"], "second": "a"}
    found = read(
        write(tmp_path, [{"gold": "a", "llm_label": "a", "prompt_labels": json.dumps(votes)}])
    )
    assert found.clues.votes.tolist() == [[1, 0]]


def test_only_machines_numbers_are_evidence(tmp_path):
    extra = {"msp_other": 0.7, "annotator_conf": 0.1, "gold_prob": 1, "topic": "x", "score": 3}
    rows = [{"gold": "pred", "llm_label": "pred", "extra": json.dumps(extra)}] * 2
    found = read(write(tmp_path, rows))
    assert found.clues.signals.tolist() == [[0.7], [0.7]]


def test_a_gold_that_says_right_or_wrong_is_not_corrected(tmp_path):
    rows = [{"gold": gold, "llm_label": "pred"} for gold in ("pred", "other")]
    assert not read(write(tmp_path, rows)).relabels


def test_probabilities_are_aligned_with_the_labels(tmp_path):
    rows = [
        {"gold": "b", "llm_label": "a", "label_probs": json.dumps({"b": 0.2, "a": 0.6})},
        {"gold": "b", "llm_label": "a"},
    ]
    beliefs = read(write(tmp_path, rows)).clues.probabilities
    assert beliefs[0] == pytest.approx([0.75, 0.25])
    assert np.isnan(beliefs[1]).all()


@pytest.fixture
def prepared(tmp_path):
    """Votes tell where the model errs; what it states itself does not."""
    draw = np.random.default_rng(0)
    rows = []
    for _ in range(400):
        gold = draw.integers(2)
        votes = [int(gold ^ (draw.random() < p)) for p in (0.2, 0.15, 0.15, 0.2)]
        rows.append(
            {
                "gold": f"l{gold}",
                "llm_label": f"l{votes[0]}",
                "confidence": round(draw.uniform(0.5, 1), 3),
                "prompt_labels": json.dumps([f"l{vote}" for vote in votes]),
            }
        )
    recorded = read(write(tmp_path, rows))
    evidence = gather(recorded.clues, np.random.default_rng(0))
    return Prepared(recorded, evidence, pool_of(recorded, evidence))


def test_curves_lie_between_chance_and_an_oracle_and_learning_beats_stated_doubt(prepared):
    low, high = (area(bound) for bound in bounds(prepared))
    areas = {name: area(curve(prepared, name, 0)) for name in offered(prepared)}
    assert {"uniform", "least_confidence", "co_annotating", "expected_error"} <= areas.keys()
    assert "vote_k" not in areas, "there are no texts"
    assert all(low - 3 < value < high for value in areas.values())
    assert areas["expected_error"] > areas["least_confidence"] + 2


@pytest.mark.parametrize("method", METHODS)
def test_promises_are_mostly_kept(prepared, method):
    outcomes = list(METHODS[method](prepared, 0.1, 40, 0))
    assert len(outcomes) == 40
    assert all(0 < share <= 1 for share, _ in outcomes)
    assert sum(broken for _, broken in outcomes) <= 6  # 0.05 of 40, and three standard errors


def test_errors_are_left_for_the_audit_to_stop_at(prepared):
    """To ask for all that the plan expects to route, round by round, buys more than is promised."""
    left = [freeze(prepared, 0.05, np.random.default_rng(seed)).wrong.sum() for seed in range(4)]
    assert np.mean(left) > allowed(prepared, 0.05)


def test_the_benchmark_answers_with_one_json_object(prepared, tmp_path, capsys):
    wanted = {"strategies": "uniform", "methods": "exact", "sets": None, "json": True}
    main(Namespace(folder=str(tmp_path), seeds=1, runs=8, **wanted))
    found = json.loads(capsys.readouterr().out)["sets"]["made_up"]
    assert found["certificates"]["0.05"]["exact"]["runs"] == 8
    assert "uniform" in found["curves"]
