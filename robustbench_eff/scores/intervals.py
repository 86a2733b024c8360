"""Confidence intervals."""

from __future__ import annotations

import math

import numpy as np


def median_interval(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """An interval for the median of the distribution of `values`, from their order statistics.

    Covers it with at least that probability, whatever the distribution; values may be infinite. With fewer than
    six values there is none: 0 to infinity is returned, for distances.
    Source: David & Nagaraja 2003, Order Statistics, section 7.1.
    """
    from scipy.stats import binom  # takes a second, and a table of accuracies needs none

    rank = int(binom.ppf((1 - confidence) / 2, len(values), 0.5))
    if rank < 1:
        return 0.0, math.inf
    ordered = np.sort(values)
    return float(ordered[rank - 1]), float(ordered[len(values) - rank])
