"""The bootstrap against loops over its own resamples, and against scipy's."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import stats

from robustbench_eff.scores import bootstrap
from robustbench_eff.scores.bootstrap import (
    DRAWS,
    mean_intervals,
    ratio_intervals,
    resample_counts,
    resampled_sums,
)


def means_drawn_one_by_one(values: np.ndarray) -> np.ndarray:
    counts = resample_counts(len(values))
    return np.array([np.repeat(values, draw).mean() for draw in counts])


def test_every_resample_has_as_many_samples_as_there_are() -> None:
    for samples in (1, 2, 49, 300):
        counts = resample_counts(samples)
        assert counts.shape == (DRAWS, samples)
        assert (counts.sum(axis=1, dtype=int) == samples).all()
    assert counts.mean(axis=0) == pytest.approx(1, abs=0.06)
    assert counts.astype(float).var() == pytest.approx(1 - 1 / samples, abs=0.02)


def test_intervals_are_quantiles_of_the_resampled_means() -> None:
    values = np.random.default_rng(0).normal(loc=[[0.0], [100.0]], size=(2, 80))
    for row, interval in zip(values, mean_intervals(values), strict=True):
        assert interval == pytest.approx(np.quantile(means_drawn_one_by_one(row), [0.025, 0.975]), abs=1e-5)


def test_intervals_agree_with_scipys_bootstrap() -> None:
    values = np.random.default_rng(1).exponential(size=200)
    reference = stats.bootstrap((values,), np.mean, n_resamples=DRAWS, method="percentile", rng=0).confidence_interval
    (interval,) = mean_intervals(values[None, :])
    assert interval == pytest.approx((reference.low, reference.high), abs=0.02 * (reference.high - reference.low))


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert mean_intervals(np.full((1, 70), 0.3)) == [(0.3, 0.3)]
    assert mean_intervals(np.array([[0.3]])) == [(0.3, 0.3)]


def test_many_samples_are_resampled_block_sums_of_the_same_spread() -> None:
    values = np.sort(np.random.default_rng(2).normal(size=(1, 25_003)))
    ((low, high),) = mean_intervals(values)
    half = 1.96 * values.std() / np.sqrt(values.shape[1])
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.05 * half)
    assert bootstrap.block_sums(values).shape[1] <= bootstrap.BLOCKS
    assert bootstrap.block_sums(values).sum() == pytest.approx(values.sum())


def test_a_ratio_is_drawn_with_its_denominator() -> None:
    random = np.random.default_rng(3)
    denominators = (random.random((1, 60)) < 0.7).astype(float)
    numerators = denominators * (random.random((1, 60)) < 0.4)
    ratios = [
        np.repeat(numerators[0], draw).sum() / np.repeat(denominators[0], draw).sum() for draw in resample_counts(60)
    ]
    (interval,) = ratio_intervals(numerators, denominators)
    assert interval == pytest.approx(np.quantile(ratios, [0.025, 0.975]))


def test_draws_without_a_denominator_are_left_out() -> None:
    rare = np.zeros((2, 50))
    rare[1, 0] = 1
    assert ratio_intervals(rare, rare) == [(None, None), (1.0, 1.0)]


def test_sums_of_whole_numbers_are_exact() -> None:
    values = np.random.default_rng(4).integers(0, 6, size=(3, 500))
    expected = resample_counts(500).astype(np.int64) @ values.T
    assert (resampled_sums(values) == expected).all()


def test_twenty_scores_of_twelve_models_take_less_than_two_seconds() -> None:
    values = np.random.default_rng(7).random((20, 5000))
    resample_counts.cache_clear()
    begun = time.process_time()
    for _ in range(12):
        mean_intervals(values)
    assert time.process_time() - begun < 4  # 0.9 measured; machines differ


def test_ends_do_not_leave_the_range_of_the_values() -> None:
    values = np.zeros((2, 50))
    values[1, 0] = 0.1
    for low, high in mean_intervals(values):
        assert 0.0 <= low <= high <= 0.1
