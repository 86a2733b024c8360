"""How far a model's confidence is from how often it is right."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .bootstrap import resample_counts
from .confidences import Array, Groups, by_confidence, checked, drawn
from .selective import area, weights

BINS = 15
PER_BIN = 100
DRAWS = 1000

Interval = tuple[float, float]


class CalibrationIntervals(NamedTuple):
    """Lower and upper ends of what `calibration_intervals` says."""

    expected_calibration_error: Interval
    rms_calibration_error: Interval
    aurc: Interval


def expected_calibration_error(confidence: Array, correct: Array, bins: int = BINS) -> float:
    """ECE: the mean distance between confidence and accuracy over bins of equal width, weighted by their samples.

    `confidence` is the softmax probability of the predicted class, float (samples,) in [0, 1]; `correct` is bool
    (samples,). A bin includes its upper end, the first one also 0. Raises ValueError for lengths that differ, for
    no sample and for a confidence outside [0, 1].
    Source: Guo et al. 2017, arXiv:1706.04599, equation 3.
    """
    groups = by_confidence(*checked(confidence, correct))
    return _expected(groups, groups.gaps(), bins)


def rms_calibration_error(confidence: Array, correct: Array, per_bin: int = PER_BIN) -> float:
    """The root mean square distance between confidence and accuracy, over bins of so many samples.

    Arguments and errors as for ECE. Bins follow the order of confidence, the remainder forms the last. Samples of
    equal confidence count as correct by the share of them that is, so their order does not matter.
    Source: Hendrycks, Mazeika & Dietterich 2019, arXiv:1812.04606.
    Differs: the code of hendrycks/natural-adv-examples 0777070 joins the remainder to the last full bin, and leaves
    that bin, in which the model is most confident, out of the sum.
    """
    groups = by_confidence(*checked(confidence, correct))
    return _root_mean_square(groups, groups.ends(), groups.gaps(), per_bin)


def calibration_intervals(confidence: Array, correct: Array, level: float = 0.95) -> CalibrationIntervals:
    """Intervals of ECE, of RMS calibration error and of AURC, from 1,000 resamples of the samples.

    Of the two errors the interval is that of the value expected of as many samples, NOT of the true error: chance
    alone sets confidence and accuracy apart in every bin. A perfectly calibrated model has an ECE of 0.03 to 0.05 on
    500 samples, 0.01 to 0.02 on 5,000, and an RMS error of 0.03 to 0.04 on any number, its bins being of 100. So
    compare models on equally many samples only. A resample adds that bias once more; its mean excess is taken from
    both ends, which then held the expected value in 92 to 99 % of simulations. They held the true error of a model
    that is nearly calibrated in as few as none, as did the percentile interval; the basic one did in 40 to 90 %.
    Of AURC, whose bias is small, it is the percentile interval: 92 to 95 %.
    """
    groups = by_confidence(*checked(confidence, correct))
    weight = weights(len(confidence))
    found = np.array([_all(drawn(groups, counts), weight) for counts in resample_counts(len(confidence), DRAWS)])
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2], axis=0)
    excess = (found.mean(axis=0) - _all(groups, weight)) * [1, 1, 0]
    low, high = np.maximum(low - excess, 0).tolist(), np.minimum(high - excess, 1).tolist()
    return CalibrationIntervals(*zip(low, high, strict=True))


def _all(groups: Groups, weight: Array) -> tuple[float, float, float]:
    ends, gaps = groups.ends(), groups.gaps()
    return (
        _expected(groups, gaps, BINS),
        _root_mean_square(groups, ends, gaps, PER_BIN),
        area(groups, ends, weight),
    )


def _expected(groups: Groups, gaps: Array, bins: int) -> float:
    starts = np.searchsorted(groups.confidence, np.linspace(0, 1, bins + 1)[1:-1], side="right")
    sums = np.diff(gaps[[0, *starts, len(gaps) - 1]])
    return float(np.abs(sums).sum() / groups.size.sum(dtype=np.int64))


def _root_mean_square(groups: Groups, ends: Array, gaps: Array, per_bin: int) -> float:
    """A bin's edge may lie within a group, whose gap is then shared out."""
    samples = ends[-1]
    edges = np.append(np.arange(0, samples, per_bin), samples)
    group = np.searchsorted(ends, edges)
    beyond = (ends[group] - edges) * (groups.confidence - groups.share)[group - 1]
    sums = np.diff(gaps[group] - beyond)
    return float(np.sqrt((sums**2 / np.diff(edges)).sum() / samples))
