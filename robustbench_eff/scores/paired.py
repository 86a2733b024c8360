"""Tests between two models on the same samples."""

from __future__ import annotations

import math

from scipy.stats import binom

from robustbench_eff.core.statistics import wilson


def mcnemar(only_a: int, only_b: int) -> float:
    """The exact two-sided p-value that two models are as often right, in [0, 1]; 1 where they never differ.

    `only_a` and `only_b` count the samples that one of them alone has right. Raises ValueError for negative counts.
    Source: McNemar 1947, Psychometrika 12(2); exact by the binomial of the samples on which they differ.
    """
    if only_a < 0 or only_b < 0:
        raise ValueError(f"Counts must be at least 0, got {only_a} and {only_b}.")
    tail = float(binom.cdf(min(only_a, only_b), only_a + only_b, 0.5))
    return min(1.0, 2 * tail)


def newcombe(both: int, only_a: int, only_b: int, neither: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of how much more often one model is right than another on the same samples, within [-1, 1].

    The counts are of samples that both, one alone, or neither has right. Unlike the bootstrap it has a width where few
    samples differ. Raises ValueError for counts below 0, or none at all.
    Source: Newcombe 1998, Statistics in Medicine 17(22), method 10 (hybrid score, continuity-corrected correlation).
    """
    n = both + only_a + only_b + neither
    if min(both, only_a, only_b, neither) < 0 or n < 1:
        raise ValueError(f"Counts must be at least 0 and not all 0, got {both}, {only_a}, {only_b}, {neither}.")
    a, b = (both + only_a) / n, (both + only_b) / n
    (low_a, high_a), (low_b, high_b) = wilson(both + only_a, n, confidence), wilson(both + only_b, n, confidence)
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    covariance = float(both * neither - only_a * only_b)
    if covariance > 0:
        covariance = max(covariance - n / 2, 0.0)
    correlation = covariance / math.sqrt(margins) if margins else 0.0
    down, up = (a - low_a, high_b - b), (high_a - a, b - low_b)
    below, above = (math.sqrt(x * x - 2 * correlation * x * y + y * y) for x, y in (down, up))
    return a - b - below, a - b + above
