"""Two models on the same samples: how far apart they are, how sure that is, and where they disagree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from robustbench_eff.core.statistics import Ranks, holm

from .bootstrap import paired_difference
from .consistency import ErrorConsistency, error_consistency
from .paired import mcnemar, newcombe
from .per_sample import SampleContributions
from .ranks import rank_intervals


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A score of two models, and their difference with its 95 % interval: Newcombe's where samples are right or wrong,
    else the paired bootstrap's."""

    benchmark: str
    perturbation: str
    metric: str
    n: int
    a: float | None
    b: float | None
    difference: float | None
    """a less b, of fractions; None where one of them has no value."""
    low: float | None
    high: float | None
    p: float | None
    """Two-sided, of no difference: exact McNemar where samples are right or wrong, else the paired bootstrap."""
    p_holm: float | None
    """Adjusted for all comparisons that were made together."""
    only_a: int | None
    """Samples that only the first has right; None where samples are not right or wrong."""
    only_b: int | None
    consistency: ErrorConsistency | None
    """Whether they err on the same samples."""
    higher_is_better: bool
    protocols: tuple[str, ...]
    """One where both have the same, else that of each."""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A sample that only one of two models has right."""

    benchmark: str
    perturbation: str
    sample_id: str
    label: int
    a: int
    """What the first predicts."""
    b: int
    right: str
    """`a` or `b`."""


def compare(a: Mapping[str, SampleContributions], b: Mapping[str, SampleContributions]) -> list[Comparison]:
    """Every score that both models have, in the order of the first; p-values adjusted for all of them by Holm."""
    found = [_compared(a[key], b[key]) for key in a if key in b]
    tested = [row for row in found if row.p is not None]
    adjusted = iter(holm([row.p for row in tested if row.p is not None]))
    return [row if row.p is None else replace(row, p_holm=next(adjusted)) for row in found]


def flips(a: Mapping[str, SampleContributions], b: Mapping[str, SampleContributions]) -> Iterator[Flip]:
    """Every sample that one of the two has right and the other wrong, cell by cell."""
    for key in a:
        one, two = a[key], b.get(key)
        if (
            two is None
            or not (one.binary and two.binary)
            or one.labels is None
            or one.predictions is None
            or two.predictions is None
        ):
            continue
        for row in np.flatnonzero(one.values != two.values).tolist():
            yield Flip(
                benchmark=one.benchmark,
                perturbation=one.perturbation,
                sample_id=one.sample_ids[row],
                label=one.labels[row],
                a=one.predictions[row],
                b=two.predictions[row],
                right="a" if one.values[row] else "b",
            )


def ranked(
    models: Sequence[Mapping[str, SampleContributions]],
) -> list[tuple[SampleContributions, list[float | None], list[Ranks]]]:
    """Every score that all models have: that of the first, all their values, and the ranks each may have."""
    shared = [key for key in models[0] if all(key in model for model in models)]
    rows = [[model[key] for model in models] for key in shared]
    return [(row[0], [one.value for one in row], _ranks(row)) for row in rows]


def _ranks(row: Sequence[SampleContributions]) -> list[Ranks]:
    values = np.stack([measure.values for measure in row])
    weights = [measure.weights for measure in row if measure.weights is not None]
    return rank_intervals(values, row[0].higher_is_better, np.stack(weights) if weights else None)


def _compared(a: SampleContributions, b: SampleContributions) -> Comparison:
    if a.weights is None or b.weights is None:
        difference = paired_difference(a.values, b.values)
    else:
        difference = paired_difference((a.values, a.weights), (b.values, b.weights))
    p, only_a, only_b, consistency = difference.p, None, None, None
    low, high = difference.low, difference.high
    if a.binary and b.binary:
        only_a, only_b = int((a.values > b.values).sum()), int((b.values > a.values).sum())
        both = int((a.values * b.values).sum())
        low, high = newcombe(both, only_a, only_b, len(a.values) - both - only_a - only_b)
        p, consistency = mcnemar(only_a, only_b), error_consistency(a.values, b.values)
    elif a.named is not None and b.named is not None:
        consistency = error_consistency(a.named, b.named)
    return Comparison(
        benchmark=a.benchmark,
        perturbation=a.perturbation,
        metric=a.metric,
        n=len(a.values),
        a=a.value,
        b=b.value,
        difference=difference.value,
        low=low,
        high=high,
        p=p,
        p_holm=None,
        only_a=only_a,
        only_b=only_b,
        consistency=consistency,
        higher_is_better=a.higher_is_better,
        protocols=tuple(dict.fromkeys((a.protocol, b.protocol))),
        flags=tuple(dict.fromkeys(a.flags + b.flags)),
    )
