"""Machines that label, and what they said."""

from django.db import models
from django.utils.timezone import now

from annotation.models.codebook import Codebook
from annotation.models.project import Project
from annotation.models.sample import Sample


class MachineAnnotatorQuerySet(models.QuerySet):
    def standing(self):
        """Those that follow a published edition; a machine of a tried draft is for the lab only."""
        return self.filter(codebook__state=Codebook.State.PUBLISHED)

    def asked(self):
        """Those that were asked themselves; a student only learned from one of them."""
        return self.exclude(kind=MachineAnnotator.Kind.STUDENT)


class MachineAnnotator(models.Model):
    """A frozen way for a machine to label. Change anything and it is another one."""

    class Kind(models.TextChoices):
        LLM = "llm"
        STUDENT = "student"

    project = models.ForeignKey(Project, models.CASCADE, related_name="machines")
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=7, choices=Kind, default=Kind.LLM)
    endpoint = models.CharField(max_length=300, blank=True)  # scheme://host:port/path, no key
    model = models.CharField(max_length=200)
    technique = models.CharField(max_length=40)
    technique_version = models.PositiveSmallIntegerField(default=1)
    codebook = models.ForeignKey(Codebook, models.PROTECT, related_name="machines")
    decoding = models.JSONField(default=dict)  # the technique's options and sampling parameters
    fingerprint = models.CharField(max_length=64)  # sha256 over everything above but the name
    created_at = models.DateTimeField(default=now)

    objects = MachineAnnotatorQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("project", "fingerprint", name="machine_annotator_once")
        ]


class Suggestion(models.Model):
    """A machine annotator's answer to a sample, with a probability for every label."""

    class Source(models.TextChoices):
        LOGPROBS = "logprobs"
        VOTES = "votes"
        PROMPTS = "prompts"
        VERBALIZED = "verbalized"
        STUDENT = "student"

    machine = models.ForeignKey(MachineAnnotator, models.CASCADE, related_name="suggestions")
    sample = models.ForeignKey(Sample, models.CASCADE, related_name="suggestions")
    value = models.JSONField()
    code = models.CharField(max_length=500, blank=True)
    probabilities = models.JSONField()  # {slug: probability}
    source = models.CharField(max_length=10, choices=Source)
    covered_mass = models.FloatField(null=True)
    # Uncertainty of the raw probabilities; null is "not stated" and is never taken for 0.5.
    confidence = models.FloatField(null=True)
    entropy = models.FloatField(null=True)
    margin = models.FloatField(null=True)
    rationale = models.TextField(blank=True)
    # One answer for each way of asking, where several were asked: [{"prompt", "code"}]; a code
    # of null could not be read.
    votes = models.JSONField(null=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint("machine", "sample", name="suggestion_once")]
        indexes = [
            models.Index(fields=["machine", "confidence", "id"], name="suggestion_by_confidence"),
            models.Index(fields=["machine", "code", "id"], name="suggestion_by_code"),
        ]
