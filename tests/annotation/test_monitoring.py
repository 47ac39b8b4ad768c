"""When a round may be judged: looks at a fixed plan are counted, a monitor bears them."""

import json
from io import StringIO
from uuid import uuid4

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from annotation.actions.looks import look_at
from annotation.arrays import hash_of
from annotation.models import Assignment, Look, Round, RoundItem
from annotation.reports import monitors
from annotation.reports.monitors import monitoring
from synthlab.science.monitoring import monitor
from tests import factories as f

pytestmark = pytest.mark.django_db
ANYTIME = {"target": 0.7, "alpha": 0.05}


def make_study(n, frame=None, overlap=1, drawn=lambda rank, chance: ("audit", chance), **fields):
    """A machine that says "yes" to everything, and an open round of n samples; `drawn` says of
    each rank by which part of the draw it came, and with what chance."""
    project = f.make_project()
    f.make_codebook(project)
    annotators = [f.make_annotator(project) for _ in range(overlap)]
    fields = {"monitor": ANYTIME, "machine": f.make_machine(project), "seed": 1, **fields}
    samples = [f.make_sample(project, f"text {rank}") for rank in range(n)]
    for sample in samples[1:] if fields.pop("first_unlabelled", False) else samples:
        if fields["machine"]:
            f.make_suggestion(fields["machine"], sample, {"yes": 0.8, "no": 0.2})
    ids = np.array([sample.pk for sample in samples])
    fields |= {"frame": {"size": frame or 10 * n, "hash": hash_of(ids), "filter": {}}}
    fields |= {"strategy": "uniform", "overlap": overlap, "codebook": project.edition()}
    round_ = Round.objects.create(project=project, name="Audit", state="open", **fields)
    for rank, sample in enumerate(samples):
        part, chance = drawn(rank, n / round_.frame["size"])
        item = RoundItem.objects.create(
            round=round_, sample=sample, rank=rank, stratum=part, inclusion=chance
        )
        for seat in range(1, overlap + 1):
            Assignment.objects.create(round=round_, round_item=item, seat=seat, priority=rank)
    return round_, annotators


def answer(round_, annotator, said):
    """`said` has an answer (True: as the machine) for each rank."""
    items = {item.rank: item for item in round_.items.select_related("sample", "round__project")}
    for rank, right in said.items():
        f.make_annotation(items[rank], annotator, "yes" if right else "no")


def manager_of(client, round_):
    manager = f.make_manager(round_.project)
    client.force_login(manager)
    return manager


# The monitor


def test_evidence_and_band_are_those_of_the_answers_in_the_order_of_the_lot():
    round_, (annotator,) = make_study(30, frame=200)
    said = np.random.default_rng(2).random(30) < 0.8
    order = np.random.default_rng(3).permutation(30)
    answer(round_, annotator, {int(rank): bool(said[rank]) for rank in order})
    found = monitoring(round_)
    expected = monitor(said.astype(float), 0.7, 0.05, 200)
    assert [point.evidence for point in found.points] == pytest.approx(expected.trail.tolist())
    assert found.last.share == pytest.approx(said.mean())
    assert (found.last.low, found.last.high) == pytest.approx(expected.interval)
    assert (found.drawn, found.beyond, found.unsettled) == (30, 0, 0)


def test_what_is_answered_out_of_turn_waits_so_that_easy_samples_declare_nothing():
    """People answer what is easy first, and there the machine is right: taken in the order of
    arrival, those twenty answers would reach the target; in that of the lot three count."""
    round_, (annotator,) = make_study(40)
    easy = {rank: True for rank in range(0, 40) if rank not in (3, 5, 8, 11)}
    answer(round_, annotator, easy)
    assert monitor(np.ones(len(easy)), 0.7, 0.05, 400).declared_at is not None
    found = monitoring(round_)
    assert (found.found.n, found.beyond) == (3, 33)
    assert found.decision == monitors.OPEN
    answer(round_, annotator, dict.fromkeys((3, 5, 8, 11), False))
    assert monitoring(round_).found.n == 40


def test_it_decides_that_the_target_is_reached_or_missed_and_that_stands(client):
    round_, (annotator,) = make_study(40)
    manager_of(client, round_)
    answer(round_, annotator, dict.fromkeys(range(25), True))
    found = monitoring(round_)
    at = found.found.declared_at
    assert found.decision == monitors.ABOVE
    assertContains(client.get(f"/rounds/{round_.pk}/"), f"decided after {at} samples")
    answer(round_, annotator, dict.fromkeys(range(25, 40), False))
    assert monitoring(round_).found.declared_at == at
    poor, (annotator,) = make_study(40)
    answer(poor, annotator, {rank: rank % 4 == 0 for rank in range(40)})
    assert monitoring(poor).decision == monitors.BELOW


def test_what_nobody_settles_counts_as_wrong_and_widens_the_band():
    round_, people = make_study(12, overlap=2)
    answer(round_, people[0], dict.fromkeys(range(12), True))
    assert monitoring(round_).found is None  # second seats are open
    answer(round_, people[1], {rank: rank > 1 for rank in range(12)})  # two disputed
    found = monitoring(round_)
    right = np.arange(12) > 1
    assert found.unsettled == 2
    assert found.found.trail.tolist() == monitor(right.astype(float), 0.7, 0.05, 120).trail.tolist()
    assert found.last.low == monitor(right.astype(float), 0.7, 0.025, 120).interval[0]
    assert found.last.high == 1.0


def test_a_sample_that_the_machine_did_not_label_is_not_right():
    round_, (annotator,) = make_study(5, first_unlabelled=True)
    answer(round_, annotator, dict.fromkeys(range(5), True))
    assert monitoring(round_).last.share == pytest.approx(0.8)


def test_of_a_whole_frame_only_what_the_lot_ordered_is_taken():
    """All of it has a known chance, but the main part came in the order of the machine's doubt."""
    round_, (annotator,) = make_study(
        10, 10, drawn=lambda rank, chance: ("audit" if rank % 3 == 0 else "margin", chance)
    )
    answer(round_, annotator, dict.fromkeys(range(10), True))
    assert (monitoring(round_).drawn, monitoring(round_).found.n) == (4, 4)
    ordered, _people = make_study(5, 5, drawn=lambda rank, chance: ("margin", chance))
    assert monitoring(ordered).obstacle == monitors.NOT_BY_LOT


def test_the_page_shows_evidence_band_chart_and_table(client):
    round_, (annotator,) = make_study(30)
    manager_of(client, round_)
    assertContains(client.get(f"/rounds/{round_.pk}/"), "has no answer yet")
    answer(round_, annotator, {rank: rank != 4 for rank in range(9)})
    answer(round_, annotator, {20: True})
    page = client.get(f"/rounds/{round_.pk}/")
    for words in (
        "Not decided after 9 samples",
        "from 9 of the 30 samples",
        "it takes 20",
        "1 sample further on is answered",
        "at any time, by a monitor",
        'data-chart="share-chart"',
    ):
        assertContains(page, words)
    assert [point.n for point in page.context["monitoring"].rows] == list(range(1, 10))
    assert not Look.objects.exists()  # a monitor may be looked at


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"drawn": lambda rank, chance: ("margin", None)}, "was drawn by lot"),
        ({"drawn": lambda rank, chance: ("audit", chance / (rank + 1))}, "different chances"),
        ({"blind": False}, "before they answer"),
        ({"machine": None}, "has no machine"),
    ],
)
def test_a_design_that_cannot_be_monitored_says_why_and_leads_on(client, fields, words):
    round_, (annotator,) = make_study(6, **fields)
    answer(round_, annotator, {0: True})
    manager_of(client, round_)
    page = client.get(f"/rounds/{round_.pk}/")
    assertContains(page, "Not measurable yet.")
    assertContains(page, words)
    link = page.context["step"].url
    form = client.get(link).context["form"]
    assert (form.initial["strategy"], form.initial["purpose"]) == ("uniform", "audit")
    assert form["judged"].initial == "anytime"


# Choosing


def designed(project, **changes):
    return {
        "name": "First round",
        "purpose": "review",
        "codebook": project.edition().pk,
        "strategy": "uniform",
        "machine": project.machines.first().pk,
        "budget": "3",
        "overlap": 1,
        "blind": "on",
        "annotators": [f.make_annotator(project).pk],
        "seed": 5,
        "key": str(uuid4()),
        "judged": "anytime",
        "target": "0.85",
        "alpha": "0.1",
        **changes,
    }


@pytest.fixture
def project():
    project = f.make_project()
    f.make_codebook(project)
    machine = f.make_machine(project)
    for i in range(6):
        sample = f.make_sample(project, f"text {i}")
        f.make_suggestion(machine, sample, {"yes": 0.5 + i / 20, "no": 0.5 - i / 20})
    return project


@pytest.fixture
def manager(client, project):
    manager = f.make_manager(project)
    client.force_login(manager)
    return manager


def draw(client, project, **changes):
    return client.post(f"/projects/{project.pk}/rounds/new/", designed(project, **changes))


def test_a_round_is_judged_at_its_end_unless_a_monitor_is_chosen(client, project, manager):
    draw(client, project)
    assert Round.objects.get().monitor == {"target": 0.85, "alpha": 0.1}
    again = {"frame-drawn": ""}
    draw(client, project, judged="end", target="7", **again)
    draw(client, project, judged="", **again)
    assert Round.objects.filter(monitor__isnull=True).count() == 2
    draw(client, project, target="", alpha="", **again)
    assert Round.objects.latest("pk").monitor == {"target": 0.9, "alpha": 0.05}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": "1.2"}, "A number between 0 and 1, such as 0.9."),
        ({"target": "nan"}, "Enter a number."),
        ({"alpha": "0"}, "A number between 0 and 1, such as 0.05."),
        ({"machine": ""}, "A monitor judges a machine"),
        ({"blind": ""}, "needs blind answers"),
        ({"strategy": "uncertainty_weighted"}, "equal chances"),
    ],
)
def test_a_monitor_that_cannot_be_is_refused_by_name(client, project, manager, changes, words):
    response = draw(client, project, **changes)
    assertContains(response, words, status_code=422)
    assert not Round.objects.exists()


def test_without_an_audit_part_the_round_says_that_there_is_nothing_to_go_by(
    client, project, manager
):
    draw(client, project, strategy="least_confidence")
    assertContains(client.get(f"/rounds/{Round.objects.get().pk}/"), "Add an audit part.")


def test_it_can_still_be_chosen_before_a_drawn_round_is_opened(client, project, manager):
    draw(client, project, judged="end", look="1")
    round_ = Round.objects.get()
    assertContains(client.get(f"/rounds/{round_.pk}/"), "When it may be judged")
    wrong = client.post(f"/rounds/{round_.pk}/open/", {"judged": "anytime", "target": "-1"})
    assertContains(wrong, "A number between 0 and 1", status_code=422)
    round_.refresh_from_db()
    assert (round_.state, round_.monitor) == ("drawn", None)
    sent = {"judged": "anytime", "target": "0.8", "alpha": ""}
    assertRedirects(client.post(f"/rounds/{round_.pk}/open/", sent), f"/rounds/{round_.pk}/")
    client.post(f"/rounds/{round_.pk}/open/", {"judged": "end"})  # too late
    round_.refresh_from_db()
    assert (round_.state, round_.monitor) == ("open", {"target": 0.8, "alpha": 0.05})


def test_opening_with_a_monitor_that_has_nothing_to_go_by_is_refused(client, project, manager):
    draw(client, project, judged="end", look="1", strategy="least_confidence")
    round_ = Round.objects.get()
    refused = client.post(f"/rounds/{round_.pk}/open/", {"judged": "anytime"})
    assertContains(refused, "was drawn by lot", status_code=422)


def test_the_command_draws_with_a_monitor(project):
    out = StringIO()
    args = [project.name, "--budget", "3", "--monitor", "0.8", "--alpha", "0.02", "--json"]
    call_command("draw", *args, stdout=out)
    assert json.loads(out.getvalue())["monitor"] == {"target": 0.8, "alpha": 0.02}
    assert Round.objects.get().monitor == {"target": 0.8, "alpha": 0.02}
    with pytest.raises(CommandError, match="between 0 and 1"):
        call_command("draw", project.name, "--budget", "1", "--monitor", "1.5")


# Looks


PAGES = ("agreement", "reliability", "certificate", "quality")


@pytest.mark.parametrize("page", PAGES)
def test_figures_seen_before_the_end_are_counted_once_for_each_number_of_answers(client, page):
    round_, (annotator,) = make_study(12, frame=12, monitor=None)
    answer(round_, annotator, {0: True, 1: False})
    manager = manager_of(client, round_)
    address = f"/projects/{round_.project_id}/{page}/"
    for _ in range(2):
        response = client.get(address)
    [seen] = Look.objects.all()
    assert (seen.answers, seen.user, seen.subject) == (2, manager, f"round {round_.pk}")
    answer(round_, annotator, {2: True})
    response = client.get(address)
    assert Look.objects.count() == 2
    assertContains(response, "3 of 12 answers")
    assertContains(response, "2 times")
    assertContains(response, "hold for one look at the end")


def test_with_all_answers_nothing_is_counted_any_more_but_what_was_seen_is_said(client):
    round_, (annotator,) = make_study(12, monitor=None)
    manager_of(client, round_)
    address = f"/projects/{round_.project_id}/agreement/"
    assertNotContains(client.get(address), "looked at")  # no answer was there to be seen
    answer(round_, annotator, dict.fromkeys(range(11), True))
    client.get(address)
    answer(round_, annotator, {11: True})
    page = client.get(address)
    assertContains(page, "looked at 1 time before all answers were in")
    assertNotContains(page, "12 of 12 answers")
    assert Look.objects.count() == 1


def test_a_round_that_was_closed_early_and_one_with_a_monitor_say_so(client):
    round_, (annotator,) = make_study(12, monitor=None)
    answer(round_, annotator, {0: True})
    manager_of(client, round_)
    address = f"/projects/{round_.project_id}/agreement/"
    Round.objects.update(state="closed")
    assertContains(client.get(address), "closed before the end")
    Round.objects.update(state="open", monitor=ANYTIME)
    assertContains(client.get(address), "may be looked at any time")


def test_only_seats_of_samples_drawn_by_lot_are_planned():
    def drawn(rank, chance):
        return ("audit", chance) if rank < 5 else ("margin", None)

    round_, (annotator,) = make_study(8, monitor=None, drawn=drawn)
    answer(round_, annotator, {0: True, 1: True, 6: True})
    Assignment.objects.filter(round_item__rank=2).update(state="skipped", annotator=annotator)
    [plan] = look_at([round_], None)
    assert (plan.answers, plan.asked, plan.looks, plan.finished) == (2, 4, 1, False)
    chosen, _people = make_study(3, drawn=lambda rank, chance: ("margin", None))
    assert look_at([chosen], None) == []


def test_the_command_counts_and_states_looks():
    round_, (annotator,) = make_study(12, monitor=None)
    answer(round_, annotator, {0: True, 1: False})
    out = StringIO()
    call_command("agreement", round_.project.name, "--json", stdout=out)
    [plan] = json.loads(out.getvalue())["plans"]
    assert plan == {"round": round_.pk, "answers": 2, "asked": 12, "looks": 1, "monitor": None}


def test_a_certificate_by_the_command_is_a_look_too():
    round_, (annotator,) = make_study(12, frame=12, monitor=None)
    answer(round_, annotator, {0: True, 1: False})
    call_command("certificate", round_.project.name, "--json", stdout=StringIO())
    assert Look.objects.get().answers == 2
