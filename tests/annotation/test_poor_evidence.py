"""Poor evidence on every page of figures: a figure or a sentence, never NaN, never a traceback.

Each case is a project that someone will have one day; each page is asked for it, and so are the
commands, the keeping of figures and the students.
"""

import json
import re

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from annotation.actions.estimates import NothingToKeep, keep, recompute
from annotation.actions.students import CannotLearn, start_student, work_on_due
from annotation.models import Round, Suggestion
from annotation.reports.scope import rounds_under, scope_of
from tests import factories as f

pytestmark = pytest.mark.django_db
PAGES = ("quality", "agreement", "reliability", "certificate", "planner", "lab")
STRATEGIES = ("expected_error", "vote_k", "stratified", "uniform")


class Made:
    """A project with `n` samples, of which the first `answered` were drawn by lot and answered."""

    def __init__(self, n=30, answered=20, slugs=("yes", "no"), text="text {0}", **drawn):
        self.project = f.make_project()
        self.codebook = f.make_codebook(self.project, slugs)
        self.people = [f.make_annotator(self.project) for _ in range(2)]
        self.machine = f.make_machine(self.project)
        self.samples = [f.make_sample(self.project, text.format(i)) for i in range(n)]
        self.slugs, self.rng = slugs, np.random.default_rng(5)
        self.drawn = {"inclusion": answered / n, "frame": {"size": n}, **drawn}
        self.answered = self.samples[:answered]

    def suggests(self, says=None, beliefs=None):
        """The machine's labels; by default some label with some confidence."""
        for place, sample in enumerate(self.samples):
            slug = says(place) if says else self.slugs[place % len(self.slugs)]
            sure = float(self.rng.uniform(0.5, 1))
            rest = (1 - sure) / max(1, len(self.slugs) - 1)
            shares = {name: sure if name == slug else rest for name in self.slugs}
            f.make_suggestion(self.machine, sample, beliefs(slug) if beliefs else shares)
        return self

    def answers(self, says=None, overlap=1):
        """One answer, or two, to each sample of a round."""
        people = self.people[:overlap]
        round_ = f.make_round(
            self.project,
            samples=self.answered,
            annotators=people,
            overlap=overlap,
            machine=self.machine,
            **self.drawn,
        )
        for place, item in enumerate(round_.items.order_by("rank")):
            for person in people:
                slug = says(place) if says else self.slugs[int(self.rng.integers(len(self.slugs)))]
                f.make_annotation(item, person, slug)
        return self


def unlike_probabilities():
    """Beliefs that add up to 0.4 or to 1.7, stored by some earlier hand."""
    made = Made().suggests().answers()
    stored = Suggestion.objects.filter(machine=made.machine)
    rows = [
        Suggestion(
            machine=made.machine,
            sample=row.sample,
            value=row.value,
            code=row.code,
            source=row.source,
            probabilities={"yes": 0.2, "no": 0.2} if row.pk % 2 else {"yes": 0.9, "no": 0.8},
            confidence=0.2 if row.pk % 2 else 0.9,
            entropy=0.3,
            margin=0.0,
        )
        for row in stored
    ]
    made.machine = f.make_machine(made.project, name="odd sums")
    for row in rows:
        row.machine = made.machine
    Suggestion.objects.bulk_create(rows)
    return made


def no_probabilities():
    made = Made()
    for sample in made.samples:
        Suggestion.objects.create(
            machine=made.machine,
            sample=sample,
            value=made.project.task.value(["yes"], made.codebook.rules()),
            code="yes",
            probabilities={},
            source="verbalized",
        )
    return made.answers()


def mixed_with_a_chosen_round():
    """One round by lot, one that took the least sure for certain: its chances are null."""
    made = Made(n=60).suggests().answers()
    made.answered, made.drawn = made.samples[20:40], {"inclusion": None, "stratum": "margin"}
    return made.answers()


CASES = {
    "nothing but samples": lambda: Made(),
    "a machine and nobody": lambda: Made().suggests(),
    "people and no machine": lambda: Made().answers(),
    "one sample": lambda: Made(n=1, answered=1).suggests().answers(),
    "one label": lambda: Made(slugs=("only",)).suggests().answers(),
    "all answers equal": lambda: Made().suggests().answers(lambda _: "yes"),
    "the machine always says the same": lambda: Made().suggests(lambda _: "no").answers(),
    "nobody ever differs": lambda: (
        Made().suggests(lambda n: "yes").answers(lambda n: "yes", overlap=2)
    ),
    "the machine is never right": lambda: Made().suggests(lambda _: "no").answers(lambda _: "yes"),
    "always just as sure": lambda: (
        Made().suggests(beliefs=lambda slug: {"yes": 0.5, "no": 0.5}).answers()
    ),
    "no probabilities": no_probabilities,
    "probabilities that do not add up": unlike_probabilities,
    "empty texts": lambda: Made(text=" ").suggests().answers(),
    "the same text again and again": lambda: Made(text="same").suggests().answers(),
    "500 labels": lambda: Made(slugs=tuple(f"label-{i}" for i in range(500))).suggests().answers(),
    "only chosen samples": lambda: Made(inclusion=None, stratum="margin").suggests().answers(),
    "rounds by lot and by choice": mixed_with_a_chosen_round,
}


@pytest.fixture(params=CASES, ids=[name.replace(" ", "_") for name in CASES])
def made(request, settings, tmp_path):
    settings.FEATURE_DIR = tmp_path / "features"
    return CASES[request.param]()


def sound(text):
    """No number that is none, and nothing that a program says to itself."""
    plain = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    odd = re.search(r"\b(nan|NaN|inf|Infinity)\b|>\s*None\s*<", plain)
    assert odd is None, plain[odd.start() - 200 : odd.end() + 200]
    assert len(text) < 4_000_000
    for data in re.findall(r'<script[^>]*application/json">(.*?)</script>', text, re.DOTALL):
        assert "NaN" not in data
        assert "Infinity" not in data


def test_every_page_has_a_figure_or_says_why_not(made, client):
    client.force_login(f.make_manager(made.project))
    for name in PAGES:
        response = client.get(reverse(f"annotation:{name}", args=[made.project.pk]))
        assert response.status_code == 200, name
        sound(response.content.decode())
    response = client.get(reverse("annotation:machine", args=[made.machine.pk]))
    assert response.status_code == 200
    sound(response.content.decode())


def test_figures_are_kept_and_come_out_the_same(made):
    scope = scope_of(made.project, made.codebook, rounds_under(made.codebook), made.machine)
    try:
        kept = keep(scope)
    except NothingToKeep:
        assert not Round.objects.exists()
        return
    assert recompute(kept[0]).same
    json.dumps([one.result for one in kept], allow_nan=False)


def test_a_student_learns_or_says_what_is_missing(made):
    try:
        student = start_student(made.machine)
    except CannotLearn as why:
        problem = str(why)
    else:
        problem = ""
        work_on_due()
        for row in student.suggestions.all():
            assert 0 <= row.confidence <= 1
            assert sum(row.probabilities.values()) == pytest.approx(1)
    assert problem == "" or len(problem) > 20


def test_a_round_larger_than_its_pool_is_drawn_or_says_why_not(made):
    free = made.project.samples.filter(round_items=None).count()
    for strategy in STRATEGIES:
        args = ["--strategy", strategy, "--budget", "50", "--audit", "5", "--seed", "1"]
        try:
            call_command("draw", str(made.project.pk), *args, "--machine", str(made.machine.pk))
        except CommandError as why:
            problem, drawn = str(why), 0
        else:
            problem, drawn = "", free
        assert problem == "" or len(problem) > 20
        if drawn:
            assert Round.objects.latest("pk").items.count() == free
            return
