"""Which samples should people label next? One strategy per file, all of them listed here."""

from synthlab.science.selection.base import Strategy
from synthlab.science.selection.least_confidence import LeastConfidence
from synthlab.science.selection.margin import Margin
from synthlab.science.selection.max_entropy import MaxEntropy
from synthlab.science.selection.uniform import Uniform

_LISTED: tuple[type[Strategy], ...] = (Uniform, MaxEntropy, LeastConfidence, Margin)

STRATEGIES = {strategy.name: strategy for strategy in _LISTED}


def choices() -> list[tuple[str, str]]:
    return [(name, strategy.label) for name, strategy in STRATEGIES.items()]
