"""The confidence interval of a median."""

from __future__ import annotations

import math

import numpy as np


def median_interval(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Return a confidence interval for the median of a distribution of distances, from order statistics.

    It covers the median with at least the given probability, whatever the distribution.

    Args:
        values: A sample of the distribution, at least 0 and possibly infinite, shape (n,).
        confidence: Coverage of the interval, between 0 and 1.

    Returns:
        Both ends of the interval; 0 and infinity with fewer values than an interval needs: six for 95 %.

    Source: David & Nagaraja 2003, Order Statistics, section 7.1.
    """
    from scipy.stats import binom  # the import takes a second, which a table of accuracies does not need

    rank = int(binom.ppf((1 - confidence) / 2, len(values), 0.5))
    if rank < 1:
        return 0.0, math.inf
    ordered = np.sort(values)
    return float(ordered[rank - 1]), float(ordered[len(values) - rank])
