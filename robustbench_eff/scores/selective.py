"""What a model's confidence is worth for declining to answer."""

from __future__ import annotations

import numpy as np

from .confidences import Array, Groups, by_confidence, checked


def aurc(confidence: Array, correct: Array) -> float:
    """Area under the risk-coverage curve, in [0, 1]: the mean over k of the error of the k most confident samples.

    `confidence` in [0, 1] and `correct`, both (samples,). Equal confidences count as their mean over all orders.
    Raises ValueError for lengths that differ, for no sample and for a confidence outside [0, 1].
    Source: Geifman, Uziel & El-Yaniv 2019, arXiv:1805.08206 (AURC).
    """
    groups = by_confidence(*checked(confidence, correct))
    return area(groups, groups.ends(), weights(len(confidence)))


def area(groups: Groups, ends: Array, weight: Array) -> float:
    """AURC of samples already in order, with the `weights` of so many samples."""
    # In a random order of equal confidences the expected number of errors grows evenly.
    return float((1 - groups.share) @ np.diff(weight[ends]))


def weights(samples: int) -> Array:
    """What so many errors add to AURC, shape (samples + 1,), if they are the least confident samples.

    A sample is among the k most confident for every k from its own rank on.
    """
    added: Array = np.cumsum(1 / np.arange(samples, 0, -1)) / samples
    return np.concatenate([[0.0], np.cumsum(added)])
