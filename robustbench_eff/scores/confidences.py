"""Samples in the order of a model's confidence in them."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]


class Groups(NamedTuple):
    """Samples of equal confidence, from the least confident to the most; arrays of one length."""

    confidence: Array
    size: Array
    share: Array
    """Of correct samples, in [0, 1]."""

    def ends(self) -> Array:
        """How many samples there are before each group, and in all."""
        return np.concatenate([[0], np.cumsum(self.size, dtype=np.int64)])

    def gaps(self) -> Array:
        """The sum of confidence less accuracy over the samples before each group, and in all."""
        return np.concatenate([[0.0], np.cumsum((self.confidence - self.share) * self.size)])


def checked(confidence: Array, correct: Array) -> tuple[Array, Array]:
    """Both as float64; raises ValueError where they are no confidences and answers of the same samples."""
    confidence, correct = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if confidence.ndim != 1 or confidence.shape != correct.shape or not len(confidence):
        raise ValueError(f"Two arrays of one length are needed, got shapes {confidence.shape} and {correct.shape}.")
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise ValueError(f"Confidence must be in [0, 1], got {confidence.min()} to {confidence.max()}.")
    return confidence, correct


def by_confidence(confidence: Array, correct: Array) -> Groups:
    """Samples of equal confidence taken together, so that the order of the samples does not matter."""
    values, group, size = np.unique(confidence, return_inverse=True, return_counts=True)
    return Groups(values, size, np.bincount(group, weights=correct) / size)


def drawn(groups: Groups, counts: Array) -> Groups:
    """What is left of the groups where every sample is drawn so often; groups may be empty.

    `counts`, shape (samples,), belong to the samples in order of confidence, among equals the correct ones first.
    """
    if len(groups.size) == len(counts):
        return groups._replace(size=counts)
    before = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    ends = np.cumsum(groups.size)
    starts = ends - groups.size
    right = before[starts + np.rint(groups.share * groups.size).astype(np.int64)] - before[starts]
    size = before[ends] - before[starts]
    return groups._replace(size=size, share=right / np.maximum(size, 1))
