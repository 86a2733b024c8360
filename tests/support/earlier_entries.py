"""Entries as an earlier version wrote them."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from robustbench_eff.core.metric import metric_of
from robustbench_eff.leaderboards.entry import Entry, Result

Z = 1.959963984540054
"""Quantile of the normal distribution for 95 %."""
NEW = {"balanced_robust_accuracy", "worst_class_robust_accuracy"}


def old(entry: Entry) -> Entry:
    """Return an entry of format 1.

    It has Wilson's intervals, null for an infinite distance, the number of attacks of which the worst counts in place
    of their names, no accuracies by class under attack, no name of the worst class, and of the flags of a number over
    several cells only those about votes.
    """
    results = tuple(_old(result) for result in entry.measured if result.metric not in NEW)
    return entry.model_copy(update={"format": 1, "measured": results}).with_checksum()


def _old(result: Result) -> Result:
    changed: dict[str, object] = {"searched_to": None, "detail": ""}
    changed |= {name: None for name in ("value", "high") if getattr(result, name) == math.inf}
    metric = metric_of(result.metric)
    if metric is not None and metric.is_proportion and result.n and result.value is not None:
        changed |= dict(zip(("low", "high"), wilson(result.value, result.n), strict=True))
    if not result.cell:
        changed["flags"] = tuple(flag for flag in result.flags if flag.startswith("draws at random: "))
    if members := result.protocol.attacks:
        number = f"{len(members)} attack{'s' if len(members) > 1 else ''}"
        ending = re.search(r"( in \d+ runs)?, \w+ [^ ]+$", result.perturbation)
        assert ending is not None
        changed |= {"perturbation": f"worst of {number}{ending[0]}", "protocol": replace(result.protocol, attacks=())}
    return result.model_copy(update=changed)


def wilson(share: float, n: int) -> tuple[float, float]:
    """Return the ends of Wilson's interval (Wilson 1927), the roots of (p - share)^2 = z^2 p (1 - p) / n."""
    middle = share + Z**2 / (2 * n)
    half = Z * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    low, high = (middle - half) / (1 + Z**2 / n), (middle + half) / (1 + Z**2 / n)
    return max(low, 0.0), min(high, 1.0)
