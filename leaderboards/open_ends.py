"""Infinite numbers of a column as finite ones, so that they can be ranked."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .table import Estimate

BEYOND = 2.0
"""What stands for infinity, as a multiple of the largest finite number or limit of a search in the column."""


def finite(estimates: Sequence[Estimate]) -> list[Estimate]:
    """Return the numbers of a column with every infinite value and end replaced by one number above all others.

    An infinite median says that more than half of the distances are beyond everything that the search looked at, and
    an infinite end that this cannot be ruled out. How far beyond does not change an order: as in a winsorised median,
    one number stands for all of them. It is twice the largest finite number or limit of a search in the column. So
    infinite values stay ties of one another and above every finite one, and an open interval reaches beyond all finite
    numbers instead of counting as none. As much room as an infinite value has below it in its interval is added above.

    An interval of which one end is unknown, as in files of others, counts as open at that end.

    Args:
        estimates: The numbers of a column.
    """
    known = [
        abs(number) for estimate in estimates for number in estimate if number is not None and math.isfinite(number)
    ]
    beyond = BEYOND * max(known, default=1.0) or 1.0
    return [_finite(estimate, beyond) for estimate in estimates]


def _finite(estimate: Estimate, beyond: float) -> Estimate:
    if estimate.low is None and estimate.high is None:
        return estimate._replace(value=min(estimate.value, beyond))
    value = min(estimate.value, beyond)
    low = -beyond if estimate.low is None else min(estimate.low, beyond)
    high = beyond if estimate.high is None else min(estimate.high, beyond)
    return estimate._replace(value=value, low=low, high=2 * value - low if math.isinf(estimate.value) else high)
