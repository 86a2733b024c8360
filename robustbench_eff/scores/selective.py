"""Selective classification: the risk of a model that answers only where it is most confident."""

from __future__ import annotations

import numpy as np

from .confidences import Array, Groups, group_by_confidence, validated


def aurc(confidence: Array, correct: Array) -> float:
    """Return the area under the risk-coverage curve, in [0, 1]: the mean over k of the error of the top k samples.

    Samples are ordered by confidence. Samples of equal confidence count as the mean over all their orders.

    Args:
        confidence: Softmax probability of the predicted class, in [0, 1], shape (samples,).
        correct: Whether each prediction is correct, bool, shape (samples,).

    Raises:
        ValueError: The shapes differ, there are no samples, or a confidence lies outside [0, 1].

    Source: Geifman, Uziel & El-Yaniv 2019, arXiv:1805.08206 (AURC).
    """
    groups = group_by_confidence(*validated(confidence, correct))
    return area_under_curve(groups, groups.ends(), cumulative_weights(len(confidence)))


def area_under_curve(groups: Groups, ends: Array, weights: Array) -> float:
    """Return the AURC of samples that are already grouped by confidence.

    Args:
        groups: The samples.
        ends: `groups.ends()`.
        weights: `cumulative_weights` of the number of samples.
    """
    # In a random order of equal confidences the expected number of errors grows evenly.
    return float((1 - groups.share) @ np.diff(weights[ends]))


def cumulative_weights(samples: int) -> Array:
    """Return what the n least confident samples add to the AURC if all are wrong, for n from 0, shape (samples + 1,).

    A sample is among the k most confident ones for every k from its own rank on.

    Args:
        samples: Number of samples.
    """
    added: Array = np.cumsum(1 / np.arange(samples, 0, -1)) / samples
    return np.concatenate([[0.0], np.cumsum(added)])
