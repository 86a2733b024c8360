"""Samples grouped by the model's confidence in its predictions."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
ROUNDING = 1e-3
"""By how much the probability of a softmax in float32 or less may exceed 1."""


class Groups(NamedTuple):
    """Groups of samples of equal confidence, the least confident first; arrays of shape (groups,)."""

    confidence: Array
    """Confidence of the samples of each group, in [0, 1]."""
    size: Array
    """Number of samples in each group."""
    share: Array
    """Fraction of correct samples in each group, in [0, 1]."""

    def ends(self) -> Array:
        """Return the number of samples before each group, and of all samples, shape (groups + 1,)."""
        return np.concatenate([[0], np.cumsum(self.size, dtype=np.int64)])

    def gaps(self) -> Array:
        """Return the sum of confidence minus accuracy over the samples before each group, and over all samples."""
        return np.concatenate([[0.0], np.cumsum((self.confidence - self.share) * self.size)])


def validated(confidence: Array, correct: Array) -> tuple[Array, Array]:
    """Return both arrays as float64.

    Args:
        confidence: Softmax probability of the predicted class, in [0, 1], shape (samples,).
        correct: Whether each prediction is correct, bool, shape (samples,).

    Raises:
        ValueError: The shapes differ, there are no samples, or a confidence lies outside [0, 1].
    """
    confidence, correct = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if confidence.ndim != 1 or confidence.shape != correct.shape or not len(confidence):
        raise ValueError(
            f"Two arrays of the same length are needed, got shapes {confidence.shape} and {correct.shape}."
        )
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise ValueError(f"Confidence must be in [0, 1], got {confidence.min()} to {confidence.max()}.")
    return confidence, correct


def group_by_confidence(confidence: Array, correct: Array) -> Groups:
    """Return the samples grouped by confidence, so that their order does not matter.

    Args:
        confidence: Confidence in each prediction, float64, shape (samples,).
        correct: 1 for each correct prediction and 0 for a wrong one, float64, shape (samples,).
    """
    values, group, size = np.unique(confidence, return_inverse=True, return_counts=True)
    return Groups(values, size, np.bincount(group, weights=correct) / size)


def unusable(confidence: Array) -> tuple[str, ...]:
    """Return a flag that counts the confidences that are not a number from 0 to 1; empty if all are.

    Args:
        confidence: Stored confidences, shape (samples,).
    """
    wrong = int((~((confidence >= 0) & (confidence <= 1 + ROUNDING))).sum())
    return (f"the confidence of {wrong} of {len(confidence)} samples is not a number from 0 to 1",) if wrong else ()
