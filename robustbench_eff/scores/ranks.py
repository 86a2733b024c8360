"""Tests of all pairs of models that were measured on the same samples, from which their ranks follow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robustbench_eff.core.statistics import PairTests

from .paired import mcnemar
from .paired_means import SampleSums, means, paired_differences, ratios
from .per_sample import SampleContributions, Values


def pair_tests(row: Sequence[SampleContributions]) -> PairTests:
    """Return the tests of all pairs of models by one score, whose ranks `core.statistics.table_ranks` gives.

    They are exact McNemar tests where every sample is right or wrong for every model, else those of
    `paired_differences`.

    Args:
        row: The score of every model, all on the same samples.
    """
    sums = sample_sums(row)
    scores = sums.scores if row[0].higher_is_better else -sums.scores
    if all(entry.binary for entry in row):
        return PairTests(scores, _mcnemar(np.stack([entry.values for entry in row])))
    return PairTests(scores, paired_differences(sums).p_values)


def sample_sums(row: Sequence[SampleContributions]) -> SampleSums:
    """Return the score of several models as sums over the samples.

    Args:
        row: The score of every model, all on the same samples.
    """
    values = np.stack([entry.values for entry in row])
    weights = [entry.weights for entry in row if entry.weights is not None]
    if weights:
        return ratios(values, np.stack(weights))
    low, high = zip(*(entry.bounds for entry in row), strict=True)
    return means(values, min(low), max(high))


def _mcnemar(values: Values) -> Values:
    """Return the p-value of every pair; all counts come from one product."""
    only_first = values @ (1 - values).T
    first, second = np.triu_indices(len(values), 1)
    return mcnemar(np.rint(only_first[first, second]).astype(int), np.rint(only_first[second, first]).astype(int))
