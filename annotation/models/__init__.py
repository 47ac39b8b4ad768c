"""The tables of the data set and of every judgement about it."""

from annotation.models.account import Invitation, SignInAttempt, User
from annotation.models.answer import Adjudication, Annotation, CodebookNote
from annotation.models.codebook import Codebook, Label
from annotation.models.estimate import CalibrationMap, Estimate, Look
from annotation.models.features import FeatureTable
from annotation.models.forecast import Forecast
from annotation.models.machine import MachineAnnotator, Suggestion
from annotation.models.project import Membership, Project
from annotation.models.release import Release
from annotation.models.round import Assignment, Round, RoundAnnotator, RoundItem, RoundRanking
from annotation.models.sample import RefusedRow, Sample, SampleImport
from annotation.models.split import LockedSplit

__all__ = [
    "Adjudication",
    "Annotation",
    "Assignment",
    "CalibrationMap",
    "Codebook",
    "CodebookNote",
    "Estimate",
    "FeatureTable",
    "Forecast",
    "Invitation",
    "Label",
    "LockedSplit",
    "Look",
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
