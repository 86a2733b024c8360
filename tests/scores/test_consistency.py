"""Error consistency against scikit-learn's kappa and the cases of the paper."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from robustbench_eff.scores.consistency import error_consistency

pairs = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80)


@given(pairs)
def test_kappa_is_cohens(drawn: list[tuple[bool, bool]]) -> None:
    a, b = np.array(drawn).T
    found = error_consistency(a, b)
    if (a.all() and b.all()) or not (a.any() or b.any()):
        assert (found.kappa, found.low, found.high, found.expected) == (None, None, None, 1.0)
    else:
        assert found.kappa == pytest.approx(cohen_kappa_score(a, b), abs=1e-12)
    assert found.observed == pytest.approx((a == b).mean())
    assert found.n == len(drawn)


def test_agreement_expected_of_independent_observers() -> None:
    a, b = np.arange(100) < 80, np.arange(100) % 10 < 6
    found = error_consistency(a, b)
    assert found.expected == pytest.approx(0.8 * 0.6 + 0.2 * 0.4)
    assert found.kappa == pytest.approx(0.0, abs=1e-12)
    assert found.low < 0 < found.high
    same = error_consistency(a, a)
    assert (same.kappa, same.high) == (1.0, 1.0) and 0.7 < same.low < 1


def test_the_interval_covers_kappa_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    cells = np.array([0.15, 0.10, 0.05, 0.70])
    right_a, right_b = cells[2] + cells[3], cells[1] + cells[3]
    expected = right_a * right_b + (1 - right_a) * (1 - right_b)
    kappa = (cells[0] + cells[3] - expected) / (1 - expected)
    covered = []
    for _ in range(500):
        drawn = np.repeat(range(4), random.multinomial(500, cells))
        found = error_consistency(drawn >= 2, drawn % 2 == 1)
        covered.append(found.low <= kappa <= found.high)
    assert np.mean(covered) >= 0.93


def test_observers_of_different_samples_are_refused() -> None:
    for a, b in (([True], [True, False]), ([], [])):
        with pytest.raises(ValueError, match="the same length"):
            error_consistency(np.array(a), np.array(b))
