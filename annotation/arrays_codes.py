"""What is compared, and stored codes as numbers."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from annotation.models import Codebook, MachineAnnotator, Project, Round
from annotation.task_types.base import UNSURE, LabelRule, Rules
from synthlab.science.agreement import MISSING

UNKNOWN = -2  # an answer with a label that the edition does not have
NOT_SURE = -3


@dataclass(frozen=True)
class Moment:
    """The newest row of each table whose rows are only ever added: what had been said by then."""

    annotation: int
    adjudication: int
    suggestion: int


@dataclass(frozen=True)
class Scope:
    """What is compared: rounds that followed an edition (or one that differs in wording only),
    and a machine annotator; as of now unless a moment is named."""

    project: Project
    edition: Codebook
    rules: Rules
    rounds: tuple[Round, ...]
    machine: MachineAnnotator | None
    until: Moment | None = None

    @property
    def multiple(self) -> bool:
        return self.project.task.multiple

    @cached_property
    def labels(self) -> tuple[LabelRule, ...]:
        """In the codebook's order; ratings in the order of their scale."""
        if self.project.task.level == "nominal":
            return self.rules.labels
        return tuple(sorted(self.rules.labels, key=lambda label: label.number or 0))

    @property
    def scale(self) -> tuple[float, ...] | None:
        """The points of a rating scale, or None."""
        numbers = [label.number for label in self.labels]
        if self.project.task.level == "nominal" or None in numbers:
            return None
        return tuple(number for number in numbers if number is not None)


class Coder:
    """Stored codes to numbers: a label's place, or one column of 0 and 1 for each label."""

    def __init__(self, scope: Scope):
        self.slugs = [label.slug for label in scope.labels]
        self.multiple = scope.multiple
        self.shape = (len(self.slugs),) if scope.multiple else ()
        self._known: dict[str | None, np.ndarray | int] = {}

    def numbers(self, codes: list[str | None]) -> np.ndarray:
        """(n,) or (n, labels); MISSING, UNKNOWN and NOT_SURE fill a whole row."""
        kind = np.int8 if self.multiple else np.int64
        read = [self._number(code) for code in codes]
        return np.array(read, dtype=kind).reshape(len(codes), *self.shape)

    def _number(self, code):
        if code not in self._known:
            self._known[code] = self._decoded(code)
        return self._known[code]

    def _decoded(self, code):
        if self.multiple:
            ticked = set(code.split("|")) - {""} if code is not None else set()
            filled = self._odd(code, ticked)
            row = [slug in ticked for slug in self.slugs] if filled == 0 else filled
            return np.array(row, dtype=np.int8) * np.ones(len(self.slugs), dtype=np.int8)
        return self._odd(code, {code}) or self.slugs.index(code)

    def _odd(self, code, slugs):
        if code is None:
            return MISSING
        if UNSURE in slugs:
            return NOT_SURE
        return 0 if slugs <= set(self.slugs) else UNKNOWN
