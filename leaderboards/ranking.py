"""The ranks that a number may have in its column, given the intervals of all numbers."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from scipy.special import ndtr

from .table import Ranks

LEVEL = 0.05
_WIDTH = 2 * NormalDist().inv_cdf(0.975)
"""Width of a 95 % interval in standard errors."""


def ranks(
    values: Sequence[float], ends: Sequence[tuple[float, float] | None], *, higher_is_better: bool
) -> list[Ranks]:
    """Return the best and the worst rank of every number.

    A number ranks behind those that are significantly better: every pair is tested by the difference divided by its
    standard error, which the intervals give, and the p-values are adjusted by Holm's method. Numbers on the same images
    are tested as if the images differed, which makes ranges of ranks wider, never narrower; `robust-eval compare` pairs
    the images.

    Args:
        values: The numbers.
        ends: The 95 % interval of each number; a number without one (None) counts as exact.
        higher_is_better: Direction of the metric.

    Source:
        Mogstad, Romano, Shaikh & Wilhelm 2024, Review of Economic Studies 91(1), on simultaneous confidence sets for
        ranks. Differs: Holm in place of their bootstrap step-down.
    """
    count = len(values)
    numbers = np.array(values) if higher_is_better else -np.array(values)
    errors = np.array([0.0 if pair is None else (pair[1] - pair[0]) / _WIDTH for pair in ends])
    first, second = np.triu_indices(count, 1)
    differences = numbers[first] - numbers[second]
    spread = np.hypot(errors[first], errors[second])
    with np.errstate(divide="ignore", invalid="ignore"):
        p_values = np.where(differences == 0, 1.0, 2 * ndtr(-np.abs(differences) / spread))
    surely = _holm(p_values)
    before, behind = np.zeros(count, dtype=int), np.zeros(count, dtype=int)
    first_wins, second_wins = surely & (differences > 0), surely & (differences < 0)
    for winners, losers in ((first[first_wins], second[first_wins]), (second[second_wins], first[second_wins])):
        np.add.at(before, losers, 1)
        np.add.at(behind, winners, 1)
    return [Ranks(1 + int(ahead), count - int(after)) for ahead, after in zip(before, behind, strict=True)]


def _holm(p_values: np.ndarray) -> np.ndarray:
    """Return which p-values are significant after Holm's correction for multiple tests."""
    order = np.argsort(p_values)
    small = p_values[order] * np.arange(len(p_values), 0, -1) < LEVEL
    stop = len(small) if small.all() else int(np.argmin(small))
    significant = np.zeros(len(p_values), dtype=bool)
    significant[order[:stop]] = True
    return significant
