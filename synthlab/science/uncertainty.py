"""How unsure is a machine, from its probabilities over the labels? Entropy is in nats.

Every function takes (size, labels) and gives (size,). A row with a NaN is an unknown belief and
stays NaN. With `multiple`, each column is a yes/no probability of its own (multi-label).
"""

import numpy as np
from scipy.special import entr


def confidence(probabilities: np.ndarray, multiple: bool = False) -> np.ndarray:
    """The probability of the answer; for multi-label that of the label it is least sure of."""
    p = np.asarray(probabilities, dtype=float)
    return np.asarray(np.min(np.maximum(p, 1 - p), axis=1) if multiple else np.max(p, axis=1))


def margin(probabilities: np.ndarray, multiple: bool = False) -> np.ndarray:
    """The lead of the answer over the runner-up; for multi-label that of the closest label."""
    p = np.asarray(probabilities, dtype=float)
    if multiple:
        return 2 * confidence(p, multiple) - 1
    if p.shape[1] == 1:
        return confidence(p)
    two = np.partition(p, -2, axis=1)[:, -2:]
    lead = two[:, 1] - two[:, 0]
    return np.where(np.isnan(p).any(axis=1), np.nan, lead)


def entropy(probabilities: np.ndarray, multiple: bool = False, worst: bool = False) -> np.ndarray:
    """Shannon entropy; for multi-label the mean binary entropy of the labels, or the `worst`."""
    p = np.asarray(probabilities, dtype=float)
    if not multiple:
        return np.asarray(entr(p).sum(axis=1))
    binary = entr(p) + entr(1 - p)
    return np.asarray(binary.max(axis=1) if worst else binary.mean(axis=1))
