"""Which ranks a number may have in its column, given the intervals of all."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from scipy.special import ndtr

from robustbench_eff.core.statistics import Ranks, ranks_from_pairs

_WIDTH = 2 * NormalDist().inv_cdf(0.975)
"""Width of a 95 % interval, in standard errors."""


def ranks(
    values: Sequence[float], ends: Sequence[tuple[float, float] | None], *, higher_is_better: bool
) -> list[Ranks]:
    """Return the best and the worst rank that every number of a column may have.

    All pairs are tested by the difference over its standard error, which the intervals give; see `ranks_from_pairs`.
    Numbers of the same images are tested as if they came from different images, which makes the intervals of ranks
    wider, not narrower; `robust-eval compare` pairs the images.

    Args:
        values: Numbers of the column.
        ends: The 95 % interval of every number; a number without one counts as exact.
        higher_is_better: True if the largest number is the best.
    """
    numbers = np.array(values) if higher_is_better else -np.array(values)
    errors = np.array([0.0 if interval is None else (interval[1] - interval[0]) / _WIDTH for interval in ends])
    first, second = np.triu_indices(len(values), 1)
    differences = numbers[first] - numbers[second]
    spread = np.hypot(errors[first], errors[second])
    with np.errstate(divide="ignore", invalid="ignore"):
        p_values = np.where(differences == 0, 1.0, 2 * ndtr(-np.abs(differences) / spread))
    return ranks_from_pairs(numbers, first, second, p_values)
