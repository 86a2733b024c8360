"""How entries of format 1 differ from those of today, so that they are validated by the rules of their time."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from statistics import NormalDist

from .entry import Result

NEW_METRICS = ("balanced_robust_accuracy", "worst_class_robust_accuracy")
"""Metrics that entries of format 1 do not have."""
NEW_FIELDS = ("low", "high", "searched_to", "detail")
"""Fields of a result that entries of format 1 do not have, or have by another formula."""
_UNION = re.compile(r"worst of .*?(?P<runs> in \d+ runs)?, (?P<ball>\w+ \S+)")


def as_format_1(result: Result) -> Result | None:
    """Return a measured result under the name and protocol that it has in an entry of format 1.

    There the worst of several attacks has the number of different attacks in place of their names.

    Args:
        result: A result of the present format.

    Returns:
        The result; None if entries of format 1 do not have its metric.
    """
    if result.metric in NEW_METRICS:
        return None
    union = _UNION.fullmatch(result.perturbation)
    if union is None or not result.protocol.attacks:
        return result
    number = len(result.protocol.attacks)
    name = f"worst of {number} attack{'s' * (number > 1)}{union['runs'] or ''}, {union['ball']}"
    return result.model_copy(update={"perturbation": name, "protocol": replace(result.protocol, attacks=())})


def is_compared(result: Result, field: str, from_outcomes: object) -> bool:
    """Return whether a field of a result of format 1 follows from the outcomes as it does today.

    Args:
        result: The result of format 1.
        field: Name of the field.
        from_outcomes: What the outcomes give today.

    Returns:
        False for intervals, for infinite distances, which were null, and for the flags of a number over several cells,
        to which not all flags of its cells were added.
    """
    if field in NEW_FIELDS or (field == "flags" and not result.cell):
        return False
    return not (getattr(result, field) is None and from_outcomes == math.inf)


def wilson_interval(successes: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval that proportions of format 1 have.

    Args:
        successes: Number of successes, from 0 to n.
        n: Number of samples, at least 1.

    Source: Wilson 1927, JASA 22(158).
    """
    z = NormalDist().inv_cdf(0.975)
    centre, spread = (successes + z * z / 2) / (n + z * z), successes * (n - successes) / n + z * z / 4
    half_width = z * math.sqrt(max(spread, 0.0)) / (n + z * z)
    low, high = max(0.0, centre - half_width), min(1.0, centre + half_width)
    return 0.0 if successes == 0 else low, 1.0 if successes == n else high
