"""The tables of the data set and of every judgement about it."""

from annotation.models.account import Invitation, SignInAttempt, User
from annotation.models.answer import Adjudication, Annotation, CodebookNote
from annotation.models.codebook import Codebook, Label
from annotation.models.features import FeatureTable
from annotation.models.machine import MachineAnnotator, Suggestion
from annotation.models.project import Membership, Project
from annotation.models.release import Release
from annotation.models.round import Assignment, Round, RoundAnnotator, RoundItem, RoundRanking
from annotation.models.sample import RefusedRow, Sample, SampleImport

__all__ = [
    "Adjudication",
    "Annotation",
    "Assignment",
    "Codebook",
    "CodebookNote",
    "FeatureTable",
    "Invitation",
    "Label",
    "MachineAnnotator",
    "Membership",
    "Project",
    "RefusedRow",
    "Release",
    "Round",
    "RoundAnnotator",
    "RoundItem",
    "RoundRanking",
    "Sample",
    "SampleImport",
    "SignInAttempt",
    "Suggestion",
    "User",
]
