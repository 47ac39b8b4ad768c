"""Which samples should people label next? One strategy per file, all of them listed here."""

from synthlab.science.selection.active import UncertaintyWeighted
from synthlab.science.selection.base import Strategy
from synthlab.science.selection.co_annotating import CoAnnotating
from synthlab.science.selection.expected_error import ExpectedError
from synthlab.science.selection.k_means import KMeansCentres
from synthlab.science.selection.k_medoids import KMedoids
from synthlab.science.selection.least_confidence import LeastConfidence
from synthlab.science.selection.margin import Margin
from synthlab.science.selection.max_entropy import MaxEntropy
from synthlab.science.selection.stratified import Stratified
from synthlab.science.selection.student_disagreement import StudentDisagreement
from synthlab.science.selection.uniform import Uniform
from synthlab.science.selection.vote_k import FastVoteK, VoteK

_LISTED: tuple[type[Strategy], ...] = (
    Uniform,
    Stratified,
    UncertaintyWeighted,
    ExpectedError,
    LeastConfidence,
    MaxEntropy,
    Margin,
    CoAnnotating,
    StudentDisagreement,
    VoteK,
    FastVoteK,
    KMeansCentres,
    KMedoids,
)

STRATEGIES = {strategy.name: strategy for strategy in _LISTED}


def choices() -> list[tuple[str, str]]:
    return [(name, strategy.label) for name, strategy in STRATEGIES.items()]
