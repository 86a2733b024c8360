"""Infinite values of a column as finite ones, so that they can be ranked."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .table import Estimate

BEYOND = 2.0
"""Infinity is replaced by this multiple of the largest finite number or search limit of the column."""


def finite(estimates: Sequence[Estimate]) -> list[Estimate]:
    """Return the numbers of a column with every infinite value replaced by one number above all others.

    An infinite median says that at least half of the distances are beyond everything that the search looked at. How far
    beyond does not change an order: as in a winsorised median, one number stands for all of them. It is twice the
    largest finite number or limit of a search in the column. So infinite values are ties of one another, and above
    every finite one by as much as the lower end of their interval allows. As much room as an infinite value has below
    it in its interval is added above.

    The infinite end of the interval of a finite value stays, as does an end that is unknown, as in files of others:
    such an interval reaches beyond all numbers, and is not that of an exact one.

    Args:
        estimates: The numbers of a column.
    """
    numbers = [number for of in estimates for number in (of.value, of.low, of.high, of.searched_to)]
    known = [abs(number) for number in numbers if number is not None and math.isfinite(number)]
    beyond = BEYOND * max(known, default=1.0) or 1.0
    return [_finite(estimate, beyond) for estimate in estimates]


def _finite(estimate: Estimate, beyond: float) -> Estimate:
    value, low, high = estimate[:3]
    if low is None and high is None:
        return estimate._replace(value=min(value, beyond))
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    if not math.isinf(value):
        return estimate._replace(low=low, high=high)
    low = min(low, beyond)
    return estimate._replace(value=beyond, low=low, high=2 * beyond - low)
