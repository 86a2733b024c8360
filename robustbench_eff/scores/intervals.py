"""Confidence intervals."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np


def wilson(successes: int | float, n: int | float, confidence: float = 0.95) -> tuple[float, float]:
    """The score interval of a proportion, without continuity correction; both ends in [0, 1].

    Raises ValueError unless 0 <= successes <= n and n >= 1.
    Source: Wilson 1927, JASA 22(158), equation for p given the observed rate.
    """
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"0 <= successes <= n and n >= 1 are needed, got {successes} of {n}.")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rate = successes / n
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half_width = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half_width)
    high = 1.0 if successes == n else min(1.0, centre + half_width)
    return low, high


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
