"""Paired differences of means and ratios: by hand, against references, and at their limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import chi2, poisson, ttest_rel

from robustbench_eff.scores.paired_means import Differences, SampleSums, means, paired_differences, ratios

two_models = st.integers(1, 30).flatmap(
    lambda n: arrays(float, (2, n), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0]))
)


def of(sums: SampleSums) -> tuple[float, ...]:
    """Value, low, high and p of the only pair."""
    found: Differences = paired_differences(sums)
    return tuple(float(one[0]) for one in found)


def test_many_samples_have_the_p_of_student() -> None:
    random = np.random.default_rng(0)
    a, b = random.beta(2, 2, size=(2, 20000))
    for gain in (0.0, 0.004, 0.007):
        value, low, high, p = of(means(np.stack((a + gain, b)), high=1.01))
        expected = ttest_rel(a + gain, b)
        assert p == pytest.approx(expected.pvalue, rel=0.02)
        assert (low, high) == pytest.approx(tuple(expected.confidence_interval()), abs=1e-4)
        assert value == pytest.approx((a + gain - b).mean())


def test_an_event_that_no_sample_shows_has_the_p_of_poisson() -> None:
    """One model is 0.1 better on all of 40 samples, which 4 samples of the opposite sign would undo."""
    a, b = np.full(40, 0.1), np.zeros(40)
    value, low, high, p = of(means(np.stack((a, b))))
    assert p == pytest.approx(2 * poisson.cdf(0, 4.0))
    most = chi2.isf(0.025, 2) / 2
    assert (value, low, high) == pytest.approx((0.1, 0.1 - most / 40, 0.1 + most / 40))


@given(two_models)
def test_an_interval_holds_the_difference_turns_with_the_models_and_agrees_with_the_test(values: np.ndarray) -> None:
    value, low, high, p = of(means(values))
    assert -1 <= low <= value <= high <= 1
    assert low < high
    assert (low > 0 or high < 0) == (p < 0.05)
    turned = of(means(values[::-1]))
    assert turned == pytest.approx((-value, -high, -low, p), abs=1e-9)


@given(two_models, st.floats(0.5, 20))
def test_units_do_not_matter(values: np.ndarray, unit: float) -> None:
    value, low, high, p = of(means(values))
    scaled = of(means(unit * values - 3, -3.0, unit - 3))
    assert scaled == pytest.approx((unit * value, unit * low, unit * high, p), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_samples_are_never_significant(n: int) -> None:
    """Five differences of one sign come up by chance once in 16, however far apart the values are."""
    _, low, high, p = of(means(np.stack((np.ones(n), np.zeros(n)))))
    assert p >= 2.0 ** (1 - n) and low <= 0 < high == 1


def test_all_pairs_are_those_of_two() -> None:
    random = np.random.default_rng(1)
    values, weights = random.random((5, 60)), (random.random((5, 60)) < 0.6).astype(float)
    shapes = weights * (values < 0.4)
    for all_of, two in (
        (means(values), lambda pair: means(values[pair])),
        (ratios(shapes, weights), lambda pair: ratios(shapes[pair], weights[pair])),
    ):
        found = paired_differences(all_of)
        for place, pair in enumerate(np.transpose(np.triu_indices(5, 1))):
            assert [of_all[place] for of_all in found] == pytest.approx(of(two(pair)), rel=1e-9, abs=1e-12)


def test_a_ratio_that_decides_always_is_a_mean() -> None:
    values = (np.random.default_rng(2).random((2, 80)) < [[0.3], [0.6]]).astype(float)
    assert of(ratios(values, np.ones((2, 80)))) == pytest.approx(of(means(values)))


def test_a_ratio_of_nothing_has_no_difference() -> None:
    decided = np.array([np.ones(30), np.zeros(30)])
    value, low, high, p = of(ratios(decided * 0.0, decided))
    assert np.isnan([value, low, high]).all() and p == 1.0


def test_few_decisions_make_wide_intervals() -> None:
    """Three decisions of 200 for the shape tell next to nothing, though no sample contradicts them."""
    decided = np.array([np.arange(200) < 3, np.ones(200)]).astype(float)
    shapes = decided * [[1.0], [0.0]]
    value, low, high, p = of(ratios(shapes, decided))
    assert (value, high) == (1.0, 1.0) and low <= 0 and p > 0.05


@pytest.mark.parametrize("values", [np.zeros((2, 0)), np.array([[0.5], [1.5]]), np.array([[np.nan], [0.5]])])
def test_values_that_are_none_or_outside_their_bounds_are_refused(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match="all must be in"):
        means(values)
