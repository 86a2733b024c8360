"""Which ranks the numbers of a table may have, all at once, given nothing but their intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import stdtr, stdtrit

from robustbench_eff.core.statistics import PairTests, Ranks, table_ranks

from .open_ends import finite
from .table import Estimate


def ranks_of(
    columns: Sequence[Sequence[Estimate | None]], higher_is_better: Sequence[bool]
) -> list[list[Ranks | None]]:
    """Return the best and the worst rank that every number of a table may have in its column.

    With 95 % confidence all true ranks of all columns lie within them at once.

    Args:
        columns: Numbers of every column; None where a model is not ranked. A column that is given twice, as the same
            object, is tested once.
        higher_is_better: For every column, whether its largest number is the best.
    """
    once = {id(column): (column, higher) for column, higher in zip(columns, higher_is_better, strict=True)}
    tests = [
        pair_tests([number for number in column if number is not None], higher_is_better=higher)
        for column, higher in once.values()
    ]
    found = dict(zip(once, map(iter, table_ranks(tests)), strict=True))
    placed = {
        key: [None if number is None else next(found[key]) for number in column] for key, (column, _) in once.items()
    }
    return [placed[id(column)] for column in columns]


def pair_tests(estimates: Sequence[Estimate], *, higher_is_better: bool) -> PairTests:
    """Return the tests of all pairs of a column, whose ranks `core.statistics.table_ranks` gives.

    The difference of two numbers is divided by the root of the sum of squares of the arms of their 95 % intervals that
    face each other, and compared with Student's t distribution of the smaller number of samples. Numbers of the same
    images are tested as if they came from different images, which makes the intervals of ranks wider, not narrower.

    Args:
        estimates: Numbers of the column. One without an interval counts as exact, one with an interval and without a
            number of samples as one of many samples. An end that is missing or not finite distinguishes from no other.
        higher_is_better: True if the largest number is the best.

    Source: Zou & Donner 2008, Statistics in Medicine 27(10), for the arms.
    Differs: Student's t in place of the normal distribution, so that no two of few samples are told apart too easily.
    """
    estimates = finite(estimates)
    sign = 1.0 if higher_is_better else -1.0
    values = sign * np.array([estimate.value for estimate in estimates], dtype=np.float64)
    arms = np.array([_arms(estimate) for estimate in estimates], dtype=np.float64).reshape(-1, 2)
    down, up = arms.T if higher_is_better else arms.T[::-1]
    freedom = np.array([np.inf if of.n is None else of.n - 1 for of in estimates], dtype=np.float64)
    first, second = np.triu_indices(len(values), 1)
    better, worse = np.where(values[first] > values[second], (first, second), (second, first))
    of_pair = np.minimum(freedom[first], freedom[second])
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.hypot(down[better], up[worse]) / stdtrit(of_pair, 0.975)
        p_values = 2 * stdtr(of_pair, -(values[better] - values[worse]) / spread)
    undecided = (values[first] == values[second]) | np.isnan(p_values) | (of_pair < 1)
    return PairTests(values, np.where(undecided, 1.0, p_values))


def _arms(estimate: Estimate) -> tuple[float, float]:
    """Return how far the interval reaches below and above the number; its width for a number that it does not hold."""
    value, low, high = estimate[:3]
    if low is None and high is None:
        return 0.0, 0.0
    below = np.inf if low is None else value - low
    above = np.inf if high is None else high - value
    return (below, above) if min(below, above) >= 0 else (below + above, below + above)
