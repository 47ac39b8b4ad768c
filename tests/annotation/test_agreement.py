"""People against people and a machine: the page, the reader and the command."""

import json
import re
import uuid
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from pytest_django.asserts import assertContains, assertNotContains

from annotation.actions.draws import Design as DrawDesign
from annotation.actions.draws import draw_round
from annotation.arrays_chances import Drawn, union
from annotation.models import (
    Adjudication,
    Annotation,
    Assignment,
    CodebookNote,
    Round,
    RoundItem,
    Sample,
    Suggestion,
)
from synthlab.science.estimation import Design, hajek_proportion
from synthlab.science.selection import mixture
from synthlab.science.selection.base import Pool
from synthlab.science.selection.least_confidence import LeastConfidence
from tests import factories as f

pytestmark = pytest.mark.django_db


def answer_all(round_, said, **fields):
    """Blind answers to the items of a round in rank order; `said` has a slug (or None) for each
    item, by annotator."""
    project, task = round_.project, round_.project.task
    items = list(round_.items.order_by("rank"))
    rules = round_.codebook.rules()
    for annotator, slugs in said.items():
        values = [
            None if x is None else task.value([x] if isinstance(x, str) else list(x), rules)
            for x in slugs
        ]
        Annotation.objects.bulk_create(
            Annotation(
                project=project,
                sample_id=item.sample_id,
                round_item=item,
                annotator=annotator,
                codebook=round_.codebook,
                value=value,
                code=task.code(value),
                client_key=uuid.uuid4(),
                **{"blind": True, "seconds": 4.0, **fields},
            )
            for item, value in zip(items, values, strict=True)
            if value is not None
        )


def open_round(project, samples, inclusion=1.0, stratum="audit", **fields):
    """A round over these samples without seats, in one query for all of them."""
    fields = {"name": "Pilot", "strategy": "uniform", "seed": 1, "state": "open", **fields}
    fields.setdefault("codebook", project.edition())
    round_ = Round.objects.create(project=project, **fields)
    RoundItem.objects.bulk_create(
        RoundItem(
            round=round_, sample=sample, rank=rank, stratum=stratum, inclusion=inclusion, score=0.5
        )
        for rank, sample in enumerate(samples)
    )
    return round_


def make_samples(project, n, references=None):
    task, rules = project.task, project.edition().rules()
    values = [
        None if references is None else task.value([slug], rules) for slug in references or []
    ]
    values = values or [None] * n
    return Sample.objects.bulk_create(
        Sample(
            project=project,
            fields={"text": f"Text {i}"},
            text=f"Text {i}",
            content_hash=str(i),
            reference=value,
            reference_code=None if value is None else task.code(value),
        )
        for i, value in enumerate(values)
    )


def suggest(machine, samples, slugs, confidence=None):
    task, rules = machine.project.task, machine.codebook.rules()
    confidence = np.full(len(samples), 0.8) if confidence is None else confidence
    Suggestion.objects.bulk_create(
        Suggestion(
            machine=machine,
            sample=sample,
            value=value,
            code=task.code(value),
            probabilities=dict.fromkeys(rules.slugs, 0.1),
            source="logprobs",
            confidence=float(sure),
            entropy=1 - float(sure),
            margin=float(sure),
            rationale="It says so.",
        )
        for sample, slug, sure in zip(samples, slugs, confidence, strict=True)
        for value in [task.value([slug] if isinstance(slug, str) else list(slug), rules)]
    )


def make_study(
    people, model, slugs=("yes", "no"), inclusion=1.0, task_type="single_label", **fields
):
    """A project with one machine and one annotator who answered every sample of one round."""
    project = f.make_project(task_type)
    f.make_codebook(project, slugs)
    machine, annotator = f.make_machine(project), f.make_annotator(project)
    samples = make_samples(project, len(people))
    suggest(machine, samples, model)
    round_ = open_round(project, samples, inclusion, **fields)
    answer_all(round_, {annotator: people})
    return project, round_, annotator


def page(client, project, query="", user=None):
    client.force_login(user or f.make_manager(project))
    return client.get(f"/projects/{project.pk}/agreement/{query}")


def said(project, *args):
    out = StringIO()
    call_command("agreement", str(project.pk), "--json", *args, stdout=out)
    return json.loads(out.getvalue())


def measured(result, part="model", side="corrected"):
    return {row["name"]: row[side]["value"] for row in result[part]["measures"]}


# 118 times both said yes, 5 times only people, 2 times only the model, never both no.
SKEWED = (["yes"] * 123 + ["no"] * 2, ["yes"] * 118 + ["no"] * 5 + ["yes"] * 2)


def test_a_skewed_table_shows_kappa_and_alpha_below_nought_and_ac1_high(client):
    project, _, _ = make_study(*SKEWED)
    # statsmodels and irrCAC agree on these values for the table 118/5/2/0.
    values = measured(said(project))
    assert round(values["percent"], 4) == 0.944
    assert round(values["kappa"], 4) == -0.0234
    assert round(values["alpha"], 4) == -0.0247
    assert round(values["ac1"], 4) == 0.9408
    response = page(client, project)
    for shown in ("94.4", "-0.02", "0.94"):
        assertContains(response, f"<strong>{shown}")


def test_krippendorffs_example_with_missing_answers_through_the_report():
    # Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", section E.
    table = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    ]
    project = f.make_project("rating")
    f.make_codebook(project, tuple("12345"))
    round_ = open_round(project, make_samples(project, 12))
    coders = [f.make_annotator(project) for _ in table]
    answer_all(
        round_,
        {
            coder: [None if x is None else str(x) for x in row]
            for coder, row in zip(coders, table, strict=True)
        },
    )
    values = measured(said(project), "people", "naive")
    assert round(values["alpha"], 3) == 0.743
    assert round(values["alpha_ordinal"], 3) == 0.815
    assert round(values["alpha_interval"], 3) == 0.849
    assert values["fleiss"] is None  # not everybody answered everything


def test_a_round_that_only_took_the_least_sure_measures_nothing_and_says_what_is_missing(client):
    project, _, _ = make_study(
        *SKEWED, inclusion=None, stratum="least_confidence", strategy="least_confidence"
    )
    response = page(client, project)
    assertContains(response, "not measurable yet")
    assertContains(response, "Draw a round with an audit part")
    assertContains(response, f'href="/projects/{project.pk}/rounds/new/"')
    assertContains(response, "Naive, uncorrected: the model agrees with people on 94.4")
    result = said(project)
    assert measured(result)["percent"] is None
    assert result["model"]["measures"][0]["corrected"]["reason"]
    assert measured(result, side="naive")["percent"] == 0.944


def test_no_figure_stands_without_its_interval_and_its_draw(client):
    project, _, _ = make_study(*SKEWED, inclusion=0.5, name="Spring audit")
    response = page(client, project)
    assertContains(response, "from 125 answered samples drawn by lot in round “Spring audit”")
    assertContains(response, "95 % interval:")
    assertContains(response, "naive, uncorrected:")
    result = said(project)
    for part in ("model", "people"):
        for row in result[part]["measures"]:
            for side in ("corrected", "naive"):
                figure = row[side]
                assert (figure["value"] is None) == bool(figure["reason"])
                assert figure["value"] is None or figure["interval"]


def test_every_share_in_the_tables_has_an_interval_also_the_naive_ones(client):
    project, _, _ = make_study(*SKEWED, inclusion=0.5)
    text = page(client, project).content.decode()
    marks = re.findall(r'<small class="naive-mark">○ (.*?)</small>', text)
    assert len(marks) >= 10
    assert all(mark == "–" or " to " in mark for mark in marks)


def test_only_blind_seated_sure_answers_count_and_the_others_are_counted(client):
    project = f.make_project()
    f.make_codebook(project, unsure="offered")
    annotator, machine = f.make_annotator(project), f.make_machine(project)
    samples = make_samples(project, 6)
    suggest(machine, samples, ["yes"] * 6)
    round_ = open_round(project, samples)
    blind = [*["yes"] * 2, None, None, "unsure", None]
    answer_all(round_, {annotator: blind})
    answer_all(round_, {annotator: [None, None, "no", None, None, None]}, blind=False)
    answer_all(round_, {annotator: [None, None, None, "no", None, None]}, extra=True)
    Assignment.objects.create(
        round=round_,
        round_item=round_.items.last(),
        seat=1,
        priority=0,
        state="skipped",
        annotator=annotator,
        closed_at=now(),
    )
    result = said(project)
    assert result["model"]["samples"] == 2
    assert measured(result)["percent"] == 1
    left_out = result["left_out"]
    assert (left_out["not_blind"], left_out["extra"]) == (1, 1)
    assert (left_out["unsure"], left_out["skipped"]) == (1, 1)
    # The unsure and the skipped one may be errors of the model as well as not.
    bounds = result["bounds"]
    assert (bounds["samples"], bounds["low"], bounds["high"]) == (2, 0.5, 1.0)
    assert bounds["interval"][0] < 0.5
    assert bounds["interval"][1] == 1
    response = page(client, project)
    assertContains(response, "4 answers do not count")
    assertContains(response, "given after the suggestion was shown")


def test_a_change_after_the_reveal_does_not_measure_the_blind_answer_does():
    project, round_, annotator = make_study(["no"] * 3, ["yes"] * 3)
    first = round_.items.earliest("rank")
    before = Annotation.objects.get(round_item=first)
    f.make_annotation(first, annotator, "yes", blind=False, supersedes=before)
    result = said(project)
    assert measured(result)["percent"] == 0
    assert result["left_out"]["changed_after"] == 1


def test_who_kept_their_answer_after_seeing_the_suggestion_changed_nothing():
    project = f.make_project()
    f.make_codebook(project)
    annotator = f.make_annotator(project)
    item = f.make_round(project, ["one"], [annotator], machine=f.make_machine(project)).items.get()
    before = f.make_annotation(item, annotator, "no")
    f.make_annotation(item, annotator, "no", blind=False, supersedes=before)
    assert said(project)["left_out"]["changed_after"] == 0


def test_copies_of_one_text_widen_the_interval(client):
    people, model = ["yes"] * 40, ["yes"] * 32 + ["no"] * 8
    project, _, _ = make_study(people, model, inclusion=0.1, frame={"size": 400})
    before = said(project)["model"]["measures"][0]["corrected"]
    for number, sample in enumerate(project.samples.order_by("pk")):
        sample.content_hash = f"text {number // 2}"
        sample.save(update_fields=["content_hash"])
    after = said(project)["model"]["measures"][0]["corrected"]
    assert after["value"] == pytest.approx(before["value"])
    assert after["n_eff"] < 0.6 * before["n_eff"]
    assert np.ptp(after["interval"]) > 1.2 * np.ptp(before["interval"])


def test_adjudication_goes_before_the_majority_and_ties_are_left_out():
    project = f.make_project()
    f.make_codebook(project)
    machine = f.make_machine(project)
    samples = make_samples(project, 3)
    suggest(machine, samples, ["yes"] * 3)
    round_ = open_round(project, samples)
    first, second = f.make_annotator(project), f.make_annotator(project)
    answer_all(round_, {first: ["yes"] * 3, second: ["yes", "no", "no"]})
    result = said(project)
    assert (result["model"]["samples"], result["basis"]["disputed"]) == (1, 2)
    item = round_.items.get(rank=1)
    Adjudication.objects.create(
        project=project,
        sample=item.sample,
        round_item=item,
        adjudicator=first,
        codebook=round_.codebook,
        value={"label": "no"},
        code="no",
        reason="The rule says so.",
    )
    result = said(project)
    assert (result["model"]["samples"], result["basis"]["disputed"]) == (2, 1)
    assert result["model"]["counts"] == [[1, 0], [1, 0]]
    with_settled = [person["with_settled"]["naive"] for person in result["annotators"]]
    assert [figure["value"] for figure in with_settled] == [0, 1]


def test_the_corrected_interval_covers_the_truth_where_the_naive_one_does_not(client):
    """A population where low confidence means error, a round of the least sure with an audit."""
    rng = np.random.default_rng(11)
    project = f.make_project()
    f.make_codebook(project)
    machine, annotator = f.make_machine(project), f.make_annotator(project)
    samples = make_samples(project, 800)
    confidence = rng.beta(6, 2, 800)
    truth = rng.choice(["yes", "no"], 800)
    wrong = rng.random(800) > confidence**0.5
    model = np.where(wrong, np.where(truth == "yes", "no", "yes"), truth)
    suggest(machine, samples, model.tolist(), confidence)
    round_ = draw_round(
        project,
        DrawDesign(
            codebook=project.edition(),
            strategy="least_confidence",
            budget="120",
            audit="120",
            seed=3,
            machine=machine,
        ),
    )
    slugs = dict(zip([sample.pk for sample in samples], truth.tolist(), strict=True))
    ranked = round_.items.order_by("rank").values_list("sample", flat=True)
    answer_all(round_, {annotator: [slugs[pk] for pk in ranked]})
    row = said(project)["model"]["measures"][0]
    accuracy = 1 - wrong.mean()
    low, high = row["corrected"]["interval"]
    assert low <= accuracy <= high
    low, high = row["naive"]["interval"]
    assert high < accuracy
    assertContains(page(client, project), "Among the samples that people saw the model looks worse")


def draw_after(seed, turns=2, n=500, main=40, audit=40):
    """Rounds drawn one after the other from what is left, as arrays; the least sure are wrong."""
    rng = np.random.default_rng(seed)
    confidence, left, rounds, items = np.linspace(0.3, 0.99, n), np.arange(n), [], []
    for turn in range(1, turns + 1):
        pool = Pool(size=len(left), confidence=confidence[left])
        taken = mixture.draw(pool, LeastConfidence(), main, audit, rng)
        samples = left[taken.rows]
        rounds.append(Round(pk=turn, frame={"filter": {"drawn": False}, "size": len(left)}))
        items.append((np.full(len(samples), turn), samples, taken.inclusion, taken.scores))
        left = np.setdiff1d(left, samples)
    which, samples, inclusion, scores = (
        np.concatenate(column) for column in zip(*items, strict=True)
    )
    distinct, at = np.unique(samples, return_inverse=True)
    drawn = Drawn(distinct, which, at, inclusion, scores)
    chances, frame = union(tuple(rounds), drawn, lambda round_: distinct)
    right = (distinct >= n * 0.3).astype(float)  # 70 % are right
    return hajek_proportion(right, Design(chances, frame)), frame


def test_rounds_drawn_one_after_the_other_stand_for_the_whole_set():
    """What the first round took for certain had no chance in the second: weighted by the union of
    both chances the audits are unbiased, and their intervals cover as often as they say."""
    drawn = [draw_after(seed) for seed in range(120)]
    errors = [figure.value - 0.7 for figure, _ in drawn]
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(len(errors))
    covered = [figure.interval[0] <= 0.7 <= figure.interval[1] for figure, _ in drawn]
    assert np.mean(covered) >= 0.91
    assert abs(np.mean([frame for _, frame in drawn]) - 500) < 15


def test_beside_a_round_of_uneven_chances_the_one_of_the_largest_frame_measures_alone():
    """Nobody knows what chance the second round would have given to samples of the first."""
    rounds = (Round(pk=1, frame={"size": 100}), Round(pk=2, frame={"size": 98}))
    which, at = np.array([1, 1, 2, 2, 2]), np.arange(5)
    inclusion = np.array([0.02, 0.02, 0.5, 0.01, 0.3])
    drawn = Drawn(at + 10, which, at, inclusion, np.zeros(5))
    chances, frame = union(rounds, drawn, lambda round_: drawn.samples)
    assert frame == 100
    assert chances[:2].tolist() == [0.02, 0.02]
    assert np.isnan(chances[2:]).all()


def board_of(client, project):
    client.force_login(f.make_manager(project))
    overview = client.get(f"/projects/{project.pk}/")
    assertContains(overview, f'hx-get="/projects/{project.pk}/quality/"')
    return client.get(f"/projects/{project.pk}/quality/")


def test_the_overview_shows_figures_with_interval_and_draw(client):
    project = f.make_project()
    f.make_codebook(project)
    machine, annotator = f.make_machine(project), f.make_annotator(project)
    samples = make_samples(project, 100)
    suggest(machine, samples, ["yes"] * 100, np.linspace(0.3, 0.99, 100))
    wish = {"strategy": "uniform", "budget": "40", "machine": machine}
    round_ = draw_round(project, DrawDesign(codebook=project.edition(), seed=1, **wish))
    answer_all(round_, {annotator: ["yes"] * 30 + ["no"] * 10})
    page_ = board_of(client, project)
    assertContains(page_, "75.0")
    assertContains(page_, "from 40 answered samples drawn by lot in round")
    assertContains(page_, "Accuracy of the machine")


def test_what_the_rounds_cannot_measure_has_the_button_that_would(client):
    project = f.make_project()
    f.make_codebook(project)
    machine, annotator = f.make_machine(project), f.make_annotator(project)
    samples = make_samples(project, 20)
    suggest(machine, samples, ["yes"] * 20, np.linspace(0.3, 0.99, 20))
    wish = {"strategy": "least_confidence", "budget": "10", "machine": machine}
    round_ = draw_round(project, DrawDesign(codebook=project.edition(), seed=1, **wish))
    answer_all(round_, {annotator: ["yes"] * 10})
    page_ = board_of(client, project)
    assertContains(page_, "not measurable yet")
    assertContains(page_, f"/projects/{project.pk}/rounds/new/")


def test_two_drawn_rounds_are_read_with_the_chances_of_both():
    project = f.make_project()
    f.make_codebook(project)
    machine, annotator = f.make_machine(project), f.make_annotator(project)
    samples = make_samples(project, 200)
    wrong = np.arange(200) < 60  # the 60 least sure are wrong
    suggest(machine, samples, np.where(wrong, "no", "yes").tolist(), np.linspace(0.3, 0.99, 200))
    wish = {"strategy": "least_confidence", "budget": "40", "audit": "40", "machine": machine}
    for seed in (1, 2):
        round_ = draw_round(project, DrawDesign(codebook=project.edition(), seed=seed, **wish))
        answer_all(round_, {annotator: ["yes"] * 80})
    result = said(project)
    low, high = result["model"]["measures"][0]["corrected"]["interval"]
    assert low <= 0.7 <= high
    low, high = result["model"]["measures"][0]["naive"]["interval"]
    assert high < 0.7
    assert 170 <= result["basis"]["frame"] <= 230


def test_figures_say_for_how_many_samples_they_speak(client):
    project, _, _ = make_study(["yes"] * 10, ["yes"] * 10, inclusion=0.2, frame={"size": 50})
    make_samples(project, 90)
    assertContains(page(client, project), "50 of 100 samples")


def test_editions_that_differ_in_wording_are_compared_together_others_not():
    project, _, annotator = make_study(["yes"] * 4, ["yes"] * 4)
    first = project.edition()
    samples = list(project.samples.all())
    reworded = f.make_codebook(project, parent=first, change="wording")
    answer_all(open_round(project, samples[:1], codebook=reworded), {annotator: ["no"]})
    changed = f.make_codebook(project, parent=reworded, change="meaning")
    assert len(said(project)["rounds"]) == 2
    assert len(said(project, "--edition", "1")["rounds"]) == 2
    answer_all(open_round(project, samples[:2], codebook=changed), {annotator: ["no"] * 2})
    result = said(project)
    assert (result["edition"], len(result["rounds"])) == (3, 1)
    assert result["model"]["samples"] == 2


def test_the_rounds_to_compare_can_be_chosen(client):
    project, round_, annotator = make_study(["yes"] * 4, ["yes"] * 4)
    other = open_round(project, make_samples(project, 2), name="Second")
    answer_all(other, {annotator: ["no", "no"]})
    response = page(client, project, f"?round={round_.pk}")
    assert response.context["report"].basis.answered == 4
    assert page(client, project).context["report"].basis.answered == 6
    assert page(client, project, "?round=999999&machine=x&edition=y").status_code == 200


def test_reference_labels_stand_against_model_and_people(client):
    project = f.make_project()
    f.make_codebook(project)
    machine, annotator = f.make_machine(project), f.make_annotator(project)
    samples = make_samples(project, 8, references=["yes"] * 4 + ["no"] * 4)
    suggest(machine, samples, ["yes"] * 6 + ["no"] * 2)
    answer_all(open_round(project, samples[:4]), {annotator: ["yes", "yes", "no", "yes"]})
    result = said(project)["reference"]
    assert measured({"x": result["model"]}, "x")["percent"] == 0.75
    assert result["model"]["measures"][0]["corrected"]["method"] == "census"
    assert measured({"x": result["people"]}, "x")["percent"] == 0.75
    assertContains(page(client, project), "Against the reference labels")


def test_a_multi_label_project_is_compared_label_by_label(client):
    people = [["a"], ["a", "b"], [], ["b"]]
    model = [["a"], ["b"], [], ["a", "b"]]
    project, _, _ = make_study(people, model, slugs=("a", "b"), task_type="multi_label")
    result = said(project)
    values = measured(result)
    assert values["exact"] == 0.5
    assert values["percent"] == 0.75  # label a agrees in 2 of 4, label b in all
    first = result["model"]["labels"][0]
    assert (first["both"], first["people_only"], first["model_only"]) == (1, 1, 1)
    assertContains(page(client, project), "Whole answers equal")
    reader = client.get(f"/projects/{project.pk}/disagreements/?people=a&model=~a")
    assertContains(reader, "1 of 1")
    assertContains(reader, "Text 1")


def test_a_cell_of_the_matrix_opens_its_samples(client):
    project, _, _ = make_study(["yes", "yes", "no"], ["yes", "no", "no"])
    response = page(client, project)
    assertContains(response, "people=yes&amp;model=no")
    reader = client.get(f"/projects/{project.pk}/disagreements/?people=yes&model=no")
    assertContains(reader, "1 of 1")
    assertContains(reader, "Text 1")
    assertContains(reader, "The text is yes.")  # the rule of what people said
    assertContains(reader, "The text is no.")  # and of what the model said
    assertContains(reader, "It says so.")
    nothing = client.get(f"/projects/{project.pk}/disagreements/?people=no&model=yes")
    assertContains(nothing, "Nothing to read here")


def test_the_reader_walks_from_sample_to_sample(client):
    project, _, _ = make_study(["yes"] * 3, ["no"] * 3)
    client.force_login(f.make_adjudicator(project))
    ids = list(project.samples.order_by("pk").values_list("pk", flat=True))
    address = f"/projects/{project.pk}/disagreements/"
    first, second = client.get(address), client.get(f"{address}?at={ids[1]}")
    assertContains(first, "1 of 3")
    assertContains(first, f"at={ids[1]}")
    assertContains(second, "2 of 3")
    assertContains(second, 'rel="prev" data-key="k"')
    assertContains(second, f"at={ids[2]}")
    assertContains(client.get(f"{address}?at=x"), "1 of 3")


def test_people_who_differ_among_themselves_can_be_read(client):
    project, round_, _ = make_study(["yes", "no"], ["yes", "no"])
    answer_all(round_, {f.make_annotator(project): ["no", "no"]})
    client.force_login(f.make_manager(project))
    reader = client.get(f"/projects/{project.pk}/disagreements/?between=people")
    assertContains(reader, "1 of 1")
    assertContains(reader, "disputed")
    assertNotContains(reader, "annotator@")


def test_a_note_for_the_codebook_is_kept_once_and_not_without_words(client):
    project, _, _ = make_study(["yes"], ["no"])
    client.force_login(f.make_manager(project))
    sample = project.samples.get()
    address = f"/projects/{project.pk}/disagreements/?people=yes"
    sent = {"sample": sample.pk, "label": "yes", "text": "Say whether “maybe” is yes."}
    for _ in range(2):
        assert client.post(address, sent).status_code == 302
    note = CodebookNote.objects.get()
    assert (note.label_slug, note.sample, note.codebook) == ("yes", sample, project.edition())
    response = client.post(address, {**sent, "text": ""})
    assertContains(response, "This field is required", status_code=422)
    foreign = f.make_sample(f.make_project())
    assert client.post(address, {**sent, "sample": foreign.pk}).status_code == 404


@pytest.mark.parametrize("where", ["agreement", "disagreements"])
def test_only_managers_and_adjudicators_see_it(client, where):
    project, _, annotator = make_study(["yes"], ["no"])
    for user, status in (
        (f.make_adjudicator(project), 200),
        (annotator, 404),
        (f.make_manager(f.make_project()), 404),
    ):
        client.force_login(user)
        assert client.get(f"/projects/{project.pk}/{where}/").status_code == status


def test_empty_projects_say_the_next_step(client):
    project = f.make_project()
    assertContains(page(client, project), "Publish the codebook first")
    f.make_codebook(project)
    assertContains(page(client, project), "Draw a round")
    open_round(project, make_samples(project, 2))
    assertContains(page(client, project), "No machine has labelled anything yet")


def test_hostile_labels_and_texts_stay_text(client):
    project, _, _ = make_study(["yes"], ["no"])
    book = project.edition()
    reworded = f.make_codebook(project, (), published=False, parent=book, change="wording")
    for position, slug in enumerate(("yes", "no")):
        reworded.labels.create(slug=slug, name=f"<script>{slug}</script>", position=position)
    reworded.__class__.objects.filter(pk=reworded.pk).update(state="published")
    response = page(client, project, "?edition=2")
    assertContains(response, "&lt;script&gt;yes&lt;/script&gt;")
    assertNotContains(response, "<script>yes")
    reader = client.get(f"/projects/{project.pk}/disagreements/?edition=2")
    assertNotContains(reader, "<script>yes")


@pytest.mark.parametrize("where", ["agreement", "disagreements"])
def test_the_number_of_queries_does_not_grow_with_the_answers(client, where):
    counts = []
    for n in (5, 60):
        project, _, _ = make_study(["yes"] * n, ["no"] * n)
        client.force_login(f.make_manager(project))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get(f"/projects/{project.pk}/{where}/")
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 45


def test_forty_labels_fit(client):
    slugs = tuple(f"label-{i}" for i in range(40))
    rng = np.random.default_rng(2)
    people = [slugs[i] for i in rng.integers(40, size=120)]
    model = [slug if rng.random() < 0.8 else slugs[0] for slug in people]
    project, _, _ = make_study(people, model, slugs=slugs, inclusion=0.5)
    response = page(client, project)
    assertContains(response, 'class="heat many"')
    assertContains(response, "fewer than 10 effective answers")


def test_the_command_says_figures_in_words_and_refuses_what_is_not_there():
    project, _, _ = make_study(*SKEWED)
    out = StringIO()
    call_command("agreement", project.name, stdout=out)
    assert "Gwet’s AC1: 0.941" in out.getvalue()
    for wrong in (["--edition", "9"], ["--round", "999999"], ["--machine", "999999"]):
        with pytest.raises(CommandError):
            call_command("agreement", str(project.pk), *wrong, stdout=StringIO())


def test_everyone_using_one_label_is_said_in_words(client):
    project, _, _ = make_study(["yes"] * 20, ["yes"] * 20)
    response = page(client, project)
    assertContains(response, "undefined")
    assertContains(response, "everyone used one label")
