"""Selective classification: the risk of a model that answers only where it is most confident."""

from __future__ import annotations

import numpy as np

from .bounded_means import interval_from_spread
from .confidences import Array, Groups, group_by_confidence, validated

_PRIOR = 0.5
"""Prior of the interval: less than that of other means, because it counts in errors of the most confident sample."""


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


def aurc_interval(groups: Groups, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of the AURC.

    The AURC varies as the mean of what each sample adds to it: its own error, weighted by how many samples are more
    confident, and its share of the coverage of all less confident ones. A single error adds at most the weight of the
    most confident sample, so no interval is narrower than a rare error there allows.

    Args:
        groups: The samples.
        confidence: Coverage of the interval, between 0 and 1.

    Source: Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans, chapter 6 (infinitesimal jackknife).
    """
    ends, errors = groups.ends(), 1 - groups.share
    n = int(ends[-1])
    weights = cumulative_weights(n)
    area = area_under_curve(groups, ends, weights)
    own = n * np.diff(weights[ends]) / groups.size  # the mean weight of the samples of a group
    rank = n - ends[:-1] - (groups.size - 1) / 2  # their mean rank, the most confident first
    below = np.cumsum(errors * groups.size / rank)  # a more confident sample pushes these to larger coverage
    shift = errors @ groups.size / n - area - below
    squares = groups.share * shift**2 + errors * (own + shift) ** 2
    largest = n * float(weights[-1] - weights[-2])
    spread = float(squares @ groups.size) / largest**2
    low, high = interval_from_spread(area / largest, spread, n, prior=_PRIOR, confidence=confidence)
    return low * largest, min(high * largest, 1.0)


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
