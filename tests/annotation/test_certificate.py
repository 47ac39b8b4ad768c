"""The certificate: which labels may be released unseen, the promise, and what it lacks."""

import json
import uuid
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from pytest_django.asserts import assertContains, assertNotContains

from annotation.actions.draws import Design, draw_round
from annotation.arrays_certificate import labelled_by_people
from annotation.models import Adjudication, Annotation, Assignment, Codebook, Round, Sample
from annotation.reports.certificate import report
from annotation.reports.certificate_audits import Asked
from annotation.reports.certificate_words import next_step
from annotation.reports.scope import scope_of
from annotation.task_types.base import UNSURE
from synthlab.science.thresholds import errors_allowed
from tests import factories as f
from tests.annotation.test_agreement import make_samples, open_round, suggest

pytestmark = pytest.mark.django_db


class Study:
    """Samples that are all truly "yes"; a machine that says "no" where it is `wrong`, and has not
    yet labelled the first `late` of them."""

    def __init__(self, confidence, wrong, late=0, **fields):
        self.project = f.make_project(**fields)
        self.edition = f.make_codebook(self.project)
        self.machine = f.make_machine(self.project)
        self.annotator = f.make_annotator(self.project)
        self.samples = make_samples(self.project, len(wrong))
        self.ids = np.array([sample.pk for sample in self.samples])
        self.wrong = np.asarray(wrong, dtype=bool)
        self.confidence = np.asarray(confidence, dtype=float)
        self.label(slice(late, None))

    def label(self, rows):
        """The machine says what it thinks of these samples."""
        slugs = ["no" if x else "yes" for x in self.wrong[rows]]
        suggest(self.machine, self.samples[rows], slugs, self.confidence[rows])

    def draw(self, budget, audit="", strategy="uniform", seed=1, **fields):
        fields = {
            "codebook": self.edition,
            "machine": self.machine,
            "purpose": Round.Purpose.AUDIT,
            "annotators": (self.annotator,),
            **fields,
        }
        return draw_round(self.project, Design(
            strategy=strategy, budget=str(budget), audit=str(audit), seed=seed, **fields
        ))  # fmt: skip

    def audit(self, m, **fields):
        """A uniform round of m samples that is answered in full."""
        round_ = self.draw(m, **fields)
        answer(round_, self.annotator)
        return round_

    def report(self, error=0.1, confidence=0.95, edition=None, machine=None):
        scope = scope_of(self.project, edition or self.edition, [], machine or self.machine)
        return report(Asked(scope, error, confidence))


def answer(round_, annotator, items=None, slug="yes", code="", **fields):
    """Answer these items (all of them) and close their seats."""
    items = list(round_.items.order_by("rank")) if items is None else list(items)
    value = round_.project.task.value([slug], round_.codebook.rules())
    Annotation.objects.bulk_create(
        Annotation(
            project=round_.project,
            sample_id=item.sample_id,
            round_item=item,
            annotator=annotator,
            codebook=round_.codebook,
            value=value,
            code=code or round_.project.task.code(value),
            client_key=uuid.uuid4(),
            **{"blind": True, "seconds": 4.0, **fields},
        )
        for item in items
    )
    seats = Assignment.objects.filter(round_item__in=items)
    seats.update(state="done", annotator=annotator, closed_at=now())


def spread(n):
    """Different confidences, falling by sample."""
    return np.linspace(0.999, 0.5, n)


def page(client, study, query="", user=None, **headers):
    client.force_login(user or f.make_manager(study.project))
    return client.get(f"/projects/{study.project.pk}/certificate/{query}", headers=headers)


def said(study, *args):
    out = StringIO()
    call_command("certificate", str(study.project.pk), "--json", *args, stdout=out)
    return json.loads(out.getvalue())


def errors_released(study, found):
    """How many wrong labels of the machine a release by this certificate would hold."""
    if not found.certified:
        return 0
    kept = study.confidence >= found.promise.threshold
    people = labelled_by_people(found.asked.scope)
    return int((study.wrong & kept & ~np.isin(study.ids, people)).sum())


@pytest.mark.parametrize(
    ("strategy", "budget", "audit", "levels"),
    [("uniform", "60", "", 120), ("least_confidence", "20", "60", 2)],
    ids=["uniform, no ties", "audit part beside the least sure, two confidences"],
)
def test_the_promise_is_broken_in_at_most_alpha_of_the_draws(strategy, budget, audit, levels):
    # One error more than the rule allows, all among the surest: nothing breaks it more often.
    n, error, alpha, times = 200, 0.1, 0.2, 30
    allowed = int(error * n)
    errors = allowed + 1 + errors_allowed(n, 60, allowed, alpha)
    study = Study(1 - np.arange(n) // (n / levels) / n, np.arange(n) < errors)
    broken = 0
    for seed in range(times):
        with transaction.atomic():
            answer(study.draw(budget, audit, strategy, seed), study.annotator)
            broken += errors_released(study, study.report(error, 1 - alpha)) > allowed
            transaction.set_rollback(True)
    assert 0 < broken <= times * (alpha + 2 * np.sqrt(alpha * (1 - alpha) / times))


def test_the_line_lies_where_the_exact_rule_draws_it_and_counts_add_up(client):
    # The 60 least sure of 400 are wrong. All 400 are audited but 100.
    study = Study(spread(400), np.arange(400) >= 340)
    round_ = study.audit(300)
    found = study.report(0.05)
    audit, promise = found.audit, found.promise
    assert (audit.size, audit.released, audit.allowed, len(audit.frame)) == (300, 400, 20, 400)
    assert audit.right + audit.wrong == 300
    drawn = set(round_.items.values_list("sample", flat=True))
    errors = [i for i in range(340, 400) if study.ids[i] in drawn]
    stop = errors[audit.survives]
    assert promise.threshold == pytest.approx(study.confidence[stop - 1])
    unseen = sum(study.ids[i] not in drawn for i in range(stop))
    assert (promise.accepted, promise.to_label) == (unseen, 100 - unseen)
    assert promise.covered == promise.accepted + promise.to_label + promise.by_people == 400
    assert errors_released(study, found) <= 20
    assert [miss.number for miss in promise.misses if miss.stops] == [audit.survives + 1]
    response = page(client, study)
    assertContains(response, f'<p class="value">{promise.accepted}</p>')
    assertContains(response, "until then it does not")
    assertContains(response, "rounds/new/?strategy=least_confidence&amp;budget=confidence%3C0.")


def test_samples_of_equal_confidence_stand_or_fall_together():
    # Two levels of confidence; every error is at the lower one.
    study = Study([0.9] * 200 + [0.6] * 200, [False] * 200 + [True] * 100 + [False] * 100)
    study.audit(120)
    promise = study.report(0.05).promise
    assert promise.threshold == 0.9
    drawn_above = 200 - promise.accepted
    assert 0 < drawn_above < 120
    assert promise.to_label == 400 - 120 - promise.accepted


def test_one_confidence_for_all_is_one_step_and_one_error_too_many_rejects_all():
    study = Study([0.8] * 100, [True] * 60 + [False] * 40)
    study.audit(60)
    found = study.report(0.05)
    assert (found.certified, found.reason) == (False, "too_many_errors")
    assert found.promise.to_label == 40  # the promise holds all the same once people have them


def test_with_no_error_allowed_nearly_all_must_have_been_audited():
    study = Study(spread(100), [False] * 100)
    study.audit(90)
    assert study.report(0).reason == "too_small"
    again = Study(spread(100), [False] * 100)
    again.audit(96)
    found = again.report(0)
    assert (found.certified, found.promise.accepted, found.promise.holds) == (True, 4, True)
    assert errors_released(again, found) == 0


def test_where_everything_is_wrong_next_to_nothing_is_accepted(client):
    study = Study(spread(200), [True] * 200)
    study.audit(100)
    found = study.report(0.05)
    assert found.audit.wrong == 100
    assert errors_released(study, found) == found.promise.accepted <= found.audit.allowed == 10
    alike = Study([0.7] * 200, [True] * 200)
    alike.audit(100)
    found = alike.report(0.05)
    assert (found.certified, found.reason) == (False, "too_many_errors")
    assert (found.promise.accepted, found.promise.to_label) == (0, 100)
    assertContains(page(client, alike), "not certifiable yet")


def test_without_a_round_the_page_plans_the_audit_and_opens_the_form_that_draws_it(client):
    study = Study(spread(2000), np.arange(2000) >= 1900)
    found = study.report(0.05)
    assert (found.reason, found.audit, found.plan.taught) == ("no_audit", None, 0)
    planned = found.plan.draw
    assert 30 < planned < 1000
    response = page(client, study)
    assertContains(response, f"{planned} answers are missing")
    link = (
        f"/projects/{study.project.pk}/rounds/new/?strategy=uniform&amp;budget={planned}"
        f"&amp;audit=&amp;purpose=audit&amp;codebook={study.edition.pk}"
        f"&amp;machine={study.machine.pk}"
    )
    assertContains(response, link)
    assertContains(response, "a pilot of 80 samples first")
    form = client.get(response.context["pilot"].url).context["form"]
    assert (form["purpose"].value(), form["budget"].value()) == ("pilot", "80")
    form = client.get(link.replace("&amp;", "&")).context["form"]
    filled = {name: form[name].value() for name in ("strategy", "budget", "audit", "purpose")}
    assert filled == {
        "strategy": "uniform", "budget": str(planned), "audit": "", "purpose": "audit",
    }  # fmt: skip
    study.audit(planned)
    assert study.report(0.05).certified


def test_the_draw_form_takes_no_wish_that_it_would_refuse(client):
    study = Study(spread(5), [False] * 5)
    client.force_login(f.make_manager(study.project))
    query = "strategy=<b>&budget=lots&audit=5%&purpose=war&machine=99999999999999999999&codebook=x"
    form = client.get(f"/projects/{study.project.pk}/rounds/new/?{query}").context["form"]
    assert form["strategy"].value() == "least_confidence"
    assert (form["budget"].value(), form["audit"].value()) == ("15%", "5%")
    assert (form["purpose"].value(), form["codebook"].value()) == ("review", study.edition.pk)
    assert form["machine"].value() == study.machine.pk


def test_each_round_that_cannot_carry_the_promise_says_why():
    study = Study(spread(200), [False] * 200)
    rounds = {
        "pilot": study.audit(20, purpose=Round.Purpose.PILOT),
        "not_blind": study.audit(20, blind=False),
        "not_by_lot": study.audit(20, strategy="least_confidence"),
    }
    rounds |= {"frame_changed": study.audit(20), "uneven": open_round(study.project, [])}
    Sample.objects.filter(pk=rounds["frame_changed"].items.first().sample_id).update(split="dev")
    for rank, chance in enumerate([0.1, 0.2, 0.3]):
        sample = study.samples[rank]
        rounds["uneven"].items.create(sample=sample, rank=rank, stratum="audit", inclusion=chance)
    found = study.report()
    reasons = {refused.reason: refused.round for refused in found.refused}
    assert (found.audit, found.reason, reasons) == (None, "no_audit", rounds)


def test_equal_chances_in_strata_are_no_uniform_draw():
    study = Study(spread(200), [False] * 200)
    frame = study.audit(50).frame
    half = study.samples[::2]
    open_round(study.project, half, 0.5, "stratified", strategy="stratified", frame=frame)
    found = study.report()
    assert [refused.reason for refused in found.refused] == ["uneven"]
    assert found.audit is not None


def test_labels_that_came_after_the_draw_are_never_accepted():
    study = Study(spread(200), [False] * 200, late=30)
    study.audit(120)
    study.label(slice(0, 30))
    promise = study.report().promise
    assert promise.threshold == pytest.approx(study.confidence[-1])
    seen = labelled_by_people(scope_of(study.project, study.edition, [], study.machine))
    assert promise.to_label == 30 - np.isin(study.ids[:30], seen).sum()


def test_a_machine_that_labelled_after_the_draw_is_not_judged_by_it():
    study = Study(spread(200), [False] * 200, late=200)
    study.audit(120, machine=None)
    study.label(slice(None))
    assert [refused.reason for refused in study.report().refused] == ["labelled_later"]


def test_what_is_missing_counts_as_wrong_so_that_an_early_look_accepts_less():
    study = Study(spread(300), np.arange(300) >= 280)
    round_ = study.draw(150)
    items = list(round_.items.order_by("rank"))
    accepted = []
    for start in range(0, 150, 30):
        answer(round_, study.annotator, items[start : start + 30])
        found = study.report()
        assert found.audit.waiting == 120 - start
        threshold = found.promise.threshold or 1
        accepted.append((study.confidence >= threshold).sum())
        assert errors_released(study, found) <= 30
    assert accepted == sorted(accepted)
    assert found.audit.waiting == 0
    assert found.certified


def test_an_audit_without_answers_is_waited_for(client):
    study = Study([0.8] * 100, [False] * 100)
    round_ = study.draw(60)
    assert study.report().reason == "waiting"
    response = page(client, study)
    assertContains(response, "60 samples of the audit still wait for an answer")
    assertContains(response, f'href="/rounds/{round_.pk}/">See the audit')


@pytest.mark.parametrize("how", ["skipped", "unsure", "not blind", "extra", "disputed"])
def test_what_people_did_not_settle_blind_counts_as_wrong(how):
    study = Study(spread(100), [False] * 100)
    round_ = study.draw(80)
    *others, last = round_.items.order_by("rank")
    answer(round_, study.annotator, others)
    if how == "skipped":
        last.assignments.update(state="skipped", annotator=study.annotator)
    else:
        odd = {"unsure": {"code": UNSURE}, "not blind": {"blind": False}, "extra": {"extra": True}}
        answer(round_, study.annotator, [last], **odd.get(how, {}))
    if how == "disputed":
        answer(round_, f.make_annotator(study.project), [last], slug="no")
    found = study.report(0.2)
    assert (found.audit.right, found.audit.unsettled, found.audit.wrong) == (79, 1, 0)
    assert [(miss.sample, miss.wrong) for miss in found.promise.misses] == [(last.sample_id, False)]
    labelled = 80 if how == "not blind" else 79  # seen or not, it is a person's label
    assert found.promise.by_people == labelled
    assert found.promise.covered == found.promise.accepted + found.promise.to_label + labelled


def test_an_adjudicated_label_is_right_only_where_somebody_gave_it_blind():
    study = Study(spread(100), [False] * 100)
    round_ = study.audit(80)
    first, second = round_.items.order_by("rank")[:2]
    other = f.make_annotator(study.project)
    answer(round_, other, [first], slug="no")
    settle(round_, first, "yes", other)
    assert (study.report().audit.right, study.report().audit.wrong) == (80, 0)
    settle(round_, second, "no", other)
    assert (study.report().audit.right, study.report().audit.wrong) == (79, 1)
    third = round_.items.order_by("rank")[2]
    settle(round_, third, "yes", other)
    assert study.report().audit.right == 79


def settle(round_, item, slug, adjudicator):
    value = round_.project.task.value([slug], round_.codebook.rules())
    Adjudication.objects.create(
        project=round_.project, sample_id=item.sample_id, round_item=item, adjudicator=adjudicator,
        codebook=round_.codebook, value=value, code=slug, reason="The rule says so.",
    )  # fmt: skip


def test_the_newest_complete_audit_that_is_large_enough_is_used_and_the_looks_are_counted(client):
    study = Study(spread(600), np.arange(600) >= 560)
    first, second = study.audit(150), study.audit(150)
    study.audit(5)
    unfinished = study.draw(150)
    found = study.report(0.1)
    assert (found.audit.round, found.looks) == (second, 2)
    assert len(found.audit.frame) == 450
    # People had labelled the first audit by then: it counts among the released labels.
    assert (found.audit.released, found.promise.covered) == (600, 600)
    assertContains(page(client, study, "?error=10"), "can claim 90.0")
    answer(unfinished, study.annotator)
    assert study.report(0.1).audit.round == unfinished
    assert first.pk < second.pk


def test_what_people_label_after_the_draw_adds_nothing_to_what_may_be_wrong():
    study = Study(spread(400), [False] * 400)
    outside = study.ids[300:]
    Sample.objects.filter(pk__in=outside[:50]).update(split="dev")
    Sample.objects.filter(pk__in=outside[50:]).update(split="test")
    study.audit(200)
    found = study.report()
    assert (found.audit.released, found.promise.covered, found.promise.uncovered) == (300, 300, 100)
    later = f.make_round(study.project, samples=list(Sample.objects.filter(split="dev")),
                         inclusion=None, codebook=study.edition)  # fmt: skip
    answer(later, study.annotator)
    found = study.report()
    assert (found.audit.released, found.promise.covered, found.promise.uncovered) == (300, 350, 50)


def test_an_edition_of_another_meaning_starts_without_an_audit(client):
    study = Study(spread(100), [False] * 100)
    study.audit(80)
    fields = {"parent": study.edition, "number": 2}
    newer = f.make_codebook(study.project, change=Codebook.Change.MEANING, **fields)
    assert study.report().certified
    assert study.report(edition=newer).reason == "no_audit"
    response = page(client, study, "?edition=1&error=10")
    assertContains(response, "says nothing about a release that follows the newer one")


def test_an_edition_that_differs_in_wording_keeps_the_audit():
    study = Study(spread(100), [False] * 100)
    study.audit(80)
    fields = {"parent": study.edition, "number": 2}
    newer = f.make_codebook(study.project, change=Codebook.Change.WORDING, **fields)
    assert study.report(edition=newer).certified


def test_a_pilot_teaches_the_plan_but_judges_nothing():
    # The machine says that it is sure, and is wrong in every fourth sample.
    sure = np.random.default_rng(3).uniform(0.96, 0.999, 1000)
    study = Study(sure, np.arange(1000) % 4 == 0)
    before = study.report(0.2).plan.audit
    study.audit(200, purpose=Round.Purpose.PILOT)
    found = study.report(0.2)
    assert found.reason == "no_audit"
    assert found.plan.taught == 200
    assert found.plan.audit.missing > before.missing


def test_the_page_is_one_form_that_works_without_javascript_and_answers_htmx_alone(client):
    study = Study(spread(100), [False] * 100)
    study.audit(80)
    whole = page(client, study, "?error=20&confidence=90")
    assertContains(whole, "At most 20.0")
    assertContains(whole, 'value="20"')
    alone = page(client, study, "?error=20&confidence=90", HX_Request="true")
    assertNotContains(alone, "<html")
    assertContains(alone, 'id="certificate"')
    bad = page(client, study, "?error=x&confidence=100")
    assertContains(bad, "Enter a number.", status_code=422)
    assertNotContains(bad, "accepted without", status_code=422)


def test_an_adjudicator_sees_the_step_but_no_button_and_an_annotator_nothing(client):
    study = Study(spread(100), [False] * 100)
    response = page(client, study, user=f.make_adjudicator(study.project))
    assertContains(response, "not certifiable yet")
    assertNotContains(response, "rounds/new")
    assert page(client, study, user=study.annotator).status_code == 404


def test_the_errors_of_the_audit_are_listed_and_lead_managers_to_their_samples(client):
    study = Study(spread(100), [False] * 90 + [True] * 10)
    study.audit(80)
    found = study.report(0.1)
    assert [miss.wrong for miss in found.promise.misses] == [True] * found.audit.wrong
    link = f'href="/samples/{found.promise.misses[0].sample}/"'
    assertContains(page(client, study, "?error=10"), link)
    response = page(client, study, "?error=10", user=f.make_adjudicator(study.project))
    assertContains(response, "said otherwise")
    assertNotContains(response, link)  # samples open to managers only


def test_a_project_without_edition_or_machine_or_samples_says_the_next_step(client):
    project = f.make_project()
    client.force_login(f.make_manager(project))
    address = f"/projects/{project.pk}/certificate/"
    assertContains(client.get(address), "Publish the codebook first")
    f.make_codebook(project)
    assertContains(client.get(address), "No machine has labelled anything yet")
    machine = f.make_machine(project)
    assertContains(client.get(f"{address}?machine={machine.pk}"), "No sample is left")


def test_a_machine_that_states_no_confidence_cannot_be_certified():
    study = Study(np.full(50, np.nan), [False] * 50)
    found = study.report()
    assert (found.reason, found.plan.draw, found.plan.unranked) == ("no_audit", 0, 50)
    assert "states no confidence" in next_step(found).words
    study.audit(40)
    assert [refused.reason for refused in study.report().refused] == ["labelled_later"]


def test_multi_label_answers_are_right_only_as_a_whole():
    study = Study(spread(60), [False] * 60, task_type="multi_label")
    round_ = study.draw(50)
    *others, last = round_.items.order_by("rank")
    answer(round_, study.annotator, others)
    answer(round_, study.annotator, [last], code="no|yes")
    audit = study.report().audit
    assert (audit.right, audit.wrong) == (49, 1)


def test_the_command_says_what_the_page_says():
    study = Study(spread(100), [False] * 100)
    missing = said(study)
    assert (missing["certified"], missing["why"], missing["audit"]) == (False, "no_audit", None)
    assert missing["planned"]["draw"] > 0
    study.audit(80)
    result, found = said(study, "--error", "0.1", "--confidence", "0.9"), study.report(0.1, 0.9)
    assert result["certified"]
    assert result["promise"]["accepted"] == found.promise.accepted == 20
    assert (result["audit"]["released"], result["audit"]["may_be_wrong"]) == (100, 10)
    out = StringIO()
    call_command("certificate", study.project.name, "--error", "0.1", stdout=out)
    assert "20 samples; people label the rest (0)" in out.getvalue()
    with pytest.raises(CommandError, match=r"share from 0 to 0\.5"):
        call_command("certificate", study.project.name, "--error", "5")


def test_queries_do_not_grow_with_the_samples(client):
    counts = []
    for n in (50, 200):
        study = Study(spread(n), [False] * n)
        study.audit(n // 2)
        client.force_login(f.make_manager(study.project))
        with CaptureQueriesContext(connection) as queries:
            client.get(f"/projects/{study.project.pk}/certificate/?error=20")
        counts.append(len(queries))
    assert counts[0] == counts[1] < 60
