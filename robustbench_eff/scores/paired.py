"""Exact tests and intervals for two models that are right or wrong on the same samples."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr

from robustbench_eff.core.statistics import proportion_interval

Counts: TypeAlias = int | npt.NDArray[np.integer[Any]]


def mcnemar(only_a: Counts, only_b: Counts) -> npt.NDArray[np.float64]:
    """Return the exact two-sided p-value of the hypothesis that two models have the same accuracy.

    Args:
        only_a: Number of samples that only the first model classifies correctly, for one or several pairs of models.
        only_b: Number of samples that only the second model classifies correctly.

    Returns:
        Numbers in [0, 1], in the shape that the arguments broadcast to; 1 if the models never differ.

    Raises:
        ValueError: A count is negative.

    Source: McNemar 1947, Psychometrika 12(2); exact by the binomial of the samples on which they differ.
    """
    one, other = np.asarray(only_a), np.asarray(only_b)
    if (one < 0).any() or (other < 0).any():
        raise ValueError(f"Counts must be at least 0, got {only_a} and {only_b}.")
    tail = bdtr(np.minimum(one, other), one + other, 0.5)
    return np.asarray(np.minimum(1.0, 2 * tail), dtype=np.float64)


def difference_interval(
    both: int, only_a: int, only_b: int, neither: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the confidence interval of the difference of two models' accuracies on the same samples, within [-1, 1].

    It is the interval of the difference of two fractions, those of the samples on which only one of the models is
    right, from the exact interval of each. It has a positive width even if no samples differ. It contains 0 wherever
    the exact McNemar test does not reject at the same level, for which it is widened to 0 if need be.

    Args:
        both: Number of samples that both models classify correctly.
        only_a: Number of samples that only the first model classifies correctly.
        only_b: Number of samples that only the second model classifies correctly.
        neither: Number of samples that neither model classifies correctly.
        confidence: Coverage of the interval, between 0 and 1.

    Raises:
        ValueError: A count is negative, or all are 0.

    Source: Zou & Donner 2008, Statistics in Medicine 27(10), for limits of a difference from those of its parts, with
    the correlation of two fractions of one multinomial distribution.
    """
    n = both + only_a + only_b + neither
    if min(both, only_a, only_b, neither) < 0 or n < 1:
        raise ValueError(f"Counts must be at least 0 and not all 0, got {both}, {only_a}, {only_b}, {neither}.")
    a, b = only_a / n, only_b / n
    low_a, high_a = proportion_interval(only_a, n, confidence)
    low_b, high_b = proportion_interval(only_b, n, confidence)
    correlation = -math.sqrt(a * b / ((1 - a) * (1 - b))) if max(a, b) < 1 else 0.0
    below, above = (
        math.sqrt(x * x - 2 * correlation * x * y + y * y)
        for x, y in ((a - low_a, high_b - b), (high_a - a, b - low_b))
    )
    low, high = max(a - b - below, -1.0), min(a - b + above, 1.0)
    return (low, high) if mcnemar(only_a, only_b) < 1 - confidence else (min(low, 0.0), max(high, 0.0))
