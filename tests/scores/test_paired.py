"""Tests between models against scipy and against the definition."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from robustbench_eff.core.statistics import holm
from robustbench_eff.scores.paired import difference_interval, mcnemar


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_binomial_test_of_the_samples_that_differ(only_a: int, only_b: int) -> None:
    expected = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert mcnemar(only_a, only_b) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_tests_many_pairs_at_once() -> None:
    one, other = np.array([[0, 3, 12], [7, 30, 1]]), np.array([0, 8, 2])
    expected = [[mcnemar(a, b) for a, b in zip(row, other.tolist(), strict=True)] for row in one.tolist()]
    assert mcnemar(one, other) == pytest.approx(np.array(expected))


def test_mcnemar_refuses_negative_counts() -> None:
    with pytest.raises(ValueError, match="at least 0, got -1 and 3"):
        mcnemar(-1, 3)


def rejected_by_holm(p_values: list[float], level: float) -> set[int]:
    """The definition: from the smallest on, until one is above the level over the number of those left."""
    rejected: set[int] = set()
    for position in sorted(range(len(p_values)), key=lambda position: p_values[position]):
        if p_values[position] > level / (len(p_values) - len(rejected)):
            break
        rejected.add(position)
    return rejected


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.001, 0.999))
def test_holm_rejects_what_its_definition_rejects(p_values: list[float], level: float) -> None:
    adjusted = holm(p_values)
    slightly = 1e-12
    assert rejected_by_holm(p_values, level - slightly) <= {i for i, p in enumerate(adjusted) if p <= level}
    assert {i for i, p in enumerate(adjusted) if p <= level} <= rejected_by_holm(p_values, level + slightly)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_adjusted_p_values_keep_their_order_and_end_at_one(p_values: list[float]) -> None:
    adjusted = np.array(holm(p_values))
    assert (adjusted >= p_values).all()
    assert (adjusted <= 1).all()
    assert all(low <= high for low, high in pairwise(adjusted[np.argsort(p_values, kind="stable")]))


def test_holm_by_hand() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([]).shape == (0,)


counts = st.lists(st.integers(0, 40), min_size=4, max_size=4).filter(lambda found: sum(found) > 0)


@given(counts)
def test_the_interval_of_a_paired_difference_holds_it_and_turns_with_the_models(found: list[int]) -> None:
    both, only_a, only_b, neither = found
    low, high = difference_interval(both, only_a, only_b, neither)
    assert -1 <= low <= (only_a - only_b) / sum(found) <= high <= 1
    assert low < high
    assert (low > 0 or high < 0) == (mcnemar(only_a, only_b) < 0.05)
    assert difference_interval(both, only_b, only_a, neither) == pytest.approx((-high, -low))


def test_the_interval_of_a_paired_difference_covers_it() -> None:
    """Where few samples differ, too, of which the bootstrap says next to nothing; there it is wider than it must be."""
    random = np.random.default_rng(0)
    for cells, n in (((0.7, 0.1, 0.05, 0.15), 100), ((0.9, 0.02, 0.01, 0.07), 60), ((0.5, 0.2, 0.2, 0.1), 20)):
        truth = cells[1] - cells[2]
        for confidence, least, most in ((0.95, 0.93, 1.0), (0.5, 0.4, 0.8)):
            drawn = [difference_interval(*row, confidence) for row in random.multinomial(n, cells, size=2000).tolist()]
            covered = np.mean([low <= truth <= high for low, high in drawn])
            assert least <= covered <= most, (cells, confidence)


@pytest.mark.parametrize("found", [(0, 0, 0, 0), (1, -1, 0, 0)])
def test_counts_of_nothing_have_no_interval(found: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least 0 and not all 0"):
        difference_interval(*found)
