"""Tests and intervals of paired differences, for scores that are means of bounded values or ratios of two means.

What samples add to a difference may be skewed: one model may be a little better on most samples and much worse on a
few, of which the evaluated ones hold none. The test takes the sum for a shifted Poisson variable. Its unit is the size
of events that the third moment shows, and that of the largest possible event where the samples show nothing. With many
samples and no skewness this is the test of the normal distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincc, gammainccinv

Values: TypeAlias = npt.NDArray[Any]
Floats: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.int64]

_FINEST = 1e-3
"""Smallest unit in standard deviations of the sum: a million events, beyond which nothing changes."""


class SampleSums(NamedTuple):
    """Scores of several models on the same samples, as sums over samples."""

    scores: Floats
    """Shape (models,); NaN where a ratio has no denominator."""
    deviations: Floats
    """How much each sample moves a score, times the number of samples, shape (models, samples); rows sum to 0."""
    ranges: Floats
    """The most that one sample can move a score, times the number of samples, shape (models,)."""
    parts: Sequence[Values]
    """What the scores are made of, each of shape (models, samples): samples on which two models differ are counted."""
    largest: float
    """The largest possible difference of two scores."""


class Differences(NamedTuple):
    """Differences of the scores of pairs of models, each with its interval; NaN where a score is."""

    values: Floats
    """Shape (pairs,)."""
    low: Floats
    high: Floats
    p_values: Floats
    """Two-sided p-values of no difference, in [0, 1]; 1 where a score is NaN."""


def means(values: Values, low: float = 0.0, high: float = 1.0) -> SampleSums:
    """Return means of bounded values as sums over samples.

    Args:
        values: What each sample adds to the score of each model, in [low, high], shape (models, samples).
        low: The smallest value that a sample can have.
        high: The largest value that a sample can have, above `low`.

    Raises:
        ValueError: There are no samples, or a value lies outside the bounds.
    """
    rows = np.asarray(values, dtype=np.float64)
    slack = 1e-6 * (high - low)  # what float32 may add to a value at a bound
    if not rows.size or not (rows.min() >= low - slack and rows.max() <= high + slack):
        raise ValueError(f"At least one value is needed, and all must be in [{low}, {high}], got {values}.")
    scores = rows.mean(axis=1)
    ranges = np.full(len(rows), high - low)
    return SampleSums(scores, rows - scores[:, None], ranges, (rows,), high - low)


def ratios(values: Values, weights: Values) -> SampleSums:
    """Return ratios of the sum of values and the sum of weights as sums over samples, linearised at their values.

    Args:
        values: What each sample adds to the numerators, from 0 to its weight, shape (models, samples).
        weights: What each sample adds to the denominators, 0 or 1, of that shape.

    Source: Cochran 1977, Sampling Techniques, section 6.3 (linearised variance of a ratio).
    """
    total, samples = weights.sum(axis=1), weights.shape[1]
    scores = np.divide(values.sum(axis=1), total, out=np.full(len(total), np.nan), where=total > 0)
    share = np.maximum(total, 1) / samples
    deviations = (values - np.nan_to_num(scores)[:, None] * weights) / share[:, None]
    return SampleSums(scores, deviations, 1 / share, (values, weights), 1.0)


def paired_differences(sums: SampleSums, confidence: float = 0.95) -> Differences:
    """Return the differences of all pairs of models, the first minus the second, with their intervals and tests.

    A p-value is at least that of a sign test in which all samples on which the two differ have the same sign. An
    interval contains 0 exactly if the p-value is at least 1 - confidence, and never has zero width.

    Args:
        sums: The scores.
        confidence: Coverage of the intervals, between 0 and 1.

    Returns:
        The pairs in the order of `numpy.triu_indices(models, 1)`.

    Source: Pearson type III approximation by three moments (Johnson, Kotz & Balakrishnan 1994, chapter 17), with exact
    Poisson tails (Garwood 1936, Biometrika 28).
    """
    samples = sums.deviations.shape[1]
    first, second = np.triu_indices(len(sums.scores), 1)
    values = sums.scores[first] - sums.scores[second]
    largest = np.maximum(sums.ranges[first], sums.ranges[second])
    squares, cubes = _moments(sums.deviations, first, second)
    squares = squares * samples / max(samples - 1, 1)
    below, above = (_unit(squares, skew, largest) for skew in (-cubes, cubes))
    total = samples * np.abs(np.nan_to_num(values))
    unit = np.where(np.nan_to_num(values) > 0, below, above)
    events = squares / unit**2
    p_values = np.minimum(2 * gammaincc(events + 1, events + total / unit), 1.0)
    p_values = np.maximum(p_values, 2.0 ** (1 - _num_differing(sums.parts)))
    p_values = np.where(np.isnan(values), 1.0, np.minimum(p_values, 1.0))
    tail = (1 - confidence) / 2
    low, high = values - _arm(squares, below, tail) / samples, values + _arm(squares, above, tail) / samples
    certain = p_values < 1 - confidence
    low, high = np.where(certain, low, np.minimum(low, 0)), np.where(certain, high, np.maximum(high, 0))
    return Differences(values, np.maximum(low, -sums.largest), np.minimum(high, sums.largest), p_values)


def _moments(deviations: Floats, first: Indices, second: Indices) -> tuple[Floats, Floats]:
    """Return the sums of squares and cubes of the paired differences of deviations, from products of all pairs."""
    squared = deviations**2
    products, mixed, cubes = deviations @ deviations.T, squared @ deviations.T, (squared * deviations).sum(axis=1)
    own = np.diag(products)
    squares = own[first] + own[second] - 2 * products[first, second]
    third = cubes[first] - 3 * mixed[first, second] + 3 * mixed[second, first] - cubes[second]
    return np.maximum(squares, 0.0), third


def _unit(squares: Floats, adverse: Floats, largest: Floats) -> Floats:
    """Return the size of one event, as one more of the largest size than the samples hold would show it.

    Args:
        squares: Sum of squared deviations.
        adverse: Sum of cubed deviations, positive if large events make the sum larger than it is.
        largest: Size of the largest possible event.
    """
    unit = (np.maximum(adverse, 0.0) + largest**3) / (squares + largest**2)
    return np.minimum(np.maximum(unit, _FINEST * np.sqrt(squares)), largest)


def _arm(squares: Floats, unit: Floats, tail: float) -> Floats:
    """Return how far the expected sum may lie from the observed one, in the direction of `unit`."""
    events = squares / unit**2
    arm: Floats = unit * (gammainccinv(events + 1, tail) - events)
    return arm


def _num_differing(parts: Sequence[Values]) -> Floats:
    """Return on how many samples the models of each pair differ."""
    counts = [
        np.count_nonzero(np.logical_or.reduce([part[model] != part[model + 1 :] for part in parts]), axis=1)
        for model in range(len(parts[0]))
    ]
    return np.concatenate(counts).astype(np.float64)
