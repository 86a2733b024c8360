"""Confidence sets for the ranks of models that were measured on a finite number of samples."""

from __future__ import annotations

from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from robustbench_eff.core.statistics import Ranks, ranks_from_pairs

from .bootstrap import paired_difference, resampled_sums, smallest_p, two_sided_p
from .paired import mcnemar

Values: TypeAlias = npt.NDArray[Any]


def rank_intervals(values: Values, higher_is_better: bool = True, weights: Values | None = None) -> list[Ranks]:
    """Return the best and the worst rank that each model may have: with 95 % confidence all true ranks lie in these.

    All pairs of models are tested, by the exact McNemar test where all values are 0 or 1, else by the bootstrap of the
    difference, and the p-values are adjusted by Holm. A model ranks behind those that are significantly better, and
    before those that are significantly worse.

    Args:
        values: What each sample adds to each model's score, shape (models, samples).
        higher_is_better: Whether rank 1 is that of the highest score.
        weights: Shape (models, samples), for scores that are the sum of values over the sum of weights; None for means.

    Source: Mogstad, Romano, Shaikh & Wilhelm 2024, Review of Economic Studies 91(1), on simultaneous
    confidence sets for ranks.
    Differs: Holm instead of their bootstrap step-down, so the ranks are a little wider.
    """
    pairs = list(combinations(range(len(values)), 2))
    binary = bool(((values == 0) | (values == 1)).all())
    if weights is not None:
        tested = [paired_difference((values[a], weights[a]), (values[b], weights[b])).p for a, b in pairs]
        p_values = [1.0 if p is None else p for p in tested]
    else:
        p_values = (_mcnemar_p if binary else _bootstrap_p)(values, pairs)
    means = values.mean(axis=1) if weights is None else values.sum(axis=1) / np.maximum(weights.sum(axis=1), 1)
    first, second = np.triu_indices(len(values), 1)
    return ranks_from_pairs(means if higher_is_better else -means, first, second, p_values)


def _mcnemar_p(values: Values, pairs: list[tuple[int, int]]) -> list[float]:
    right = values.astype(bool)
    return [mcnemar(int((right[a] & ~right[b]).sum()), int((right[b] & ~right[a]).sum())) for a, b in pairs]


def _bootstrap_p(values: Values, pairs: list[tuple[int, int]]) -> list[float]:
    """Return the p-values of the bootstrap; if all draws have the same sign, that of the normal tail if it is smaller.

    The smallest p-value of 10,000 draws is 0.0002, which after Holm could not distinguish any two of 23 models. No
    p-value is below `smallest_p`.
    """
    sums = resampled_sums(values - values.mean(axis=1, keepdims=True)) + values.sum(axis=1)
    p_values = []
    for a, b in pairs:
        draws = sums[:, a] - sums[:, b]
        p = float(two_sided_p(draws[:, None])[0])
        if (draws.min() > 0 or draws.max() < 0) and draws.std():
            p = min(p, 2 * float(norm.sf(abs(draws.mean()) / draws.std())))
        p_values.append(max(p, smallest_p(int((values[a] != values[b]).sum()))))
    return p_values
