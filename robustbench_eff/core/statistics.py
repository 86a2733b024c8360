"""Confidence intervals and multiple comparisons that scores and leaderboards share; SciPy is imported where needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

LEVEL = 0.05
"""Family-wise error rate of the ranks, and of the differences, of a whole table."""


class Ranks(NamedTuple):
    """The best and the worst rank that a model may have; 1 is the best of all."""

    best: int
    worst: int


class PairTests(NamedTuple):
    """The tests of all pairs of the models in one column of a table."""

    scores: npt.NDArray[Any]
    """Score of every model, shape (models,); rank 1 is the highest. NaN where a model has none."""
    p_values: npt.NDArray[Any]
    """Unadjusted p-values in [0, 1], shape (pairs,), in the order of `numpy.triu_indices(models, 1)`."""


def proportion_interval(successes: int | float, n: int | float, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a proportion, which covers it with at least the given probability at every n.

    Args:
        successes: Number of successes, from 0 to `n`. A fraction is allowed, for the sum of fractions of right
            votes and for effective sample sizes.
        n: Number of trials, at least 1.
        confidence: Coverage of the interval, in (0, 1).

    Returns:
        The lower and the upper bound, both in [0, 1].

    Raises:
        ValueError: `successes` is not in [0, n], or `n` is less than 1.

    Source: Clopper & Pearson 1934, Biometrika 26(4).
    """
    from scipy.special import betaincinv

    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"0 <= successes <= n and n >= 1 are needed, got {successes} of {n}.")
    tail = (1 - confidence) / 2
    low = float(betaincinv(successes, n - successes + 1, tail)) if successes > 0 else 0.0
    high = float(betaincinv(successes + 1, n - successes, 1 - tail)) if successes < n else 1.0
    return low, high


def median_interval(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Return a confidence interval for the median of a distribution of distances, from order statistics.

    It covers the median with at least the given probability, whatever the distribution.

    Args:
        values: A sample of the distribution, at least 0 and possibly infinite, shape (n,).
        confidence: Coverage of the interval, between 0 and 1.

    Returns:
        Both ends of the interval; 0 and infinity with fewer values than an interval needs: six for 95 %.

    Source: David & Nagaraja 2003, Order Statistics, section 7.1.
    """
    from scipy.stats import binom  # the import takes a second, which a table of accuracies does not need

    rank = int(binom.ppf((1 - confidence) / 2, len(values), 0.5))
    if rank < 1:
        return 0.0, math.inf
    ordered = np.sort(values)
    return float(ordered[rank - 1]), float(ordered[len(values) - rank])


def holm(p_values: Sequence[float] | npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the p-values of several tests adjusted by Holm's step-down procedure.

    Rejecting every hypothesis whose adjusted p-value is below a level keeps the family-wise error rate at that level.

    Args:
        p_values: P-values in [0, 1], shape (tests,).

    Returns:
        The adjusted p-values in the order of `p_values`, each at most 1.

    Source: Holm 1979, Scandinavian Journal of Statistics 6(2).
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted


def table_ranks(columns: Sequence[PairTests]) -> list[list[Ranks]]:
    """Return the ranks that models may have in every column of a table, given the tests of all pairs of models.

    A model ranks behind all models that are significantly better and before all that are significantly worse. Holm's
    adjustment covers all pairs of all columns, so all true ranks of the whole table lie within the returned ones
    simultaneously, with a probability of at least 1 - LEVEL.

    Args:
        columns: The tests of every column; columns may have different models.

    Returns:
        For every column the best and the worst rank of every model.

    Source: Mogstad, Romano, Shaikh & Wilhelm 2024, Review of Economic Studies 91(1), on simultaneous confidence sets
    for ranks.
    Differs: Holm in place of their bootstrap step-down, so the ranks are a little wider; several columns at once.
    """
    if not columns:
        return []
    significant = holm(np.concatenate([column.p_values for column in columns])) < LEVEL
    ends = np.cumsum([len(column.p_values) for column in columns])[:-1]
    return [_ranks(column.scores, found) for column, found in zip(columns, np.split(significant, ends), strict=True)]


def _ranks(scores: npt.NDArray[Any], significant: npt.NDArray[np.bool_]) -> list[Ranks]:
    """Count for every model the models that are significantly better and worse, given which pairs are different."""
    first, second = np.triu_indices(len(scores), 1)
    first_wins = significant & (scores[first] > scores[second])
    second_wins = significant & (scores[first] < scores[second])
    winners = np.concatenate((first[first_wins], second[second_wins]))
    losers = np.concatenate((second[first_wins], first[second_wins]))
    num_better = np.bincount(losers, minlength=len(scores))
    num_worse = np.bincount(winners, minlength=len(scores))
    return [
        Ranks(1 + int(better), len(scores) - int(worse)) for better, worse in zip(num_better, num_worse, strict=True)
    ]


def binomial_lower_bound(
    successes: npt.NDArray[Any] | int, n: npt.NDArray[Any] | int, alpha: npt.NDArray[Any] | float
) -> npt.NDArray[np.float64]:
    """Return the exact lower bound of a proportion, which exceeds the true one with a probability of at most `alpha`.

    Args:
        successes: Number of successes, from 0 to `n`.
        n: Number of trials, at least 1.
        alpha: One-sided error probability, in (0, 1).

    Returns:
        The bounds in [0, 1], in the shape that the arguments broadcast to; 0 without a success.

    Source: Clopper & Pearson 1934, Biometrika 26(4), one-sided.
    """
    from scipy.special import betaincinv

    counts = np.asarray(successes, dtype=np.float64)
    bound = betaincinv(np.maximum(counts, 1), np.asarray(n) - counts + 1, alpha)
    return np.where(counts > 0, bound, 0.0)


def certified_radius(
    votes: npt.NDArray[Any] | int, n: npt.NDArray[Any] | int, alpha: npt.NDArray[Any] | float, sigma: float
) -> npt.NDArray[np.float64]:
    """Return the L2 radius within which the prediction of a smoothed classifier provably stays the same.

    Args:
        votes: Number of draws that voted for the prediction.
        n: Number of draws.
        alpha: Probability with which the radius may be too large, in (0, 1).
        sigma: Standard deviation of the noise, which is also the unit of the radius.

    Returns:
        sigma * Phi^-1(lower bound of the share of votes), shape of `votes`; 0 where the bound is at most 1/2: the
        classifier abstains.

    Source: Cohen, Rosenfeld & Kolter 2019, arXiv:1902.02918, algorithm CERTIFY.
    """
    from scipy.special import ndtri

    return np.asarray(sigma * ndtri(np.maximum(binomial_lower_bound(votes, n, alpha), 0.5)), dtype=np.float64)
