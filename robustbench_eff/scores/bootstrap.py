"""The bootstrap over samples: intervals of means and of ratios of means, and differences between two models.

Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 13 (percentile interval) and 16 (tests).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

DRAWS = 10_000
BLOCKS = 10_000
"""More samples than this are resampled in so many random blocks: 50,000 would need 0.5 GB and 5 s."""
DRAWS_AT_ONCE = 500

Values: TypeAlias = npt.NDArray[Any]
Draws: TypeAlias = npt.NDArray[np.float64]
Interval: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How much more one model has than another on the same samples."""

    value: float | None
    """None, as are the others, where a ratio has no denominator."""
    low: float | None
    high: float | None
    p: float | None
    """Two-sided, of no difference; at least 2 / (draws + 1)."""


def mean_intervals(values: Values, confidence: float = 0.95) -> list[Interval]:
    """The percentile bootstrap of the mean of every row of `values`, shape (scores, samples).

    All rows share 10,000 resamples of the samples, which are the same in every run.
    """
    means = values.mean(axis=1)
    draws = means + resampled_sums(values - means[:, None]) / values.shape[1]
    draws = np.clip(draws, values.min(axis=1), values.max(axis=1))  # float32 may round beyond
    return [_interval(draws[:, row], confidence) for row in range(len(values))]


def ratio_intervals(
    numerators: Values, denominators: Values, confidence: float = 0.95
) -> list[tuple[float, float] | tuple[None, None]]:
    """The same of the mean of every row of `numerators` over that of `denominators`, both (scores, samples).

    Denominators are at least 0. Draws in which they are all 0 are left out; (None, None) where none is left.
    """
    draws = _ratios(resampled_sums(numerators), resampled_sums(denominators))
    kept = [column[np.isfinite(column)] for column in draws.T]
    return [_interval(column, confidence) if len(column) else (None, None) for column in kept]


def paired_difference(
    a: Values | tuple[Values, Values], b: Values | tuple[Values, Values], confidence: float = 0.95
) -> Difference:
    """How much the mean of `a` exceeds that of `b`: values of the same samples, shape (samples,).

    A pair of such arrays stands for a ratio of means, as in `ratio_intervals`. Samples are drawn with both models'
    values. The p-value is twice the smaller tail of the draws beyond 0, each tail counted with one draw more, and at
    least `least_p` of how many samples differ.
    """
    if isinstance(a, tuple) and isinstance(b, tuple):
        rows = np.stack([*a, *b])
        differing = int(((a[0] != b[0]) | (a[1] != b[1])).sum())
        value = float(_difference(rows.sum(axis=1)[None, :])[0])
        draws = _difference(resampled_sums(rows))
        draws = draws[np.isfinite(draws)]
    elif not isinstance(a, tuple) and not isinstance(b, tuple):
        differences = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
        value, differing = float(differences.mean()), int((differences != 0).sum())
        draws = resampled_sums(differences[None, :])[:, 0] / len(differences)
    else:
        raise ValueError("Two means or two ratios are needed, got one of each.")
    if not np.isfinite(value) or not len(draws):
        return Difference(value=None, low=None, high=None, p=None)
    low, high = _interval(draws, confidence)
    p = max(float(two_sided(draws[:, None])[0]), least_p(differing))
    return Difference(value=value, low=low, high=high, p=p)


def least_p(differing: int) -> float:
    """What a two-sided test of so many differences can give at least: that of all having one sign by chance."""
    return float(min(1.0, 2.0 ** (1 - differing)))


def two_sided(draws: Draws) -> Draws:
    """The p-value of 0 for every column of `draws`, shape (draws, quantities)."""
    tails = np.minimum((draws <= 0).sum(axis=0), (draws >= 0).sum(axis=0))
    p: Draws = np.minimum(2 * (tails + 1) / (len(draws) + 1), 1.0)
    return p


def resampled_sums(values: Values) -> Draws:
    """The sum of every row of `values` in every resample: (rows, samples) gives (draws, rows).

    Computed in float32, in which sums of whole numbers are exact up to 16 million.
    """
    rows = np.ascontiguousarray(in_blocks(values).T, dtype=np.float32)
    counts = resample_counts(len(rows))
    sums = np.empty((DRAWS, rows.shape[1]))
    for start in range(0, DRAWS, DRAWS_AT_ONCE):
        chunk = slice(start, start + DRAWS_AT_ONCE)
        sums[chunk] = counts[chunk].astype(np.float32) @ rows
    return sums


def in_blocks(values: Values) -> Values:
    """The columns of `values`, or where they are too many, the sums of random blocks of them.

    Blocks of independent samples are as independent: resampling them gives the same distribution but for an error
    of 1 % in its width.
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
    """How often every sample is in each resample, shape (draws, samples); the same in every run.

    A count above 255 has a chance below 1/256!, and none at all of up to 255 samples.
    """
    random = np.random.Generator(np.random.SFC64(0))
    counts = np.empty((draws, samples), dtype=np.uint8)
    for draw in counts:
        draw[:] = np.bincount(random.integers(samples, size=samples), minlength=samples)
    counts.setflags(write=False)
    return counts


def _difference(sums: Draws) -> Draws:
    """Of the ratios of columns 0 to 1 and 2 to 3."""
    return _ratios(sums[:, 0], sums[:, 1]) - _ratios(sums[:, 2], sums[:, 3])


def _ratios(numerators: Draws, denominators: Draws) -> Draws:
    """NaN where there is no denominator."""
    ratios: Draws = np.full(numerators.shape, np.nan)
    np.divide(numerators, denominators, out=ratios, where=denominators != 0)
    return ratios


def _interval(draws: Draws, confidence: float) -> Interval:
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
