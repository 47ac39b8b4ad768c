"""What the offline stand-in computes with: our own prompt read back, and texts compared by TF-IDF
over character and word pieces, so that Chinese and Korean work too.
"""

import functools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_union

SHARPNESS = 14.0  # softmax scale of similarities, which seldom differ by more than 0.4
# The lines of a label as our prompt writes them; a text may go on over several lines.
PIECE = re.compile(
    r"^(Name|Point on the scale|Definition|Include when|Exclude when|Example"
    r"|Near miss, belongs elsewhere|  Why): ",
    re.MULTILINE,
)
KEPT = frozenset({"Name", "Definition", "Include when"})
UNSURE_MASS = 0.3  # said where the sample shares nothing with any label

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LabelText:
    slug: str
    words: str  # name, definition and when to include
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """What our own prompt asks: the labels, the sample and the answer section."""

    labels: tuple[LabelText, ...]
    text: str
    answer: str


def read_prompt(prompt: str) -> Asked | None:
    """The parts of a prompt that our techniques wrote; None for any other prompt."""
    note = re.search(r"^The sample stands between lines .* carry the code (\w+)\.", prompt, re.M)
    if note is None:
        return None
    code = note[1]
    fence = rf"^<<<(\w+) {code}>>>\n(.*?)\n<<<end \1 {code}>>>$"
    found = dict(re.findall(fence, prompt, re.M | re.S))
    _, _, answer = prompt.rpartition(f" {code}>>>\n\n# Answer\n")
    text = found.get("text") or "\n".join(found.values())
    return Asked(_labels(prompt[: note.start()]), text, answer)


def _labels(codebook: str) -> tuple[LabelText, ...]:
    _, _, section = codebook.partition("# Labels\n\n")
    section = re.split(r"^# (?:When unsure|Language)$", section, maxsplit=1, flags=re.M)[0]
    labels = []
    for part in re.split(r"^## ", section, flags=re.M)[1:]:
        slug, _, body = part.partition("\n")
        pieces = PIECE.split(f"\n{body}")[1:]  # a heading, its text, and so on
        told = list(zip(pieces[::2], pieces[1::2], strict=True))
        kept = [text.strip() for heading, text in told if heading in KEPT]
        examples = [text.strip() for heading, text in told if heading == "Example"]
        words = " ".join([slug.replace("_", " ").replace("-", " "), *kept])
        labels.append(LabelText(slug.strip(), words, tuple(examples)))
    return tuple(labels)


class Similarity:
    """Compares texts with the labels of one codebook."""

    def __init__(self, labels: Sequence[LabelText]) -> None:
        self.labels = labels
        documents = [
            (i, text) for i, label in enumerate(labels) for text in (label.words, *label.examples)
        ]
        self._owner = np.array([owner for owner, _ in documents])
        self._vectorizer = make_union(
            TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True),
            TfidfVectorizer(token_pattern=r"(?u)\w+", sublinear_tf=True),
        )
        self._matrix = self._vectorizer.fit_transform([text for _, text in documents])

    @functools.lru_cache(maxsize=512)  # noqa: B019 (both caches are small and bounded)
    def scores(self, text: str) -> tuple[float, ...]:
        """For each label the cosine with the closest of its texts; 0 is nothing in common."""
        row = self._vectorizer.transform([text])
        cosines = np.asarray((self._matrix @ row.T).todense()).ravel() / 2  # two unit blocks
        return tuple(
            float(cosines[self._owner == i].max(initial=0.0)) for i in range(len(self.labels))
        )


@functools.lru_cache(maxsize=64)
def similarity_for(labels: tuple[LabelText, ...]) -> Similarity:
    return Similarity(labels)


def choice_shares(scores: Sequence[float], unsure: bool) -> Floats:
    """One probability for each label and, if offered, a last one for "unsure"."""
    weights = np.exp(SHARPNESS * (np.array(scores) - max(scores)))
    shares: Floats = weights / weights.sum()
    if not unsure:
        return shares
    doubt = UNSURE_MASS * math.exp(-SHARPNESS * max(scores))
    return np.append(shares * (1 - doubt), doubt)


def yes_shares(scores: Sequence[float]) -> Floats:
    """For each label on its own, how probable it is that it applies: even where all are alike."""
    values = np.array(scores)
    bar = (values.mean() + values.max()) / 2
    return np.asarray(1 / (1 + np.exp(-2 * SHARPNESS * (values - bar))))
