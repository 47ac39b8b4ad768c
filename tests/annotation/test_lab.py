"""The codebook lab: locked splits, trials, paired comparisons, looks, and asking anew."""

import io
import json
import re

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from annotation.actions import codebooks, draws, splits, trials
from annotation.arrays_certificate import frame_of
from annotation.arrays_lab import truths
from annotation.arrays_stale import stale_answers
from annotation.models import (
    Annotation,
    Codebook,
    Label,
    LockedSplit,
    Look,
    Round,
    Sample,
    SampleImport,
)
from annotation.reports.lab import compared
from annotation.task_types.changes import outdated
from tests import factories as f

pytestmark = pytest.mark.django_db
YES, NO = {"yes": 0.9, "no": 0.1}, {"yes": 0.1, "no": 0.9}


def made(client, count=40, slugs=("yes", "no"), task_type="single_label"):
    """A project with an edition and a pool, whose manager is signed in."""
    project = f.make_project(task_type)
    edition = f.make_codebook(project, slugs)
    for number in range(count):
        f.make_sample(project, f"text {number}")
    client.force_login(f.make_manager(project))
    return project, edition


def lock(client, project, split="dev", **fields):
    data = {"split": split, "size": 10, "seed": 3, **fields}
    url = f"/projects/{project.pk}/lab/splits/"
    return client.post(url, {f"{split}-{name}": value for name, value in data.items()})


def redraft(project, **texts):
    """A draft in which these labels are defined otherwise; None takes a label out."""
    draft = codebooks.start_draft(project, None)
    for slug, text in texts.items():
        label = Label.objects.filter(codebook=draft, slug=slug)
        label.delete() if text is None else label.update(definition=text)
    return draft


def publish(draft, change="meaning", **fields):
    draft.refresh_from_db()
    return codebooks.publish(
        draft, version=draft.version, published_by=None, change=change, **fields
    )


def published_on(project, change="meaning", removed=None, **texts):
    return publish(redraft(project, **texts), change, removed=removed)


def page_of(client, url):
    """The page's words, each space one space."""
    response = client.get(url)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def labelled(project, split="dev", **fields):
    """A round over the split in which one person says yes to every sample."""
    samples = list(project.samples.filter(split=split).order_by("pk"))
    frame = {"filter": {"split": split}, "size": len(samples)}
    round_ = f.make_round(project, samples=samples, frame=frame, **fields)
    person = f.make_annotator(project)
    for item in round_.items.order_by("rank"):
        f.make_annotation(item, person, "yes")
    return round_


def machines(project, edition, other, counts, split="dev"):
    """Two machines on a split that people label yes: both right, fixed, broken, both wrong."""
    first, second = (f.make_machine(project, book, name=name) for book, name in (
        (edition, "old rules"), (other, "new rules")
    ))  # fmt: skip
    kinds = np.repeat(["right", "fixed", "broken", "wrong"], counts)
    samples = project.samples.filter(split=split).order_by("pk")
    for sample, kind in zip(samples, kinds, strict=True):
        f.make_suggestion(first, sample, YES if kind in ("right", "broken") else NO)
        f.make_suggestion(second, sample, YES if kind in ("right", "fixed") else NO)
    return first, second


def scene(client, counts, split="dev", frame=None):
    """A locked split that people have labelled, and two machines of two editions on it."""
    project, edition = made(client, 0)
    for number in range(sum(counts)):
        f.make_sample(project, f"text {number}", split=split)
    f.make_locked_split(project, split, frame)
    labelled(project, split)
    other = published_on(project, "wording", yes="The text is yes, really.")
    return project, *machines(project, edition, other, counts, split)


def comparing(project, first, second, split="dev", **more):
    asked = {"first": first.pk, "second": second.pk, "split": split, **more}
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    return f"/projects/{project.pk}/lab/compare/?{query}"


# Splits


def test_a_split_is_drawn_by_lot_from_what_no_round_has_drawn_and_locked(client):
    project, _edition = made(client)
    drawn = f.make_round(project, samples=list(project.samples.order_by("pk")[:25]))
    assertRedirects(lock(client, project), f"/projects/{project.pk}/lab/")
    row = LockedSplit.objects.get()
    assert (row.split, row.size, row.drawn["frame"]["size"]) == ("dev", 10, 15)
    mine = project.samples.filter(split="dev")
    assert mine.count() == 10
    assert not mine.filter(round_items__round=drawn).exists()
    assert "by lot from 15 samples" in page_of(client, f"/projects/{project.pk}/lab/")


def test_the_seed_decides_the_lot(client):
    drawn = []
    for seed in (3, 3, 4):
        project, _edition = made(client)
        first = project.samples.earliest("pk").pk
        lock(client, project, seed=seed)
        drawn.append(
            [pk - first for pk in project.samples.filter(split="dev").values_list("pk", flat=True)]
        )
    assert drawn[0] == drawn[1] != drawn[2]


def test_what_was_drawn_before_the_lot_keeps_its_frame(client):
    project, _edition = made(client)
    drawn = io.StringIO()
    call_command("draw", str(project.pk), "--budget", "8", "--json", stdout=drawn)
    before = frame_of(project.rounds.get())
    lock(client, project)
    assert before.tolist() == frame_of(project.rounds.get()).tolist()
    call_command("draw", str(project.pk), "--budget", "5", "--json", stdout=drawn)
    later = project.rounds.latest("pk")
    assert later.frame["size"] == len(frame_of(later)) == 40 - 8 - 10


def test_samples_that_came_with_a_split_are_locked_as_they_are(client):
    project, _edition = made(client, 3)
    for number in range(4):
        f.make_sample(project, f"dev {number}", split="dev")
    assert "4 samples were imported" in page_of(client, f"/projects/{project.pk}/lab/")
    lock(client, project)
    row = LockedSplit.objects.get()
    assert (row.size, row.by_lot) == (4, False)
    assert project.samples.filter(split="pool").count() == 3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": 41}, "At most 40 samples can be drawn"),
        ({"size": 0}, "greater than or equal to 1"),
        ({"size": ""}, "This field is required"),
        ({"seed": -1}, "greater than or equal to 0"),
    ],
)
def test_a_split_that_cannot_be_drawn_says_why(client, fields, message):
    project, _edition = made(client)
    response = lock(client, project, **fields)
    assertContains(response, message, status_code=422)
    assert not LockedSplit.objects.exists()
    assert not project.samples.filter(split="dev").exists()


def test_a_locked_split_is_locked_once_and_no_row_of_it_changes(client):
    project, _edition = made(client)
    lock(client, project)
    assert lock(client, project).status_code == 422
    assert project.samples.filter(split="dev").count() == 10
    for change in (
        lambda: LockedSplit.objects.update(size=3),
        lambda: LockedSplit.objects.all().delete(),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()


def test_nothing_is_locked_while_samples_or_rounds_are_being_written(client):
    project, _edition = made(client)
    coming = SampleImport.objects.create(project=project, state=SampleImport.State.WRITING)
    assertContains(lock(client, project), "import is being written", status_code=422)
    SampleImport.objects.filter(pk=coming.pk).update(state=SampleImport.State.DONE)
    drawing = f.make_round(project, ["another text"])
    Round.objects.filter(pk=drawing.pk).update(state="drawing", drawing_until="2100-01-01T00:00Z")
    assertContains(lock(client, project), "round is being drawn", status_code=422)


def test_a_sample_that_left_a_locked_split_all_the_same_is_noticed(client):
    project, edition = made(client)
    lock(client, project)
    moved = project.samples.filter(split="dev").first()
    Sample.objects.filter(pk=moved.pk).update(split="pool")
    page = page_of(client, f"/projects/{project.pk}/lab/")
    assert "no longer those that it was locked with" in page
    labelled(project)
    pair = machines(project, edition, edition, (3, 3, 3, 0))
    page = page_of(client, comparing(project, *pair))
    assert "no figure on it can be trusted" in page
    assert "McNemar" not in page


def test_an_import_refuses_rows_of_a_locked_split_and_takes_the_others(client, settings, tmp_path):
    settings.UPLOAD_DIR = tmp_path / "uploads"
    project, _edition = made(client)
    lock(client, project)
    path = tmp_path / "more.csv"
    path.write_text("text,split\nA new one,dev\nAnother,test\nA third,pool\n")
    out = io.StringIO()
    call_command("import_samples", str(project.pk), str(path), "--json", stdout=out)
    report = json.loads(out.getvalue())
    assert report["imported"] == 2
    refused = SampleImport.objects.latest("pk").refused.get()
    assert "The dev split is locked" in refused.reason
    assert refused.excerpt == "A new one"
    assert project.samples.filter(split="dev").count() == 10


def test_the_report_of_an_import_warns_of_locked_splits(client):
    project, _edition = made(client)
    lock(client, project)
    staged = SampleImport.objects.create(
        project=project, state=SampleImport.State.STAGED, rows_good=2, mapping={"split": "part"}
    )
    assert "The dev split is locked: no sample joins it" in page_of(
        client, f"/imports/{staged.pk}/"
    )


# Trials


def test_trying_a_draft_freezes_its_text_under_its_number(client):
    project, edition = made(client)
    draft = redraft(project, yes="Only a plain yes.")
    response = client.post(f"/codebooks/{draft.pk}/try/")
    trial = project.codebooks.trials().get()
    assert response["Location"] == f"/codebooks/{trial.pk}/run/"
    draft.refresh_from_db()
    assert (trial.number, draft.number, trial.parent) == (2, 3, edition)
    assert trial.rules() == draft.rules()
    client.post(f"/codebooks/{draft.pk}/try/")
    assert project.codebooks.trials().count() == 1


def test_a_trial_never_changes_and_people_do_not_see_it(client):
    project, edition = made(client)
    trial = trials.try_draft(redraft(project, yes="Only a plain yes."))
    for change in (lambda: trial.labels.update(name="Other"), lambda: trial.labels.all().delete()):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()
    assertRedirects(client.get(f"/codebooks/{trial.pk}/edit/"), f"/codebooks/{trial.pk}/")
    assertContains(client.get(f"/codebooks/{trial.pk}/"), "people never answer by it")
    assertNotContains(client.get(f"/projects/{project.pk}/codebook/"), f"/codebooks/{trial.pk}/")
    form = client.get(f"/projects/{project.pk}/rounds/new/").content.decode()
    assert f'<option value="{edition.pk}"' in form
    assert f'<option value="{trial.pk}"' not in form
    client.force_login(f.make_annotator(project))
    assert client.get(f"/codebooks/{trial.pk}/").status_code == 404


def test_the_machine_of_a_trial_is_not_offered_where_people_or_releases_are(client):
    project, _edition = made(client)
    trial = trials.try_draft(redraft(project, yes="Only a plain yes."))
    machine = f.make_machine(project, trial, name="on trial")
    f.make_suggestion(machine, project.samples.first(), YES)
    for path in ("rounds/new/", "agreement/", "releases/", "certificate/", ""):
        assertNotContains(client.get(f"/projects/{project.pk}/{path}"), "on trial")
    assertContains(client.get(f"/projects/{project.pk}/machines/"), "on trial")
    assertContains(client.get(f"/machines/{machine.pk}/"), "on trial")


def test_publishing_what_was_tried_makes_the_trial_the_edition(client):
    project, _edition = made(client)
    draft = redraft(project, yes="Only a plain yes.")
    trial = trials.try_draft(draft)
    machine = f.make_machine(project, trial)
    page = page_of(client, f"/codebooks/{draft.pk}/publish/")
    assert "Publish edition 2" in page
    assert "the trial becomes the edition" in page
    assert publish(draft, "wording") == trial == project.edition()
    assert not project.codebooks.drafts().exists()
    assert machine in project.machines.standing()
    again = codebooks.start_draft(project, None)
    assert (again.number, again.parent) == (3, trial)


def test_publishing_another_text_than_was_tried_leaves_the_trial_a_trial(client):
    project, _edition = made(client)
    draft = redraft(project, yes="Only a plain yes.")
    trial = trials.try_draft(draft)
    Label.objects.filter(codebook=draft, slug="yes").update(definition="Yes, or a nod.")
    assert "was not tried" in page_of(client, f"/codebooks/{draft.pk}/publish/")
    edition = publish(draft, "wording")
    trial.refresh_from_db()
    assert edition == draft == project.edition()
    assert (trial.state, trial.number, edition.number) == ("trial", 2, 3)


@pytest.mark.parametrize(
    ("texts", "message"), [({}, "Nothing differs"), ({"no": None}, "at least 2")]
)
def test_a_draft_that_could_not_be_published_cannot_be_tried(client, texts, message):
    project, _edition = made(client)
    draft = redraft(project, **texts)
    response = client.post(f"/codebooks/{draft.pk}/try/", follow=True)
    assertContains(response, message)
    assert not project.codebooks.trials().exists()


def test_a_first_draft_has_nothing_to_be_compared_with(client):
    project = f.make_project()
    client.force_login(f.make_manager(project))
    draft = f.make_codebook(project, published=False)
    response = client.post(f"/codebooks/{draft.pk}/try/", follow=True)
    assertContains(response, "Publish the first edition first")


def test_what_is_no_draft_is_not_tried(client):
    _project, edition = made(client)
    response = client.post(f"/codebooks/{edition.pk}/try/", follow=True)
    assertContains(response, "no draft any more")


# Comparing


def test_the_counts_and_the_exact_test_are_those_of_the_methods_example(client):
    """statistics.md C.3: b = 10, c = 3 gives p = 0.0923; here by R's binom.test(10, 13)."""
    project, first, second = scene(client, (20, 10, 3, 7))
    page = page_of(client, comparing(project, first, second))
    assert "p 0.0923" in page
    assert "10 against 3" in page
    assert "+17.5 points" in page
    assert "right on 10 samples that the first got wrong, and wrong on 3" in page
    assert "may be chance" in page
    assert "from 40 answered samples of the dev split" in page


def test_the_samples_are_listed_by_what_became_of_them(client):
    project, first, second = scene(client, (20, 10, 3, 7))
    samples = list(project.samples.order_by("pk").values_list("pk", flat=True))
    for kind, mine in (
        ("fixed", samples[20:30]),
        ("broken", samples[30:33]),
        ("wrong", samples[33:]),
    ):
        page = client.get(comparing(project, first, second, kind=kind)).content.decode()
        assert [int(pk) for pk in re.findall(r'href="/samples/(\d+)/"', page)] == mine
    page = client.get(comparing(project, first, second, kind="right", page=1)).content.decode()
    assert len(re.findall(r'href="/samples/(\d+)/"', page)) == 20
    page = page_of(client, comparing(project, first, second, kind="fixed", label="no"))
    assert "No sample of this split is of that kind" in page


def test_wrong_with_another_label_is_a_kind_of_its_own(client):
    project, edition = made(client, 0, ("yes", "no", "maybe"))
    sample = f.make_sample(project, split="dev")
    locked = f.make_locked_split(project)
    labelled(project)
    first, second = f.make_machine(project, edition), f.make_machine(project, edition)
    f.make_suggestion(first, sample, {"yes": 0, "no": 1, "maybe": 0})
    f.make_suggestion(second, sample, {"yes": 0, "no": 0, "maybe": 1})
    found = compared(first, second, truths(edition, locked))
    assert found.counts["changed"] == found.judged == 1


def test_a_split_drawn_by_lot_speaks_for_what_it_was_drawn_from(client):
    project, first, second = scene(client, (20, 10, 3, 7), frame=50)
    found = compared(first, second, truths(project.edition(), LockedSplit.objects.get()))
    endless, locked = found.paired.difference, LockedSplit.objects.get()
    assert found.truths.design.size == 50
    assert "from 50 samples" in page_of(client, comparing(project, first, second))
    # A split of 40 out of 50 leaves little to chance, one that came with its file all of it.
    other, first, second = scene(client, (20, 10, 3, 7))
    wide = compared(first, second, truths(other.edition(), other.locked_splits.get()))
    width = [high - low for low, high in (endless.interval, wide.paired.difference.interval)]
    assert width[0] < 0.6 * width[1]
    assert locked.by_lot


def test_unequal_chances_give_a_weighted_difference_and_no_p_value(client):
    project, edition = made(client, 0)
    samples = [f.make_sample(project, f"text {n}", split="dev") for n in range(60)]
    f.make_locked_split(project)
    person = f.make_annotator(project)
    round_ = f.make_round(
        project, samples=samples[:30], frame={"filter": {"split": "dev"}, "size": 60},
        inclusion=0.9,
    )  # fmt: skip
    # Half of them had been drawn with a much smaller chance: each stands for many.
    Round.objects.filter(pk=round_.pk).update(state="drawing")
    round_.items.filter(rank__gte=15).update(inclusion=0.3)
    Round.objects.filter(pk=round_.pk).update(state="open")
    for item in round_.items.all():
        f.make_annotation(item, person, "yes")
    first, second = f.make_machine(project, edition), f.make_machine(project, edition)
    for rank, sample in enumerate(samples):
        f.make_suggestion(first, sample, YES if rank >= 10 else NO)
        f.make_suggestion(second, sample, YES if rank < 20 else NO)
    found = compared(first, second, truths(edition, LockedSplit.objects.get()))
    fixed, broken = 10 / 0.9, 10 / 0.3
    assert found.counts["fixed"] == found.counts["broken"] == 10
    expected = (fixed - broken) / (15 / 0.9 + 15 / 0.3)
    assert found.paired.difference.value == pytest.approx(expected)
    page = page_of(client, comparing(project, first, second))
    assert "no p-value" in page
    assert "unequal chances" in page


def test_when_the_whole_split_is_labelled_it_does_not_matter_how_it_was_drawn(client):
    project, edition = made(client, 0)
    samples = [f.make_sample(project, f"text {n}", split="dev") for n in range(20)]
    f.make_locked_split(project)
    person = f.make_annotator(project)
    for part, inclusion in ((samples[:12], None), (samples[12:], 0.5)):
        round_ = f.make_round(
            project, samples=part, inclusion=inclusion,
            frame={"filter": {"split": "dev"}, "size": 20},
        )  # fmt: skip
        for item in round_.items.all():
            f.make_annotation(item, person, "yes")
    first, second = machines(project, edition, edition, (8, 6, 1, 5))
    found = compared(first, second, truths(edition, LockedSplit.objects.get()))
    assert found.measuring.sum() == 20
    assert found.paired.test.p == pytest.approx(0.125)  # binom.test(6, 7)


def test_samples_that_were_chosen_are_listed_but_measure_nothing(client):
    project, edition = made(client, 0)
    samples = [f.make_sample(project, f"text {n}", split="dev") for n in range(20)]
    f.make_locked_split(project)
    person = f.make_annotator(project)
    round_ = f.make_round(project, samples=samples[:12], inclusion=None)
    for item in round_.items.all():
        f.make_annotation(item, person, "yes")
    first, second = machines(project, edition, edition, (8, 6, 1, 5))
    page = page_of(client, comparing(project, first, second))
    assert "12 answered samples were chosen, not drawn by lot" in page
    assert "not measurable yet" in page
    assert "8 samples of the split have no settled answer" in page


def test_a_label_that_was_removed_counts_as_what_its_removal_says(client):
    project, edition = made(client, 0, ("yes", "no", "aye"))
    sample = f.make_sample(project, split="dev")
    locked = f.make_locked_split(project)
    machine = f.make_machine(project, edition)
    f.make_suggestion(machine, sample, {"yes": 0.1, "no": 0.1, "aye": 0.8})
    newer = published_on(project, aye=None, removed={"aye": "yes"})
    labelled(project)
    other = f.make_machine(project, newer)
    f.make_suggestion(other, sample, NO)
    found = compared(machine, other, truths(newer, locked))
    assert found.counts["broken"] == 1


def test_a_draft_with_other_rules_is_judged_with_a_caution(client):
    project, edition = made(client, 0)
    for number in range(8):
        f.make_sample(project, f"text {number}", split="dev")
    f.make_locked_split(project)
    labelled(project)
    trial = trials.try_draft(redraft(project, yes="Only a plain yes."))
    first, second = machines(project, edition, trial, (4, 2, 1, 1))
    page = page_of(client, comparing(project, first, second))
    assert "8 of the answers cannot judge it" in page


def test_an_older_machine_is_judged_by_the_newer_meaning(client):
    project, edition = made(client, 0)
    for number in range(4):
        f.make_sample(project, f"text {number}", split="dev")
    f.make_locked_split(project)
    labelled(project)
    newer = published_on(project, yes="Only a plain yes.")
    pair = machines(project, edition, newer, (1, 1, 1, 1))
    assert "answers by edition 2" not in page_of(client, comparing(project, *pair))
    relabelled = labelled(project)
    assert relabelled.codebook == newer
    page = page_of(client, comparing(project, *pair))
    assert "old rules followed older rules for “Yes”" in page
    assert "answers are read by edition 2" in page
    worded = published_on(project, "wording", yes="A plain yes and nothing else.")
    third = f.make_machine(project, worded, name="reworded")
    for sample in project.samples.all():
        f.make_suggestion(third, sample, YES)
    page = page_of(client, comparing(project, pair[1], third))
    assert "answers are read by edition 3" in page
    assert "followed" not in page


def test_with_several_labels_the_whole_answer_is_compared(client):
    project, edition = made(client, 0, ("joy", "anger"), "multi_label")
    samples = [f.make_sample(project, f"text {n}", split="dev") for n in range(3)]
    locked = f.make_locked_split(project)
    round_ = f.make_round(project, samples=samples)
    person = f.make_annotator(project)
    for item, said in zip(
        round_.items.order_by("rank"), ("joy", ["joy", "anger"], []), strict=True
    ):
        f.make_annotation(item, person, said)
    first, second = f.make_machine(project, edition), f.make_machine(project, edition)
    for sample, joy, anger in zip(samples, (1, 1, 0), (0, 0, 0), strict=True):
        f.make_suggestion(first, sample, {"joy": joy, "anger": anger})
        f.make_suggestion(second, sample, {"joy": 1, "anger": 1})
    found = compared(first, second, truths(edition, locked))
    assert found.kind.tolist() == ["broken", "fixed", "broken"]
    assert len(found.samples(("fixed", "broken"), "joy")) == 2


def test_a_comparison_takes_as_many_queries_for_many_samples(client, django_assert_num_queries):
    small = scene(client, (2, 2, 2, 2))
    with CaptureQueriesContext(connection) as few:
        client.get(comparing(*small))
    large = scene(client, (20, 20, 20, 20))
    with django_assert_num_queries(len(few)):
        client.get(comparing(*large))


# Power


def test_the_power_says_what_the_labels_so_far_could_show(client):
    project, _edition = made(client, 0)
    for number in range(12):
        f.make_sample(project, f"text {number}", split="dev")
    f.make_locked_split(project)
    labelled(project)
    page = page_of(client, f"/projects/{project.pk}/lab/?points=10&apart=20")
    assert re.search(
        r"With 12 labelled samples a gain of 10 points would be seen with chance \d", page
    )
    assert re.search(r"for 80.% label 16\d", page)
    page = page_of(client, f"/projects/{project.pk}/lab/?points=30&apart=20")
    assert "cannot be larger than the share" in page


# The test split


def test_the_test_split_shows_nothing_before_a_look_is_counted(client):
    project, first, second = scene(client, (20, 10, 3, 7), "test")
    url = comparing(project, first, second, "test")
    page = page_of(client, url)
    assert "This is a look at the test split" in page
    assert "0.0923" not in page
    assert "fixed" not in page.replace("Fixed and broken", "").split("This is a look")[1]
    assert not Look.objects.exists()


def test_a_look_is_counted_once_for_the_same_answers(client):
    project, first, second = scene(client, (20, 10, 3, 7), "test")
    url = f"/projects/{project.pk}/lab/look/"
    shown = client.post(url, {"first": first.pk, "second": second.pk}, follow=True)
    assertContains(shown, "0.0923")
    assertContains(shown, "1 look at the test split: held against 0.05")
    client.post(url, {"first": second.pk, "second": first.pk})
    assert Look.objects.count() == 1
    assert Look.objects.get().user == shown.wsgi_request.user
    # A correction is another answer: what it shows is another look.
    answer = Annotation.objects.first()
    f.make_annotation(answer.round_item, answer.annotator, "no", supersedes=answer)
    page = page_of(client, comparing(project, first, second, "test"))
    assert "There was 1 look before this one" in page
    client.post(url, {"first": first.pk, "second": second.pk})
    assert Look.objects.count() == 2


def test_every_look_makes_all_comparisons_on_the_test_split_stricter(client):
    project, first, second = scene(client, (20, 10, 1, 9), "test")
    third = f.make_machine(project, first.codebook, name="third")
    for sample in project.samples.all():
        f.make_suggestion(third, sample, YES)
    url = f"/projects/{project.pk}/lab/look/"
    shown = client.post(url, {"first": first.pk, "second": second.pk}, follow=True)
    assertContains(shown, "Chance alone hardly makes such a gain")  # p = 0.0117
    for others in ((first, third), (second, third)):
        client.post(url, {"first": others[0].pk, "second": others[1].pk})
    page = page_of(client, comparing(project, first, second, "test"))
    assert "3 looks at the test split: held against 0.0167 (Bonferroni)" in page
    found = compared(first, second, truths(project.edition(), LockedSplit.objects.get()), 3)
    assert found.paired.level == pytest.approx(0.05 / 3)
    assert found.paired.better
    strict = compared(first, second, truths(project.edition(), LockedSplit.objects.get()), 5)
    assert strict.paired.better is None


def test_the_command_counts_its_looks_too(client):
    project, first, second = scene(client, (20, 10, 3, 7), "test")

    def run(*options):
        out = io.StringIO()
        pair = ("--compare", str(first.pk), str(second.pk), "--split", "test")
        call_command("lab", str(project.pk), *pair, *options, "--json", stdout=out)
        return json.loads(out.getvalue())

    with pytest.raises(CommandError, match="is counted"):
        run()
    manager = project.memberships.filter(role="manager").get().user
    said = run("--as", manager.username)
    assert (said["fixed"], said["broken"], said["looks"]) == (10, 3, 1)
    assert round(said["p"], 4) == 0.0923


def test_the_command_tries_a_draft_and_says_where_the_lab_stands(client):
    project, _edition = made(client)
    lock(client, project)
    redraft(project, yes="Only a plain yes.")
    out = io.StringIO()
    call_command("lab", str(project.pk), "--try", "--json", stdout=out)
    assert json.loads(out.getvalue())["trial"] == 2
    out = io.StringIO()
    call_command("lab", str(project.pk), "--json", stdout=out)
    said = json.loads(out.getvalue())
    assert said["splits"]["dev"] == {"locked": True, "size": 10, "answered": 0, "intact": True}
    assert said["trials"] == [2]


# Answers by old rules


@pytest.mark.parametrize(
    ("texts", "fields", "stale"),
    [
        ({"yes": "Otherwise."}, {}, ("yes",)),
        ({"no": None}, {}, ("no",)),
        ({"yes": "Otherwise.", "no": None}, {}, ("yes", "no")),
        ({}, {"instructions": "Read twice."}, ("yes", "no", "maybe")),
        ({"yes": "Otherwise."}, {"instructions": "Read twice."}, ("yes",)),
        ({}, {}, ()),
    ],
)
def test_what_a_change_of_meaning_leaves_in_doubt(client, texts, fields, stale):
    project, edition = made(client, 0, ("yes", "no", "maybe"))
    draft = redraft(project, **texts)
    Codebook.objects.filter(pk=draft.pk).update(**fields)
    draft.labels.filter(slug="maybe").update(key="9", position=0)  # neither is a rule
    draft.refresh_from_db()
    assert outdated(edition.rules(), draft.rules()) == stale


def answered(project, said, overlap=1, **fields):
    """A closed matter: each sample with the answers that people gave, by the newest edition."""
    people = [f.make_annotator(project) for _ in range(overlap)]
    texts = [f"said {number} of {f.make_sample(project).pk}" for number in range(len(said))]
    round_ = f.make_round(project, texts, people, overlap=overlap, **fields)
    for item, answers in zip(round_.items.order_by("rank"), said, strict=True):
        for person, answer in zip(people, answers, strict=True):
            f.make_annotation(item, person, answer)
    return round_


def test_exactly_the_samples_with_a_stale_answer_are_asked_about_anew(client):
    project, _edition = made(client, 5)
    round_ = answered(project, [["yes", "no"], ["no", "no"], ["yes", "yes"], ["no", "no"]], 2)
    newer = published_on(project, yes="Only a plain yes.")
    page = page_of(client, f"/projects/{project.pk}/lab/")
    assert "3 answers by the old rule of “Yes” (edition 1) are stale" in page
    assert "Open a relabel round for these 2 samples" in page
    assert "3 answers by the old rule" in page_of(client, f"/codebooks/{newer.pk}/")
    key = "00000000-0000-4000-8000-000000000000"
    for _click in range(2):
        client.post(f"/codebooks/{newer.pk}/relabel/", {"key": key})
    relabel = project.rounds.get(strategy="relabel")
    items = list(relabel.items.order_by("sample").values_list("sample", "inclusion", "stratum"))
    mine = list(
        round_.items.filter(rank__in=[0, 2]).order_by("sample").values_list("sample", flat=True)
    )
    assert items == [(sample, None, "relabel") for sample in mine]
    assert (relabel.overlap, relabel.codebook, relabel.state) == (2, newer, "open")
    assert relabel.assignments.count() == 4
    assert relabel.parameters["options"] == {"labels": ["Yes"], "former": 1}
    assert "being asked anew about all of them" in page_of(client, f"/projects/{project.pk}/lab/")


def test_a_large_relabel_round_is_left_to_the_worker(client, settings):
    settings.DRAW_AT_ONCE = 1
    project, _edition = made(client, 0)
    answered(project, [["yes"], ["yes"], ["no"]])
    newer = published_on(project, yes="Only a plain yes.")
    key = "00000000-0000-4000-8000-000000000000"
    client.post(f"/codebooks/{newer.pk}/relabel/", {"key": key})
    relabel = project.rounds.get(strategy="relabel")
    assert (relabel.state, relabel.items.count()) == ("drawing", 0)
    assert draws.work_on_due()
    relabel.refresh_from_db()
    assert (relabel.state, relabel.items.count()) == ("open", 2)


def test_other_pages_begin_anew_with_a_meaning_and_live_with_relabelled_samples(client):
    project, edition = made(client, 0)
    answered(project, [["yes"], ["no"], ["yes"]])
    newer = published_on(project, yes="Only a plain yes.")
    machine = f.make_machine(project, newer)
    for sample in project.samples.all():
        f.make_suggestion(machine, sample, YES)
    client.post(f"/codebooks/{newer.pk}/relabel/")
    relabel = project.rounds.get(strategy="relabel")
    for item in relabel.items.all():
        f.make_annotation(item, f.make_annotator(project), "no")
    for name in ("agreement", "reliability", "certificate", "rounds", "samples", "planner"):
        assert client.get(f"/projects/{project.pk}/{name}/").status_code == 200
    page = page_of(client, f"/projects/{project.pk}/agreement/?edition={newer.number}")
    assert "not measurable yet" in page
    assert (
        client.get(f"/projects/{project.pk}/agreement/?edition={edition.number}").status_code == 200
    )


def test_answers_that_were_asked_of_more_people_are_asked_of_as_many_again(client):
    project, _edition = made(client, 0)
    answered(project, [["yes"], ["no"]])
    answered(project, [["yes", "yes", "no"]], 3)
    newer = published_on(project, yes="Only a plain yes.")
    client.post(f"/codebooks/{newer.pk}/relabel/")
    drawn = project.rounds.filter(strategy="relabel").order_by("overlap")
    assert [(round_.overlap, round_.items.count()) for round_ in drawn] == [(1, 1), (3, 1)]


def test_a_change_of_wording_makes_nothing_stale(client):
    project, _edition = made(client, 0)
    answered(project, [["yes"], ["no"]])
    newer = published_on(project, "wording", yes="A yes, in other words.")
    assert stale_answers(newer).answers == 0
    response = client.post(f"/codebooks/{newer.pk}/relabel/", follow=True)
    assertContains(response, "there is nothing to relabel")


def test_who_answers_anew_settles_it_and_a_closed_round_leaves_the_rest_due(client):
    project, _edition = made(client, 0)
    answered(project, [["yes"], ["yes"], ["no"]])
    newer = published_on(project, yes="Only a plain yes.")
    client.post(f"/codebooks/{newer.pk}/relabel/")
    relabel = project.rounds.get(strategy="relabel")
    f.make_annotation(relabel.items.first(), f.make_annotator(project), "no")
    stale = stale_answers(newer)
    assert (stale.answers, int(stale.due.sum()), stale.carried) == (1, 0, 1)
    client.post(f"/rounds/{relabel.pk}/close/")
    assert stale_answers(newer).due.tolist() == [True]
    client.post(f"/codebooks/{newer.pk}/relabel/")
    assert project.rounds.filter(strategy="relabel").latest("pk").items.count() == 1


def test_a_second_change_of_meaning_adds_to_what_is_stale(client):
    project, _edition = made(client, 0)
    round_ = answered(project, [["yes"], ["no"]])
    second = published_on(project, yes="Only a plain yes.")
    assert stale_answers(second).samples.tolist() == [round_.items.get(rank=0).sample_id]
    third = published_on(project, no="Only a plain no.")
    assert len(stale_answers(third).samples) == 2
    response = client.post(f"/codebooks/{second.pk}/relabel/", follow=True)
    assertContains(response, "A newer edition is in force")


def test_a_relabel_round_works_on_every_page_and_in_an_export(client, tmp_path, snapshot_db):
    project, _edition = made(client, 0)
    manager = project.memberships.get(role="manager").user
    answered(project, [["yes"], ["no"]])
    newer = published_on(project, yes="Only a plain yes.")
    client.post(f"/codebooks/{newer.pk}/relabel/")
    relabel = project.rounds.get(strategy="relabel")
    assertContains(client.get(f"/projects/{project.pk}/rounds/"), "Relabel by edition 2")
    page = page_of(client, f"/rounds/{relabel.pk}/")
    assert "followed a rule whose meaning has changed" in page
    assert "edition 1 or before" in page
    person = relabel.seats.exclude(user=manager).get().user
    client.force_login(person)
    assertContains(client.get(f"/rounds/{relabel.pk}/review/"), "Only a plain yes.")
    f.make_annotation(relabel.items.get(), person, "no")
    out = tmp_path / "out.jsonl"
    call_command("export", str(project.pk), "--out", str(out))
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    mine = next(row for row in rows if row["sample_id"] == relabel.items.get().sample_id)
    assert (mine["final_label"], mine["final_edition"]) == ("no", 2)


def test_in_the_lab_answers_of_unchanged_labels_carry_over_and_stale_ones_do_not(client):
    project, edition = made(client, 0, ("yes", "no"))
    samples = [f.make_sample(project, f"text {n}", split="dev") for n in range(4)]
    locked = f.make_locked_split(project)
    person = f.make_annotator(project)
    round_ = f.make_round(project, samples=samples)
    for item, said in zip(round_.items.order_by("rank"), ("yes", "no", "no", "yes"), strict=True):
        f.make_annotation(item, person, said)
    newer = published_on(project, yes="Only a plain yes.")
    read = truths(newer, locked)
    assert read.value.tolist() == [-1, 1, 1, -1]
    assert read.stale.tolist() == [True, False, False, True]
    assert read.carried.tolist() == [False, True, True, False]
    client.post(f"/codebooks/{newer.pk}/relabel/")
    relabel = project.rounds.get(strategy="relabel")
    f.make_annotation(relabel.items.get(sample=samples[0]), person, "no")
    read = truths(newer, locked)
    assert read.value.tolist() == [1, 1, 1, -1]
    assert read.stale.tolist() == [False, False, False, True]
    # Chosen samples measure by the lot that first drew them.
    assert read.inclusion.tolist() == [1, 1, 1, 1]
    assert truths(edition, locked).value.tolist() == [0, 1, 1, 0]


# Pages


def test_each_stage_says_the_next_step(client):
    project = f.make_project()
    client.force_login(f.make_manager(project))
    url = f"/projects/{project.pk}/lab/"
    assertContains(client.get(url), "No edition yet")
    edition = f.make_codebook(project)
    page = page_of(client, url)
    for words in ("Import samples", "Nobody is writing a draft", "No machine has labelled"):
        assert words in page
    assertContains(client.get(f"{url}compare/"), "Nothing to compare yet")
    for number in range(4):
        f.make_sample(project, f"text {number}")
    assertContains(client.get(url), "Draw and lock it")
    draft = codebooks.start_draft(project, None)
    assertContains(client.get(url), "change a rule, then try it")
    Label.objects.filter(codebook=draft, slug="yes").update(definition="Otherwise.")
    assertContains(client.get(url), "Try this draft")
    lock(client, project, size=4)
    assertContains(client.get(url), "Nobody has labelled it yet")
    trial = trials.try_draft(draft)
    assertContains(client.get(url), f"Its text is frozen as trial {trial.number}")
    first, second = machines(project, edition, trial, (1, 1, 1, 1))
    page = client.get(comparing(project, first, second))
    assertContains(page, "Nobody has labelled this split yet")
    assertContains(client.get(comparing(project, first, second, "test")), "not locked")
    assertContains(client.get(comparing(project, first, first)), "as good as itself")


def test_the_link_to_label_a_split_fills_in_the_form_of_a_round(client):
    project, _edition = made(client)
    lock(client, project)
    link = re.search(r'href="(/projects/\d+/rounds/new/[^"]+split=dev[^"]*)"', client.get(
        f"/projects/{project.pk}/lab/"
    ).content.decode())[1].replace("&amp;", "&")  # fmt: skip
    form = client.get(link).content.decode()
    assert '<option value="dev" selected>' in form
    assert '<option value="uniform" selected>' in form
    assert 'value="100%"' in form


def test_only_managers_enter_the_lab(client):
    project, first, second = scene(client, (2, 2, 2, 2))
    draft = codebooks.start_draft(project, None)
    for make in (f.make_annotator, f.make_adjudicator):
        client.force_login(make(project))
        for path in ("lab/", "lab/compare/"):
            assert client.get(f"/projects/{project.pk}/{path}").status_code == 404
        posts = (f"/codebooks/{draft.pk}/try/", f"/codebooks/{project.edition().pk}/relabel/")
        for url in (
            *posts,
            f"/projects/{project.pk}/lab/look/",
            f"/projects/{project.pk}/lab/splits/",
        ):
            assert client.post(url, {"first": first.pk, "second": second.pk}).status_code == 404
    assert not Look.objects.exists()


def test_a_lot_reads_the_ids_it_was_drawn_from(client):
    """The hash of the frame and of the split are those of their ids, in decimal, one a line."""
    project, _edition = made(client, 6)
    row = splits.lock_split(project, "test", 2, 5)
    assert len(row.hash) == len(row.drawn["frame"]["hash"]) == 64
    assert row.drawn["frame"]["filter"] == {"split": "pool", "drawn": False}
