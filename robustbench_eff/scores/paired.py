"""Tests between models on the same samples, and between many of them at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import binom


def mcnemar(only_a: int, only_b: int) -> float:
    """The exact two-sided p-value that two models are as often right, in [0, 1]; 1 where they never differ.

    `only_a` and `only_b` count the samples that one of them alone has right. Raises ValueError for negative counts.
    Source: McNemar 1947, Psychometrika 12(2); exact by the binomial of the samples on which they differ.
    """
    if only_a < 0 or only_b < 0:
        raise ValueError(f"Counts must be at least 0, got {only_a} and {only_b}.")
    tail = float(binom.cdf(min(only_a, only_b), only_a + only_b, 0.5))
    return min(1.0, 2 * tail)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for being several, in the order given: those below 0.05 hold together at 5 %.

    Source: Holm 1979, Scandinavian Journal of Statistics 6(2).
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    found: list[float] = adjusted.tolist()
    return found
