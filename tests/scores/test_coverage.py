"""Tests reject a true null as often as they say: simulated with fixed seeds.

2,000 simulations have a standard error of 0.5 points at 5 %: tolerances are two to four of them. Each
test has a control that shows that it can fail.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import norm

from robustbench_eff.core.statistics import holm
from robustbench_eff.scores.bootstrap import paired_difference
from robustbench_eff.scores.paired import mcnemar

SIMULATIONS = 2000
SAMPLES = 500


def two_models(random: np.random.Generator, gain: float) -> tuple[np.ndarray, np.ndarray]:
    """Answers of two models with errors in common, the first right more often by `gain`."""
    difficulty = random.normal(size=(SIMULATIONS, SAMPLES), scale=0.7)
    own = random.normal(size=(2, SIMULATIONS, SAMPLES), scale=np.sqrt(1 - 0.49))
    return difficulty + own[0] < norm.ppf(0.7 + gain), difficulty + own[1] < norm.ppf(0.7)


def p_values(gain: float, method: str) -> np.ndarray:
    a, b = two_models(np.random.default_rng(3), gain)
    if method == "mcnemar":
        only_a, only_b = (a & ~b).sum(1), (b & ~a).sum(1)
        return np.array([mcnemar(int(one), int(other)) for one, other in zip(only_a, only_b, strict=True)])
    return np.array([paired_difference(one, other).p for one, other in zip(a, b, strict=True)])


@pytest.mark.parametrize("method", ["mcnemar", "bootstrap"])
def test_two_models(method: str) -> None:
    """A true null is rejected in 5 % of 2,000, with three standard errors: 6.5 %; six points are mostly found."""
    null = p_values(0.0, method)
    assert (null < 0.05).mean() <= 0.065
    assert (null < 0.10).mean() > 0.065
    assert (p_values(0.06, method) < 0.05).mean() >= 0.6


def family_wise_error(adjusted: bool) -> float:
    """How often one of the 10 comparisons of five equal models is called different."""
    random = np.random.default_rng(4)
    errors = []
    for _ in range(SIMULATIONS):
        right = random.normal(size=SAMPLES) * 0.7 + random.normal(size=(5, SAMPLES)) * 0.7 < 0.5
        only = (right[:, None] & ~right[None]).sum(-1)
        p = [mcnemar(int(only[a, b]), int(only[b, a])) for a, b in combinations(range(5), 2)]
        errors.append(min(holm(p) if adjusted else p) < 0.05)
    return float(np.mean(errors))


def test_ten_comparisons_at_once() -> None:
    assert family_wise_error(adjusted=True) <= 0.065
    assert family_wise_error(adjusted=False) > 0.15
