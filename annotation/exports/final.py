"""Which label is final: an adjudicator's before people's, people's before a machine's.

A machine's label is "corrected" where a student, taught by people's answers, gave another.

Answers given before the meaning of the rules changed do not mix with later ones: only what
follows the newest meaning counts.
"""

from collections import Counter
from typing import Any, NamedTuple

ADJUDICATED, PEOPLE, MODEL, DISPUTED = "adjudicated", "people", "model", "disputed"
CORRECTED = "corrected"
SOURCES = (ADJUDICATED, PEOPLE, MODEL, CORRECTED, DISPUTED)


class Answer(NamedTuple):
    """One current answer of a person. `meaning` counts changes of meaning up to its edition."""

    who: int
    code: str
    label: Any
    edition: int
    meaning: int


class Final(NamedTuple):
    """`votes` of `voters` people gave the label; both None when no vote decided."""

    label: Any = None
    source: str | None = None
    edition: int | None = None
    votes: int | None = None
    voters: int | None = None


def decide(settled: list[Answer], answers: list[Answer], machine: Final) -> Final:
    """`settled` and `answers` are ordered by when they were given; a later answer of the same
    person, in another round, replaces their earlier one. A tie for the most votes is disputed
    and leaves no label: a machine must not settle what people disagree on."""
    if not settled and not answers:
        return machine
    if len(answers) == 1 and not settled:
        return Final(answers[0].label, PEOPLE, answers[0].edition, 1, 1)
    newest = max(answer.meaning for answer in (*settled, *answers))
    settled = [answer for answer in settled if answer.meaning == newest]
    if settled:
        return Final(settled[-1].label, ADJUDICATED, settled[-1].edition)
    voices = {answer.who: answer for answer in answers if answer.meaning == newest}
    votes = Counter(answer.code for answer in voices.values()).most_common(2)
    (code, most), *others = votes
    if others and others[0][1] == most:
        return Final(None, DISPUTED, None, most, len(voices))
    winners = [answer for answer in voices.values() if answer.code == code]
    edition = max(answer.edition for answer in winners)
    return Final(winners[0].label, PEOPLE, edition, most, len(voices))
