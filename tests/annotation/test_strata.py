"""Rounds that are drawn by strata: what divides the samples, and what is logged of it."""

from collections import Counter
from dataclasses import replace

import pytest

from annotation.actions.draws import CannotDraw, Design, draw_round, plan
from annotation.arrays_agreement import judgements
from annotation.models import Round, Sample
from annotation.reports.figures import match
from annotation.reports.scope import scope_of
from synthlab.science.estimation import variance_of_mean
from tests.factories import (
    make_annotation,
    make_annotator,
    make_codebook,
    make_machine,
    make_manager,
    make_project,
    make_sample,
    make_suggestion,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    """Forty samples, of 10, 20, 30 ... characters; their source is web (30), mail (6) or none."""
    project = make_project()
    make_codebook(project)
    for i in range(40):
        meta = {"source": "web"} if i < 30 else {"source": "mail", "id": f"m{i}"} if i < 36 else {}
        make_sample(project, "x" * 10 * (i + 1), meta=meta)
    return project


def design(project, budget="10", **options):
    return Design(
        codebook=project.edition(),
        strategy="stratified",
        budget=budget,
        seed=3,
        options=options,
        annotators=(make_annotator(project),),
    )


def strata(round_):
    return dict(Counter(round_.items.values_list("stratum", flat=True)))


def test_bands_of_length_have_names_and_known_chances(project):
    round_ = draw_round(project, design(project, by="length", bands=4))
    assert strata(round_) == {
        "length: 10 to 100": 3, "length: 110 to 200": 3, "length: 210 to 300": 2,
        "length: 310 to 400": 2,
    }  # fmt: skip
    for item in round_.items.select_related("sample"):
        low, high = (int(word) for word in item.stratum.removeprefix("length: ").split(" to "))
        assert low <= len(item.sample.text) <= high
        assert item.inclusion == pytest.approx(strata(round_)[item.stratum] / 10)


def test_values_of_a_metadata_key_are_strata_and_a_missing_one_is_its_own(project):
    round_ = draw_round(project, design(project, by="meta", key="source"))
    assert strata(round_) == {"source: web": 8, "source: mail": 1, "no source": 1}
    chances = set(round_.items.values_list("stratum", "inclusion"))
    assert chances == {
        ("source: web", 8 / 30), ("source: mail", 1 / 6), ("no source", 1 / 4),
    }  # fmt: skip
    assert round_.parameters["options"] == {"by": "meta", "key": "source"}


def test_labels_of_the_machine_are_strata_and_so_is_no_answer(project):
    machine = make_machine(project)
    for i, sample in enumerate(Sample.objects.order_by("pk")[:39]):
        make_suggestion(machine, sample, {"yes": i < 30, "no": i >= 30})
    wanted = Design(**{**vars(design(project)), "machine": machine})
    round_ = draw_round(project, wanted)
    assert strata(round_) == {"label: yes": 7, "label: no": 2, "label: no answer": 1}


def test_the_audit_part_is_filed_apart_and_its_chances_are_of_both_parts(project):
    wanted = Design(**{**vars(design(project, by="meta", key="source")), "audit": "10"})
    round_ = draw_round(project, wanted)
    assert strata(round_)["audit"] == 10
    by_source = {"web": 8 / 30, "mail": 1 / 6, None: 1 / 4}
    for item in round_.items.filter(stratum="audit").select_related("sample"):
        pi = by_source[item.sample.meta.get("source")]
        assert item.inclusion == pytest.approx(pi + (1 - pi) * 10 / 30)


def test_rare_values_are_drawn_together_and_the_manager_is_told(project):
    for i in range(40):
        make_sample(project, f"text {i}", meta={"source": f"list {i:02}"})
        make_sample(project, f"more {i}", meta={"source": "web"})
    planned = plan(project, design(project, budget="120", by="meta", key="source"))
    assert len(planned.frame.strata) == 30
    # 42 values and none: the 29 commonest of these keep their own stratum.
    assert planned.frame.strata[-1] == "source: other values"
    assert any("14 rare values" in note for note in planned.notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "predicted"}, "needs a machine"),
        ({"by": "meta"}, "Metadata key: choose the key"),
        ({"by": "meta", "key": "colour"}, "no sample of the frame has “colour”"),
        ({"by": "meta", "key": "number"}, "40 different values in 40 samples"),
        ({"by": "moon"}, "Strata by: choose one of predicted, length, meta"),
        ({"by": "length", "bands": 1}, "Bands of length: enter a whole number from 2 to 20"),
    ],
)
def test_what_divides_nothing_is_refused_with_what_to_do(project, options, message):
    for sample in Sample.objects.all():
        Sample.objects.filter(pk=sample.pk).update(meta=sample.meta | {"number": sample.pk})
    with pytest.raises(CannotDraw, match=message):
        draw_round(project, design(project, **options))
    assert not Round.objects.exists()


def test_texts_of_one_length_are_one_band_and_the_manager_is_told(project):
    Sample.objects.update(text="same")
    planned = plan(project, design(project, by="length"))
    assert planned.frame.strata == ("length: 4 to 4",)
    assert planned.notes[-1] == "Many texts are equally long: there is 1 band of length."
    assert planned.samples == 10


def test_the_form_offers_the_keys_of_the_project(client, project):
    client.force_login(make_manager(project))
    page = client.get(f"/projects/{project.pk}/rounds/new/", {"strategy": "stratified"})
    field = page.context["form"].fields["option_key"]
    assert [key for key, _ in field.choices] == ["", "id", "source"]


def judged(project, **fields):
    """The accuracy by a stratified round of twenty: right on short texts, wrong on long ones."""
    machine = make_machine(project)
    for sample in project.samples.all():
        make_suggestion(machine, sample, {"yes": 0.75, "no": 0.25})
    round_ = draw_round(project, replace(design(project, "20", by="length", bands=2), **fields))
    annotator = make_annotator(project)
    for item in round_.items.select_related("sample"):
        make_annotation(item, annotator, "yes" if len(item.sample.text) <= 200 else "no")
    return judgements(scope_of(project, project.edition(), [round_], machine))


def test_figures_use_that_a_fixed_number_came_from_each_stratum(project):
    read = judged(project)
    right = match(read.truth.value, read.model)
    with_strata, without = (
        variance_of_mean(right, way) for way in (read.design, replace(read.design, strata=None))
    )
    assert sorted(set(read.strata.tolist())) == [0, 1]
    assert with_strata == pytest.approx(0)  # nothing varies within a stratum
    assert without == pytest.approx(0.25 / 20 / 2)  # p (1 - p) / n, half of the frame drawn


def test_beside_an_audit_part_strata_are_left_out_of_the_figures(project):
    assert judged(project, audit="5").strata is None
