"""The interval over orders and samples: it covers the truth, is the exact one without spread, and widens with it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.scores.order_votes import interval_over_orders


def test_without_spread_over_orders_it_is_the_exact_one() -> None:
    votes = np.repeat([[True]] * 70 + [[False]] * 30, 3, axis=1)
    assert interval_over_orders(votes) == pytest.approx(proportion_interval(70, 100))
    assert interval_over_orders(votes[:, :1]) == pytest.approx(proportion_interval(70, 100))
    assert interval_over_orders(np.ones((20, 3), bool)) == pytest.approx(proportion_interval(20, 20))


def test_it_equals_the_formula_written_out() -> None:
    votes = np.zeros((100, 3), bool)
    votes[:60, 0] = votes[:70, 1] = votes[:80, 2] = True
    low, high = proportion_interval(70, 100)
    spread = student.ppf(0.975, 2) * 0.1 / np.sqrt(3)
    expected = 0.7 - np.hypot(0.7 - low, spread), min(1.0, 0.7 + np.hypot(high - 0.7, spread))
    assert interval_over_orders(votes) == pytest.approx(expected)


@pytest.mark.parametrize("spread", [0.0, 0.02, 0.1])
@pytest.mark.parametrize("orders", [2, 3, 8])
def test_it_covers_the_mean_over_all_orders_and_samples(spread: float, orders: int) -> None:
    """Simulated: every order moves the accuracy of all samples, every sample has a difficulty of its own."""
    random, covered, runs, samples = np.random.default_rng(0), 0, 400, 200
    truth = mean_accuracy(spread)
    for _ in range(runs):
        difficulty = random.beta(3, 1.5, size=(samples, 1))  # mean 2/3
        moved = np.clip(difficulty + spread * random.standard_normal((1, orders)), 0, 1)
        low, high = interval_over_orders(random.random((samples, orders)) < moved)
        covered += low <= truth <= high
    assert covered / runs > 0.92


def mean_accuracy(spread: float) -> float:
    """The mean over orders and samples, which clipping to [0, 1] lowers a little."""
    random = np.random.default_rng(1)
    difficulty = random.beta(3, 1.5, size=200_000)
    return float(np.clip(difficulty + spread * random.standard_normal(200_000), 0, 1).mean())
