"""Calibration: the difference between a model's confidence and its accuracy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .bounded_means import interval_from_spread
from .confidences import Array, Groups, group_by_confidence, validated
from .selective import aurc_interval

BINS = 15
"""Bins of equal width of the expected calibration error."""
PER_BIN = 100
"""Samples in each bin of the RMS calibration error."""
Interval = tuple[float, float]


class CalibrationIntervals(NamedTuple):
    """The intervals of the three scores of confidence."""

    expected_calibration_error: Interval
    rms_calibration_error: Interval
    aurc: Interval


def expected_calibration_error(confidence: Array, correct: Array, bins: int = BINS) -> float:
    """Return the ECE: the mean of |confidence - accuracy| over bins of equal width, weighted by their samples.

    A bin includes its upper end; the first bin also includes 0.

    Args:
        confidence: Softmax probability of the predicted class, in [0, 1], shape (samples,).
        correct: Whether each prediction is correct, bool, shape (samples,).
        bins: Number of bins.

    Raises:
        ValueError: The shapes differ, there are no samples, or a confidence lies outside [0, 1].

    Source: Guo et al. 2017, arXiv:1706.04599, equation 3.
    """
    groups = group_by_confidence(*validated(confidence, correct))
    return _expected(groups, groups.gaps(), bins)


def rms_calibration_error(confidence: Array, correct: Array, per_bin: int = PER_BIN) -> float:
    """Return the root mean square of confidence - accuracy over bins with the same number of samples.

    Bins follow the order of confidence, and the remaining samples form the last bin. Each sample counts as correct by
    the fraction of correct samples among those of equal confidence, so the order of the samples does not matter.

    Args:
        confidence: Softmax probability of the predicted class, in [0, 1], shape (samples,).
        correct: Whether each prediction is correct, bool, shape (samples,).
        per_bin: Number of samples in a bin.

    Raises:
        ValueError: The shapes differ, there are no samples, or a confidence lies outside [0, 1].

    Source: Hendrycks, Mazeika & Dietterich 2019, arXiv:1812.04606.
    Differs: the code of hendrycks/natural-adv-examples 0777070 adds the remaining samples to the last full bin,
    and leaves that bin, in which the model is most confident, out of the sum.
    """
    groups = group_by_confidence(*validated(confidence, correct))
    return _root_mean_square(groups, groups.ends(), groups.gaps(), per_bin)


def calibration_intervals(confidence: Array, correct: Array, level: float = 0.95) -> CalibrationIntervals:
    """Return the intervals of the ECE, the RMS calibration error and the AURC.

    The intervals of both calibration errors are those of the expected value on as many samples, NOT of the true error:
    in every bin, confidence and accuracy differ by chance alone. A perfectly calibrated model has an ECE of 0.03 to
    0.05 on 500 samples and of 0.01 to 0.02 on 5,000, and an RMS error of 0.03 to 0.04 on any number of samples, because
    its bins have 100 each. Therefore compare models on equally many samples only.

    Both are means over samples of confidence minus correctness, with the sign and the weight of the sample's bin; these
    are taken as given, which makes the intervals of a nearly calibrated model up to twice as wide as needed.

    Args:
        confidence: Softmax probability of the predicted class, in [0, 1], shape (samples,).
        correct: Whether each prediction is correct, bool, shape (samples,).
        level: Coverage of the intervals, between 0 and 1.

    Raises:
        ValueError: The shapes differ, there are no samples, or a confidence lies outside [0, 1].
    """
    confidence, correct = validated(confidence, correct)
    groups = group_by_confidence(confidence, correct)
    group = np.searchsorted(groups.confidence, confidence)
    gaps = confidence - correct
    signs = np.sign(_gap_of_bin(groups, np.searchsorted(_edges(BINS), groups.confidence)))
    in_bins = _gap_in_full_bins(groups)
    rms = _root_mean_square(groups, groups.ends(), groups.gaps(), PER_BIN)
    weights = in_bins / rms if rms else np.ones_like(in_bins)
    return CalibrationIntervals(
        _interval_of_error(_expected(groups, groups.gaps(), BINS), signs[group] * gaps, level),
        _interval_of_error(rms, weights[group] * gaps, level),
        aurc_interval(groups, level),
    )


def _interval_of_error(error: float, values: Array, level: float) -> Interval:
    """Return the interval of a calibration error, given the values in [-largest, largest] of which it is the mean."""
    largest = max(1.0, float(np.abs(values).max()))
    squares = float(((values - values.mean()) ** 2).sum()) / (2 * largest) ** 2
    ends = interval_from_spread((error / largest + 1) / 2, squares, len(values), confidence=level)
    low, high = (largest * (2 * end - 1) for end in ends)
    return max(low, 0.0), min(high, 1.0)


def _gap_of_bin(groups: Groups, bin_of_group: Array) -> Array:
    """Return confidence minus accuracy of the bin that each group lies in, shape (groups,)."""
    gaps = np.bincount(bin_of_group, weights=(groups.confidence - groups.share) * groups.size)
    sizes = np.bincount(bin_of_group, weights=groups.size)
    mean: Array = (gaps / np.maximum(sizes, 1))[bin_of_group]
    return mean


def _gap_in_full_bins(groups: Groups) -> Array:
    """Return the gap of the RMS bins that each group lies in, the mean over its samples, shape (groups,)."""
    gap, bin_of = np.repeat(groups.confidence - groups.share, groups.size), np.arange(groups.size.sum()) // PER_BIN
    of_samples = (np.bincount(bin_of, gap) / np.bincount(bin_of))[bin_of]
    mean: Array = np.add.reduceat(of_samples, groups.ends()[:-1]) / groups.size
    return mean


def _edges(bins: int) -> Array:
    """Return the upper ends of all bins but the last."""
    return np.linspace(0, 1, bins + 1)[1:-1]


def _expected(groups: Groups, gaps: Array, bins: int) -> float:
    starts = np.searchsorted(groups.confidence, _edges(bins), side="right")
    sums = np.diff(gaps[[0, *starts, len(gaps) - 1]])
    return float(np.abs(sums).sum() / groups.size.sum(dtype=np.int64))


def _root_mean_square(groups: Groups, ends: Array, gaps: Array, per_bin: int) -> float:
    """Return the RMS calibration error; a group that two bins share adds to each by the number of its samples there."""
    samples = ends[-1]
    edges = np.append(np.arange(0, samples, per_bin), samples)
    group = np.searchsorted(ends, edges)
    beyond = (ends[group] - edges) * (groups.confidence - groups.share)[group - 1]
    sums = np.diff(gaps[group] - beyond)
    return float(np.sqrt((sums**2 / np.diff(edges)).sum() / samples))
