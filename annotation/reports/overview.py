"""Where the loop of a project stands, and the one next step."""

from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, Sum
from django.urls import reverse
from django.utils.translation import gettext as _

from annotation.models import Assignment, Release, RoundAnnotator, Sample, SampleImport, Suggestion
from annotation.models.codebook import Codebook


@dataclass(frozen=True)
class Station:
    """One part of the loop: how far it is, in numbers."""

    name: str
    url: str
    value: int
    words: str
    done: bool
    machine: bool = False
    current: bool = False


@dataclass(frozen=True)
class Step:
    """What to do next, and where."""

    words: str
    button: str
    url: str


@dataclass(frozen=True)
class Overview:
    stations: tuple[Station, ...]
    step: Step
    edition: Codebook | None


def overview(project):
    """Five numbers and the next step, in a fixed number of queries."""
    counts = _counts(project)
    edition = project.edition()
    step, current = _next_step(project, edition, counts)
    stations = _stations(project, counts)
    marked = (
        Station(**{**vars(station), "current": position == current})
        for position, station in enumerate(stations)
    )
    return Overview(tuple(marked), step, edition)


def _counts(project):
    machine = project.machines.standing().asked().order_by("-pk").first()
    labelled = Suggestion.objects.filter(machine=machine).count() if machine else 0
    seats = dict(
        Assignment.objects.filter(round__project=project)
        .values_list("state")
        .annotate(n=Count("pk"))
    )
    waiting = SampleImport.objects.filter(
        project=project, state__in=[SampleImport.State.UPLOADED, SampleImport.State.STAGED]
    )
    twice = RoundAnnotator.objects.filter(round__project=project).aggregate(n=Sum("done"))["n"]
    return {
        "samples": Sample.objects.visible().filter(project=project).count(),
        "imports": waiting.count(),
        "machine": machine,
        "labelled": labelled,
        "open": seats.get("open", 0) + seats.get("leased", 0),
        "answers": seats.get("done", 0),
        "by_people": twice or 0,
        "compared": _compared(project, machine),
        "releases": project.releases.filter(state=Release.State.DONE).count(),
    }


def _compared(project, machine):
    """Samples that both people and the newest machine annotator have labelled."""
    if machine is None:
        return 0
    said = Suggestion.objects.filter(machine=machine, sample=OuterRef("sample"))
    answers = project.annotations.filter(Exists(said))
    return answers.values("sample").distinct().count()


def _stations(project, counts):
    def at(name):
        return reverse(f"annotation:{name}", args=[project.pk])

    return (
        Station(
            _("Samples"),
            at("samples"),
            counts["samples"],
            _("to be labelled"),
            done=counts["samples"] > 0,
        ),
        Station(
            _("Model labels"),
            at("machines"),
            counts["labelled"],
            _("by %(name)s") % {"name": counts["machine"].name}
            if counts["machine"]
            else _("no machine annotator yet"),
            done=0 < counts["samples"] <= counts["labelled"],
            machine=True,
        ),
        Station(
            _("Review"),
            at("rounds"),
            counts["answers"],
            _("answers by people, %(n)d seats open") % {"n": counts["open"]},
            done=counts["answers"] > 0 and counts["open"] == 0,
        ),
        Station(
            _("Compare"),
            at("agreement"),
            counts["compared"],
            _("samples labelled by both"),
            done=counts["compared"] > 0,
        ),
        Station(
            _("Export"),
            at("releases"),
            counts["releases"],
            _("releases"),
            done=counts["releases"] > 0,
        ),
    )


def _next_step(project, edition, counts):
    """The first thing that is missing, and the station it belongs to (None: the codebook)."""

    def at(name):
        return reverse(name, args=[project.pk])

    if edition is None:
        words = _("Write the codebook and publish its first edition: people and model need it.")
        return Step(words, _("Open the codebook"), at("annotation:codebook")), None
    if not counts["samples"]:
        words = _("Import the samples that are to be labelled.")
        return Step(words, _("Import samples"), at("annotation:sample_import")), 0
    if not counts["labelled"]:
        words = _("Let a model label every sample, so that you see which ones need people.")
        return Step(words, _("Start a label run"), at("generation:run_new")), 1
    if not counts["open"] and not counts["answers"]:
        words = _("Draw a round: the samples the model is least sure of go to people.")
        return Step(words, _("Draw a review round"), at("annotation:round_new")), 2
    if counts["open"]:
        words = _("%(n)d seats are waiting for people.") % {"n": counts["open"]}
        return Step(words, _("See the rounds"), at("annotation:rounds")), 2
    words = _("Everything asked for is answered. See where people and the model differ.")
    return Step(words, _("Compare"), at("annotation:agreement")), 3
