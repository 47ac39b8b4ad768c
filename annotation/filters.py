"""Which samples? One small filter language, the same in lists, frames of rounds and exports.

Nothing here passes a user's words on as names of columns: each question has its own line.
"""

from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import models
from django.db.models.functions import Concat

from annotation.models import Annotation, Project, Round, RoundItem, Sample

SAID = ("id", "code", "confidence", "entropy", "margin")
ABOUT_MACHINE = (
    *("suggested", "predicted"),
    *("confidence_from", "confidence_below", "entropy_from", "entropy_below"),
)
NO_LABEL = "|"  # a multi-label answer that holds none; no slug contains this character


@dataclass(frozen=True)
class SampleFilter:
    """What a sample must be like. What is left out does not matter; all that is said must hold.

    `predicted`, the confidence and the entropy are those of `machine`. Ranges include their lower
    end and not their upper, so that neighbouring ranges share nothing.
    """

    text: str = ""  # contains
    split: str = ""
    reference: bool | None = None  # has a reference label
    answered: bool | None = None  # some person has answered
    answer: str = ""  # a label that some person's answer holds now
    drawn: bool | None = None  # is in a round, of any state but a draw that is not finished
    round: int | None = None
    machine: int | None = None
    suggested: bool | None = None  # the machine has answered
    predicted: str = ""  # a label that the machine's answer holds
    confidence_from: float | None = None
    confidence_below: float | None = None
    entropy_from: float | None = None
    entropy_below: float | None = None

    @property
    def lacks_machine(self):
        """Is something asked about a machine's answer without saying which machine's?"""
        return self.machine is None and any(name in ABOUT_MACHINE for name in self.stated())

    @classmethod
    def of(cls, stored):
        """From what `stated` gave; a name that is unknown here is a mistake and raises."""
        return cls(**stored)

    def stated(self):
        """What was said, as JSON to store."""
        empty = SampleFilter()
        said = asdict(self)
        return {name: value for name, value in said.items() if value != getattr(empty, name)}

    def samples(self, project: Project, at: datetime | None = None) -> models.QuerySet:
        """The visible samples of the project that pass, with the machine's answer as `said_…`.

        With a moment, splits are as they were then: what a lot took from the pool since is in it.
        """
        samples = self._by_people(Sample.objects.visible().filter(project=project), project)
        if self.text:
            samples = samples.filter(text__icontains=self.text)
        if self.split:
            samples = self._by_split(samples, project, at)
        if self.reference is not None:
            samples = samples.filter(reference_code__isnull=not self.reference)
        return samples if self.machine is None else self._by_machine(samples, project)

    def _by_split(self, samples, project, at):
        if at is None:
            return samples.filter(split=self.split)
        later = project.locked_splits.filter(locked_at__gt=at)
        taken = [locked.split for locked in later if locked.by_lot]
        if self.split == Sample.Split.POOL:
            return samples.filter(split__in=[self.split, *taken])
        return samples.filter(split=self.split).exclude(split__in=taken)

    def _by_people(self, samples, project):
        answers = Annotation.objects.filter(sample=models.OuterRef("pk"))
        items = RoundItem.objects.filter(sample=models.OuterRef("pk"))
        if self.answered is not None:
            samples = _where(samples, models.Exists(answers), self.answered)
        if self.answer:
            holding = _holding(answers.current(), self.answer, project.task.multiple)
            samples = samples.filter(models.Exists(holding))
        if self.drawn is not None:
            drawn = items.exclude(round__state=Round.State.DRAWING)
            samples = _where(samples, models.Exists(drawn), self.drawn)
        if self.round is not None:
            samples = samples.filter(models.Exists(items.filter(round=self.round)))
        return samples

    def _by_machine(self, samples, project):
        samples = samples.annotate(**self._said())
        if self.suggested is not None:
            samples = samples.filter(said_id__isnull=not self.suggested)
        if self.predicted:
            samples = _holding(samples, self.predicted, project.task.multiple, "said_code")
        for name in ("confidence", "entropy"):
            lower, upper = getattr(self, f"{name}_from"), getattr(self, f"{name}_below")
            if lower is not None:
                samples = samples.filter(**{f"said_{name}__gte": lower})
            if upper is not None:
                samples = samples.filter(**{f"said_{name}__lt": upper})
        return samples

    def _said(self):
        """The machine's answer beside each sample, as columns: every question about it then asks
        the same join, where `said__…` in a filter would join the suggestions once more."""
        its = models.Q(suggestions__machine=self.machine)
        columns = {f"said_{name}": models.F(f"said__{name}") for name in SAID}
        return {"said": models.FilteredRelation("suggestions", condition=its), **columns}


def _where(samples, condition, wanted):
    return samples.filter(condition) if wanted else samples.exclude(condition)


def _holding(rows, slug, multiple, column="code"):
    """The rows whose answer is this label or, where answers are multi-label, holds it."""
    if not multiple or slug == NO_LABEL:
        return rows.filter(**{column: "" if slug == NO_LABEL else slug})
    edged = Concat(models.Value("|"), column, models.Value("|"), output_field=models.TextField())
    return rows.annotate(edged=edged).filter(edged__contains=f"|{slug}|")
