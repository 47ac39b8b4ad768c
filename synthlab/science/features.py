"""Texts as short vectors: what they share in words and in runs of characters, without a model.

TF-IDF (Salton & Buckley 1988) of words and of character n-grams, then latent semantic analysis
(Deerwester et al. 1990) by the randomised SVD of Halko, Martinsson & Tropp (2011). Characters do
the work where words are not set apart by spaces (Chinese) or are inflected (Korean).
"""

import unicodedata
from collections.abc import Sequence

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.utils.extmath import randomized_svd

DIMENSIONS = 64
COLUMNS = 2**18  # hashed, so that the vocabulary of a million texts needs no memory
VANISHED = 1e-6  # a dimension this small beside the largest is rounding, not text


def text_features(texts: Sequence[str], seed: int = 0, dimensions: int = DIMENSIONS) -> np.ndarray:
    """Texts as float32 rows of length 1, (texts, at most `dimensions`); a product is the cosine.

    There are fewer columns where the texts span fewer dimensions. A text without a character that
    can be seen is a row of zeros: like nothing else, not even another empty one. The same texts
    with the same seed give the same rows.
    """
    if dimensions < 1:
        raise ValueError("Texts need at least one dimension.")
    if not len(texts):
        return np.zeros((0, 1), dtype=np.float32)
    counted = tfidf(texts)
    counted = counted[:, np.flatnonzero(counted.count_nonzero(axis=0))]
    if not counted.shape[1]:
        return np.zeros((len(texts), 1), dtype=np.float32)
    rank = min(dimensions, *counted.shape)
    left, sizes, _ = randomized_svd(counted, rank, n_iter=4, random_state=seed)
    kept = sizes > VANISHED * sizes[0]
    return unit_rows(left[:, kept] * sizes[kept]).astype(np.float32)


def tfidf(texts: Sequence[str]) -> sparse.csr_array:
    """TF-IDF of words and of runs of one to three characters, each half of equal weight."""
    plain = [_plain(text) for text in texts]
    halves = [_weighted(plain, "word", (1, 1)), _weighted(plain, "char_wb", (1, 3))]
    return sparse.csr_array(sparse.hstack(halves, format="csr"))


def _plain(text: str) -> str:
    """Without case, full-width forms and broken surrogates, which cannot be hashed."""
    seen = unicodedata.normalize("NFKC", text).casefold()
    return seen.encode("utf-8", "replace").decode("utf-8")


def _weighted(texts: list[str], analyzer: str, ngrams: tuple[int, int]) -> sparse.csr_array:
    counts = HashingVectorizer(
        analyzer=analyzer,
        ngram_range=ngrams,
        token_pattern=r"\w+" if analyzer == "word" else None,
        n_features=COLUMNS,
        alternate_sign=False,
        lowercase=False,
        norm=None,
        dtype=np.float32,
    ).transform(texts)
    return sparse.csr_array(TfidfTransformer(sublinear_tf=True).fit_transform(counts))


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Each row divided by its length, in float64; a row of zeros stays one."""
    rows = np.asarray(vectors, dtype=float)
    # The largest entry first: squares of tiny or huge entries would leave the range of floats.
    largest = np.abs(rows).max(axis=1, keepdims=True, initial=0)
    rows = rows / np.where(largest == 0, 1, largest)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length == 0, 1, length))
