"""One sample on its way through a technique: what is read, what is still to be asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from annotation.task_types.base import Rules, TaskType
from generation.llm.base import Reply
from generation.techniques.base import (
    Judgement,
    Rejection,
    Step,
    StepReading,
    Technique,
    again,
)

TRIES_AT_A_STEP = 2  # the answer, and once more where `again` sees a point in it


@dataclass(eq=False)
class Labelling:
    """The steps of a technique for one sample. Pure: equal replies lead to equal conclusions."""

    technique: Technique
    rules: Rules
    task_type: TaskType
    fields: Mapping[str, str]
    seed: int
    steps: list[Step] = field(init=False)
    results: dict[int, StepReading | Rejection] = field(default_factory=dict)
    tries: dict[int, int] = field(default_factory=dict)  # the number of the try at each step
    follow_up: int | None = None  # which step is the follow-up, once it is known

    def __post_init__(self) -> None:
        self.steps = list(self.technique.steps(self.rules, self.task_type, self.fields, self.seed))

    def missing(self) -> list[int]:
        """The steps that have no result yet."""
        return [index for index in range(len(self.steps)) if index not in self.results]

    def number(self, index: int) -> int:
        return self.tries.get(index, 1)

    def read(self, index: int, reply: Reply) -> StepReading | Rejection:
        """What the reply to this step says; the labelling goes on from there.

        After a rejection that asking again may mend, the step is missing still, as its next try.
        """
        reading = self.technique.read(self.steps[index], reply, self.rules, self.task_type)
        better = None
        if isinstance(reading, Rejection) and self.number(index) < TRIES_AT_A_STEP:
            better = again(self.steps[index], reply, reading)
        if better is None:
            self.results[index] = reading
        else:
            self.steps[index] = better
            self.tries[index] = self.number(index) + 1
        return reading

    def conclusion(self) -> Judgement | Rejection | None:
        """What the sample's answers amount to; None while a step is missing."""
        if self.missing():
            return None
        judgement = self._combined()
        if isinstance(judgement, Judgement) and self.follow_up is None:
            step = self.technique.follow_up(
                judgement, self.rules, self.task_type, self.fields, self.seed
            )
            if step is not None:
                self.follow_up = len(self.steps)
                self.steps.append(step)
                return None
        return judgement

    def _combined(self) -> Judgement | Rejection:
        """A follow-up that failed takes nothing away from the answer it followed."""
        results = [
            self.results[index]
            for index in range(len(self.steps))
            if index != self.follow_up or isinstance(self.results[index], StepReading)
        ]
        return self.technique.combine(results, self.rules, self.task_type)
