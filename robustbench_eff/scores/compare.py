"""Two models on the same samples: their difference, how certain it is, and where they disagree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from robustbench_eff.core.protocol import Protocol
from robustbench_eff.core.statistics import Ranks, holm, table_ranks

from .consistency import ErrorConsistency, error_consistency
from .paired import difference_interval, mcnemar
from .paired_means import paired_differences
from .per_sample import SampleContributions, Values
from .ranks import pair_tests, sample_sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A score of two models and their difference.

    The 95 % interval is that of `difference_interval` where every sample is either right or wrong, else that of
    `paired_differences`. It excludes 0 only where p < 0.05.
    """

    benchmark: str
    perturbation: str
    metric: str
    n: int
    """Number of samples."""
    a: float | None
    """Value of the first model."""
    b: float | None
    """Value of the second model."""
    difference: float | None
    """a minus b; None where one of them has no value."""
    low: float | None
    high: float | None
    p: float | None
    """Two-sided p-value of no difference: exact McNemar where every sample is right or wrong, else that of
    `paired_differences`."""
    p_holm: float | None
    """The p-value adjusted by Holm for all comparisons that were made together."""
    only_a: int | None
    """Samples that only the first model classifies correctly; None where samples are not right or wrong."""
    only_b: int | None
    """Samples that only the second model classifies correctly."""
    differ: int | None
    """Samples for which they predict different classes, of which both may be wrong; None where that is unknown."""
    consistency: ErrorConsistency | None
    """Whether they err on the same samples."""
    higher_is_better: bool
    protocols: tuple[Protocol, ...]
    """One protocol where both have the same, else the protocol of each."""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A sample that only one of two models classifies correctly."""

    benchmark: str
    perturbation: str
    sample_id: str
    label: int
    a: int
    """Prediction of the first model."""
    b: int
    """Prediction of the second model."""
    right: str
    """The model that is right: `a` or `b`."""


class RankedScore(NamedTuple):
    """A score of several models, and the ranks that each may have."""

    score: SampleContributions
    """The score of the first model."""
    values: list[float | None]
    """The values of all models."""
    ranks: list[Ranks]


def compare(a: Mapping[str, SampleContributions], b: Mapping[str, SampleContributions]) -> list[Comparison]:
    """Return every score that both models have, in the order of the first; Holm adjusts the p-values of all of them.

    Args:
        a: Contributions of the first model, by key.
        b: Contributions of the second model, by key.
    """
    comparisons = [_compared(a[key], b[key]) for key in a if key in b]
    p_values = [row.p for row in comparisons if row.p is not None]
    adjusted = iter(holm(p_values).tolist())
    return [row if row.p is None else replace(row, p_holm=next(adjusted)) for row in comparisons]


def flips(a: Mapping[str, SampleContributions], b: Mapping[str, SampleContributions]) -> Iterator[Flip]:
    """Yield every sample that one of the two models classifies correctly and the other wrongly, cell by cell.

    Args:
        a: Contributions of the first model, by key.
        b: Contributions of the second model, by key.
    """
    for key, first in a.items():
        second = b.get(key)
        if second is None or not (first.binary and second.binary):
            continue
        if first.labels is None or first.predictions is None or second.predictions is None:
            continue
        for row in np.flatnonzero(first.values != second.values).tolist():
            yield Flip(
                benchmark=first.benchmark,
                perturbation=first.perturbation,
                sample_id=first.sample_ids[row],
                label=first.labels[row],
                a=first.predictions[row],
                b=second.predictions[row],
                right="a" if first.values[row] else "b",
            )


def ranked(models: Sequence[Mapping[str, SampleContributions]]) -> list[RankedScore]:
    """Return every score that all models have, with the ranks that each model may have.

    With 95 % confidence all true ranks of all scores lie within the returned ones at once.

    Args:
        models: Contributions of each model, by key.
    """
    shared = [key for key in models[0] if all(key in model for model in models)]
    rows = [[model[key] for model in models] for key in shared]
    ranks = table_ranks([pair_tests(row) for row in rows])
    return [
        RankedScore(row[0], [entry.value for entry in row], of_row) for row, of_row in zip(rows, ranks, strict=True)
    ]


def _compared(a: SampleContributions, b: SampleContributions) -> Comparison:
    difference = paired_differences(sample_sums((a, b)))
    known = a.value is not None and b.value is not None
    value, low, high, p = (float(of[0]) if known else None for of in difference)
    comparison = Comparison(
        benchmark=a.benchmark,
        perturbation=a.perturbation,
        metric=a.metric,
        n=len(a.values),
        a=a.value,
        b=b.value,
        difference=value,
        low=low,
        high=high,
        p=p,
        p_holm=None,
        only_a=None,
        only_b=None,
        differ=_differing(a, b),
        consistency=None,
        higher_is_better=a.higher_is_better,
        protocols=tuple(dict.fromkeys((a.protocol, b.protocol))),
        flags=tuple(dict.fromkeys(a.flags + b.flags)),
    )
    if a.binary and b.binary:
        return _of_binary(comparison, a.values, b.values)
    if a.label_was_predicted is not None and b.label_was_predicted is not None:
        return replace(comparison, consistency=error_consistency(a.label_was_predicted, b.label_was_predicted))
    return comparison


def _differing(a: SampleContributions, b: SampleContributions) -> int | None:
    """The number of samples for which the models predict different classes."""
    if a.predictions is None or b.predictions is None:
        return None
    return int((np.asarray(a.predictions) != np.asarray(b.predictions)).sum())


def _of_binary(comparison: Comparison, a: Values, b: Values) -> Comparison:
    """The comparison with exact tests, for samples that are right or wrong."""
    only_a, only_b, both = int((a > b).sum()), int((b > a).sum()), int((a * b).sum())
    low, high = difference_interval(both, only_a, only_b, len(a) - both - only_a - only_b)
    return replace(
        comparison,
        low=low,
        high=high,
        p=float(mcnemar(only_a, only_b)),
        only_a=only_a,
        only_b=only_b,
        consistency=error_consistency(a, b),
    )
