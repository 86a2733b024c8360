"""Which of two compared models is better, and in what the second is worse by more than a margin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from robustbench_eff.core.statistics import LEVEL
from robustbench_eff.registry.metrics import metric_of

from .compare import Comparison
from .per_sample import SampleContributions

NEITHER = "shape_bias"
"""The metric of which more is neither better nor worse."""


def better(row: Comparison) -> Literal["A", "B"] | None:
    """Return the better model where the p-value that Holm adjusted is below 0.05, else None.

    Args:
        row: A comparison of two models.
    """
    if row.p_holm is None or row.difference is None or row.p_holm >= LEVEL or row.metric == NEITHER:
        return None
    return "A" if (row.difference > 0) == row.higher_is_better else "B"


def worse(rows: Sequence[Comparison], margin: float = 0.0) -> list[Comparison]:
    """Return the comparisons in which the second model is worse, with 95 % confidence, by more than a margin.

    With a margin the whole 95 % interval of the difference must lie beyond it, besides the p-value that Holm adjusted.

    Args:
        rows: Comparisons that were made together.
        margin: A fraction, at least 0, for metrics that are fractions; others have none.
    """
    return [row for row in rows if better(row) == "A" and (margin == 0 or not _is_fraction(row) or _lead(row) > margin)]


def not_comparable(a: Mapping[str, SampleContributions], b: Mapping[str, SampleContributions]) -> list[str]:
    """Return what the first model has a number of and the second one has not, on the same samples, as texts.

    Args:
        a: Contributions of the first model, by key.
        b: Contributions of the second model, by key.
    """
    only = [f"{entry.benchmark}, {entry.perturbation}" for key, entry in a.items() if key not in b]
    return list(dict.fromkeys(only))


def _lead(row: Comparison) -> float:
    """By how much the first model is better at least, as the interval says; 0 without an interval."""
    if row.low is None or row.high is None:
        return 0.0
    return row.low if row.higher_is_better else -row.high


def _is_fraction(row: Comparison) -> bool:
    return metric_of(row.metric).unit == "fraction"
