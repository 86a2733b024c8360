"""The risk-coverage curve by hand, and ties against every order."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustbench_eff.scores.selective import aurc


def area_in_this_order(correct: list[bool]) -> float:
    return float(np.mean([1 - np.mean(correct[:k]) for k in range(1, len(correct) + 1)]))


def test_by_hand() -> None:
    assert aurc(np.array([0.9, 0.2, 0.6]), np.array([True, False, True])) == pytest.approx((0 + 0 + 1 / 3) / 3)
    assert aurc(np.array([0.2, 0.9, 0.6]), np.array([True, False, True])) == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert aurc(np.array([0.4]), np.array([False])) == 1.0


@given(st.lists(st.booleans(), min_size=1, max_size=200), st.randoms(use_true_random=False))
def test_without_ties_it_is_the_mean_risk(correct: list[bool], random: object) -> None:
    confidence = np.linspace(1, 0, len(correct))
    assert aurc(confidence, np.array(correct)) == pytest.approx(area_in_this_order(correct))


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6))
def test_ties_count_as_the_mean_over_all_orders(drawn: list[tuple[int, bool]]) -> None:
    areas = [
        area_in_this_order([correct for _, correct in order])
        for order in permutations(drawn)
        if all(one[0] >= other[0] for one, other in pairwise(order))
    ]
    confidence, correct = np.array([c for c, _ in drawn]) / 2, np.array([right for _, right in drawn])
    assert aurc(confidence, correct) == pytest.approx(np.mean(areas))
