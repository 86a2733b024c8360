"""The bootstrap over samples: intervals of means and of ratios of means.

Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13 (percentile interval).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

DRAWS = 10_000
"""Number of resamples."""
BLOCKS = 10_000
"""More samples than this are resampled in this many random blocks: 50,000 samples would need 0.5 GB and 5 s."""
DRAWS_AT_ONCE = 500
"""Resamples that are summed at once, which bounds the memory."""

Values: TypeAlias = npt.NDArray[Any]
Draws: TypeAlias = npt.NDArray[np.float64]
Interval: TypeAlias = tuple[float, float]


def mean_intervals(values: Values, confidence: float = 0.95) -> list[Interval]:
    """Return the percentile bootstrap interval of the mean of each row.

    All rows share 10,000 resamples of the samples, which are the same in every run.

    Args:
        values: What each sample adds to each score, shape (scores, samples).
        confidence: Coverage of the intervals, between 0 and 1.
    """
    means = values.mean(axis=1)
    draws = means + resampled_sums(values - means[:, None]) / values.shape[1]
    draws = np.clip(draws, values.min(axis=1), values.max(axis=1))  # float32 may round beyond
    return [_interval(draws[:, row], confidence) for row in range(len(values))]


def ratio_intervals(
    numerators: Values, denominators: Values, confidence: float = 0.95
) -> list[tuple[float, float] | tuple[None, None]]:
    """Return the percentile bootstrap interval of each ratio of two means over the same samples.

    Resamples in which all denominators are 0 are left out.

    Args:
        numerators: What each sample adds to the numerator of each ratio, shape (scores, samples).
        denominators: What each sample adds to the denominator, at least 0, shape (scores, samples).
        confidence: Coverage of the intervals, between 0 and 1.

    Returns:
        One interval for each row; (None, None) where the denominators of all resamples are 0.
    """
    draws = _ratios(resampled_sums(numerators), resampled_sums(denominators))
    finite_draws = [column[np.isfinite(column)] for column in draws.T]
    return [_interval(column, confidence) if len(column) else (None, None) for column in finite_draws]


def resampled_sums(values: Values) -> Draws:
    """Return the sum of each row in every resample, shape (draws, rows).

    Sums are computed in float32, in which those of whole numbers are exact up to 16 million.

    Args:
        values: Shape (rows, samples).
    """
    rows = np.ascontiguousarray(block_sums(values).T, dtype=np.float32)
    counts = resample_counts(len(rows))
    sums = np.empty((DRAWS, rows.shape[1]))
    for start in range(0, DRAWS, DRAWS_AT_ONCE):
        chunk = slice(start, start + DRAWS_AT_ONCE)
        sums[chunk] = counts[chunk].astype(np.float32) @ rows
    return sums


def block_sums(values: Values) -> Values:
    """Return the values themselves, or the sums of random blocks of samples if there are more than 10,000 samples.

    Blocks of independent samples are independent, too: resampling them gives the same distribution, up to an error of
    1 % in its width.

    Args:
        values: Shape (rows, samples).

    Returns:
        Shape (rows, samples) or (rows, blocks).
    """
    samples = values.shape[1]
    if samples <= BLOCKS:
        return values
    order = np.random.Generator(np.random.SFC64(samples)).permutation(samples)
    size = -(-samples // BLOCKS)
    sums: Values = np.add.reduceat(values[:, order], range(0, samples, size), axis=1, dtype=np.float64)
    return sums


@lru_cache(maxsize=3)  # a model's images, their confidences and its videos come in turn
def resample_counts(samples: int, draws: int = DRAWS) -> npt.NDArray[np.uint8]:
    """Return how often each resample contains each sample, shape (draws, samples); the same in every run.

    A count above 255, which uint8 cannot hold, has a probability below 1/256!, and 0 with up to 255 samples.

    Args:
        samples: Number of samples.
        draws: Number of resamples.
    """
    random = np.random.Generator(np.random.SFC64(0))
    counts = np.empty((draws, samples), dtype=np.uint8)
    for draw in counts:
        draw[:] = np.bincount(random.integers(samples, size=samples), minlength=samples)
    counts.setflags(write=False)
    return counts


def _ratios(numerators: Draws, denominators: Draws) -> Draws:
    """Return the ratios, NaN where a denominator is 0."""
    ratios: Draws = np.full(numerators.shape, np.nan)
    np.divide(numerators, denominators, out=ratios, where=denominators != 0)
    return ratios


def _interval(draws: Draws, confidence: float) -> Interval:
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
