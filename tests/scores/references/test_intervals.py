"""Intervals against statsmodels, SciPy, their formulas, and the binomial distribution written out."""

from __future__ import annotations

import math
from itertools import product
from math import comb
from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from robustbench_eff.core.statistics import median_interval, proportion_interval
from robustbench_eff.scores.bounded_means import mean_interval
from robustbench_eff.training.sweep_spec import over_seeds, summaries

SIZES = (1, 2, 3, 5, 20, 360, 50_000)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_the_interval_of_a_proportion_is_statsmodels_and_scipys(confidence: float) -> None:
    random = np.random.default_rng(0)
    for n in SIZES:
        for successes in {0, 1, n // 2, n - 1, n, *random.integers(n + 1, size=20).tolist()}:
            found = proportion_interval(successes, n, confidence)
            assert found == pytest.approx(proportion_confint(successes, n, 1 - confidence, "beta"), abs=1e-9)
            exact = stats.binomtest(successes, n).proportion_ci(confidence, "exact")
            assert found == pytest.approx((exact.low, exact.high), abs=1e-7)


def test_of_fractions_of_successes_the_ends_are_quantiles_of_the_beta_distribution() -> None:
    random = np.random.default_rng(1)
    for n in (1.0, 1.5, 7.3, 412.9):
        for successes in (0.0, 0.2, *(random.random(20) * n).tolist(), n - 0.2, n):
            low = stats.beta.ppf(0.025, successes, n - successes + 1) if successes else 0.0
            high = stats.beta.ppf(0.975, successes + 1, n - successes) if successes < n else 1.0
            assert proportion_interval(successes, n) == pytest.approx((low, high), abs=1e-9)


def test_a_proportion_is_covered_as_the_binomial_distribution_says() -> None:
    """Summed over all counts; never below the promise."""
    for n in (1, 2, 5, 17, 60):
        ends = [proportion_interval(successes, n) for successes in range(n + 1)]
        for rate in (0.001, 0.02, 0.3, 0.5, 0.77, 0.999):
            covered = sum(
                comb(n, k) * rate**k * (1 - rate) ** (n - k)
                for k, (low, high) in enumerate(ends)
                if low <= rate <= high
            )
            assert covered >= 0.95 - 1e-12


@pytest.mark.parametrize("dtype", [bool, np.float32, np.float64])
def test_of_zeros_and_ones_the_interval_of_a_mean_is_that_of_the_proportion(dtype: Any) -> None:
    random = np.random.default_rng(2)
    for n, rate in product((1, 2, 3, 20, 60, 500), (0.0, 0.02, 0.5, 0.9, 1.0)):
        values = (random.random(n) < rate).astype(dtype)
        expected = proportion_confint(int(values.sum()), n, 0.05, "beta")
        assert mean_interval(values) == pytest.approx(expected, abs=1e-9)


def korn_graubard(values: list[float], low: float, high: float) -> tuple[float, float]:
    """Korn & Graubard 1998: the exact interval for n divided by the design effect, the ratio of the two variances.

    Two are added to both sums of squares, so that few equal values have an interval; the ratio is at most 1.
    """
    scaled = [(float(value) - low) / (high - low) for value in values]
    n, mean = len(scaled), math.fsum(scaled) / len(scaled)
    squares, most = 2.0, 2.0
    for value in scaled:
        squares += (value - mean) ** 2
        most += mean * (1 - mean)
    effective = n / min(1.0, squares / most)
    below, above = mean * effective, (1 - mean) * effective
    start = stats.beta.ppf(0.025, below, above + 1) if below > 0 else 0.0
    end = stats.beta.ppf(0.975, below + 1, above) if above > 0 else 1.0
    return low + (high - low) * float(start), low + (high - low) * float(end)


DRAWS = {
    "uniform": lambda random, n: random.random(n),
    "votes": lambda random, n: random.binomial(10, random.random(), size=n) / 10,
    "constant": lambda random, n: np.full(n, random.random()),
    "duplicates": lambda random, n: random.choice(random.random(2), size=n),
    "mostly ones": lambda random, n: np.where(random.random(n) < 0.05, random.random(n), 1.0),
}


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.0, 15.5), (-3.0, 2.0)])
@pytest.mark.parametrize("kind", DRAWS)
def test_the_interval_of_a_bounded_mean_follows_its_formula(kind: str, low: float, high: float) -> None:
    random = np.random.default_rng(3)
    for n in (1, 2, 3, 20, 60) * 4:
        values = low + (high - low) * DRAWS[kind](random, n)
        assert mean_interval(values, low, high) == pytest.approx(korn_graubard(values.tolist(), low, high), abs=1e-9)


def narrowest_order_statistics(n: int, confidence: float) -> int:
    """The largest k for which the k-th smallest and largest of n values enclose the median often enough; 0 for none.

    They miss it if fewer than k values lie on one side of it, by the tails of n throws of a coin, summed exactly.
    """
    k = 0
    while k < n // 2 and sum(2 * comb(n, below) for below in range(k + 1)) <= (1 - confidence) * 2**n:
        k += 1
    return k


@pytest.mark.parametrize("confidence", [0.6, 0.95, 0.99])
def test_the_interval_of_a_median_ends_at_the_order_statistics_that_cover_it(confidence: float) -> None:
    random = np.random.default_rng(4)
    for n in (1, 2, 5, 6, 7, 8, 9, 20, 61, 300):
        distinct, tied = random.exponential(size=n), random.integers(4, size=n).astype(float)
        endless = np.where(random.random(n) < 0.4, math.inf, distinct)
        for values in (distinct, tied, endless, np.zeros(n), np.full(n, math.inf), distinct.astype(np.float32)):
            k, ordered = narrowest_order_statistics(n, confidence), sorted(values.tolist())
            expected = (ordered[k - 1], ordered[n - k]) if k else (0.0, math.inf)
            assert median_interval(values, confidence) == expected, (n, k)


def test_over_seeds_the_interval_is_students() -> None:
    random = np.random.default_rng(5)
    for n in (2, 3, 5, 30):
        for values in (random.normal(size=n), np.full(n, 0.5), random.integers(2, size=n).astype(float)):
            found, statsmodels = over_seeds(values.tolist()), DescrStatsW(values)
            assert (found.mean, found.n) == (pytest.approx(values.mean()), n)
            if values.std():
                expected = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=stats.sem(values))
                assert (found.low, found.high) == pytest.approx(expected)
                assert (found.low, found.high) == pytest.approx(statsmodels.tconfint_mean())
            else:
                assert (found.low, found.high) == (None, None)
    alone = over_seeds([0.7])
    assert (alone.mean, alone.low, alone.high) == (0.7, None, None)


def test_of_fractions_over_seeds_the_interval_ends_at_the_bounds() -> None:
    values = {"row": {seed: {"accuracy": accuracy} for seed, accuracy in enumerate((0.2, 0.9, 0.99))}}
    low, high = stats.t.interval(0.95, 2, loc=np.mean([0.2, 0.9, 0.99]), scale=stats.sem([0.2, 0.9, 0.99]))
    assert low < 0 and high > 1
    found = summaries(values)["row"]["accuracy"]
    assert (found.low, found.high) == (0.0, 1.0)
