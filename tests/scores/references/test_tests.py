"""Tests between models, and many of them at once, against statsmodels and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from reference_cases import rights
from robustbench_eff.core.statistics import holm
from robustbench_eff.scores.paired import mcnemar


def counted(a: np.ndarray, b: np.ndarray) -> list[list[int]]:
    """Samples by whether the first and the second model are right: rows and columns for right and wrong."""
    return [
        [int((a & b).sum()), int((a & ~b).sum())],
        [int((~a & b).sum()), int((~a & ~b).sum())],
    ]


def test_mcnemar_is_statsmodels_and_scipys() -> None:
    differed = 0
    for a, b in zip(rights(seed=100, repeats=3), rights(seed=101, repeats=3), strict=True):
        table = counted(a, b)
        only_a, only_b = table[0][1], table[1][0]
        found = mcnemar(only_a, only_b)
        if only_a + only_b:
            differed += 1
            assert found == pytest.approx(binomtest(only_a, only_a + only_b).pvalue, rel=1e-9)
            assert found == pytest.approx(float(statsmodels_mcnemar(table, exact=True).pvalue), rel=1e-9)
        else:
            assert found == 1.0
    assert differed > 100


def test_mcnemar_of_many_samples() -> None:
    for only_a, only_b in ((0, 50), (50, 0), (400, 400), (1200, 900), (1, 25_000)):
        expected = statsmodels_mcnemar([[5, only_a], [only_b, 5]], exact=True).pvalue
        assert mcnemar(only_a, only_b) == pytest.approx(float(expected), rel=1e-7, abs=1e-300)


def test_holm_is_statsmodels(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ties, zeros, ones, duplicates and a single test."""
    monkeypatch.setattr("gc.collect", int)  # statsmodels collects in every call, which takes half a second
    random = np.random.default_rng(102)
    for number in range(300):
        p = random.random(int(random.choice([1, 2, 3, 10, 190]))) ** random.choice([1, 4])
        if number % 3 == 1:
            p = p.round(1)
        if number % 10 == 0:
            p[:] = random.choice([0.0, 0.02, 1.0])
        rejected, adjusted, _, _ = multipletests(p, alpha=0.05, method="holm")
        found = np.array(holm(p))
        assert found == pytest.approx(adjusted, rel=1e-12, abs=1e-15)
        assert ((found < 0.05) <= rejected).all()
    assert holm([]).shape == (0,)
