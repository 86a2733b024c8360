"""Which ranks the numbers of a table may have, all at once, given nothing but their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from robustbench_eff.core.statistics import PairTests, Ranks, table_ranks

from .open_ends import finite
from .table import Estimate

LEAST_P_OF_MEDIANS = 2 * 0.025**2
"""Smallest p-value that two 95 % intervals from order statistics prove: that both miss towards each other. Beyond them
nothing is known, because distances may have a gap there that the width of an interval does not show."""


class RankedColumn(NamedTuple):
    """The numbers of one column of a table."""

    numbers: Sequence[Estimate | None]
    """None where a model is not ranked."""
    higher_is_better: bool
    is_median: bool = False
    """Whether their intervals are from order statistics."""


def ranks_of(columns: Sequence[RankedColumn]) -> list[list[Ranks | None]]:
    """Return the best and the worst rank that every number of a table may have in its column.

    With 95 % confidence all true ranks of all columns lie within them at once.

    Args:
        columns: The columns. One whose numbers are given twice, as the same object, is tested once.
    """
    once = {id(column.numbers): column for column in columns}
    tests = [
        pair_tests(
            [number for number in column.numbers if number is not None],
            higher_is_better=column.higher_is_better,
            least_p=LEAST_P_OF_MEDIANS if column.is_median else 0.0,
        )
        for column in once.values()
    ]
    ranks = dict(zip(once, map(iter, table_ranks(tests)), strict=True))
    placed = {
        key: [None if number is None else next(ranks[key]) for number in column.numbers] for key, column in once.items()
    }
    return [placed[id(column.numbers)] for column in columns]


def pair_tests(estimates: Sequence[Estimate], *, higher_is_better: bool, least_p: float = 0.0) -> PairTests:
    """Return the tests of all pairs of a column, whose ranks `core.statistics.table_ranks` gives.

    The difference of two numbers is divided by the root of the sum of squares of the arms of their 95 % intervals that
    face each other, and compared with Student's t distribution of the smaller number of samples. Numbers of the same
    images are tested as if they came from different images, which makes the intervals of ranks wider, not narrower.

    Args:
        estimates: Numbers of the column. One without an interval counts as exact, one with an interval and without a
            number of samples as one of many samples. An end that is missing or not finite distinguishes from no other,
            nor does an infinite value from numbers beyond the limit of its search.
        higher_is_better: True if the largest number is the best.
        least_p: The smallest p-value of a pair.

    Source: Zou & Donner 2008, Statistics in Medicine 27(10), for the arms.
    Differs: Student's t in place of the normal distribution, so that no two of few samples are told apart too easily.
    """
    limits = np.array([np.inf if of.searched_to is None else of.searched_to for of in estimates])
    unbounded = np.array([np.isinf(of.value) for of in estimates], dtype=bool)
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
    beyond = np.abs(values) > limits[:, None]  # where another number lies beyond the limit of a search
    unknown = (unbounded[first] & beyond[first, second]) | (unbounded[second] & beyond[second, first])
    undecided = (values[first] == values[second]) | np.isnan(p_values) | (of_pair < 1) | unknown
    return PairTests(values, np.where(undecided, 1.0, np.maximum(p_values, least_p)))


def _arms(estimate: Estimate) -> tuple[float, float]:
    """Return how far the interval reaches below and above the number; its width for a number that it does not hold."""
    value, low, high = estimate[:3]
    if low is None and high is None:
        return 0.0, 0.0
    below = np.inf if low is None else value - low
    above = np.inf if high is None else high - value
    return (below, above) if min(below, above) >= 0 else (below + above, below + above)
