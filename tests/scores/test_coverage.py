"""Intervals hold the truth, and tests reject a true null, as often as they say: simulated with fixed seeds.

2,000 simulations have a standard error of 0.5 points at 95 % and at 5 %: tolerances are two to four of them. Each
test has a control that shows that it can fail.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import norm

from robustbench_eff.core.statistics import holm, proportion_interval
from robustbench_eff.scores import alexnet
from robustbench_eff.scores.bootstrap import mean_intervals, paired_difference, ratio_intervals
from robustbench_eff.scores.corruptions import mean_corruption_error
from robustbench_eff.scores.paired import mcnemar

SIMULATIONS = 2000
AT_ONCE = 250
SAMPLES = 500
SHAPE, TEXTURE = 0.25, 0.45
"""How often a trial is decided for the shape and for the texture; else for neither."""


def covered(intervals: list[tuple[float, float]], truth: float) -> float:
    low, high = np.array(intervals).T
    return float(((low <= truth) & (truth <= high)).mean())


def holds(share: float) -> bool:
    return 0.93 <= share <= 0.97


def wilson_coverage(p: float, n: int, confidence: float) -> float:
    right = np.random.default_rng(0).binomial(n, p, size=SIMULATIONS)
    return covered([proportion_interval(int(number), n, confidence) for number in right], p)


@pytest.mark.parametrize(("p", "n"), [(0.76, 500), (0.97, 360)])
def test_accuracy(p: float, n: int) -> None:
    assert holds(wilson_coverage(p, n, 0.95))
    assert not holds(wilson_coverage(p, n, 0.80))


def difficult(random: np.random.Generator, error: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Errors of a model that finds the same samples hard under every corruption, (..., len(error)) bool."""
    difficulty = random.normal(size=(*shape, 1), scale=0.8).astype(np.float32)
    own = random.standard_normal(size=(*shape, len(error)), dtype=np.float32) * np.float32(0.6)
    return difficulty + own < norm.ppf(error).astype(np.float32)


def test_mean_corruption_error() -> None:
    """Seventy-five cells of 500 samples, as in ImageNet-C, whose errors go together."""
    random = np.random.default_rng(1)
    names = list(alexnet.published().errors)
    error = np.linspace(0.25, 0.85, 75)
    truth = mean_corruption_error(dict(zip(names, error.reshape(15, 5).sum(1), strict=True)))
    shares = np.empty((SIMULATIONS, SAMPLES))
    for start in range(0, SIMULATIONS, AT_ONCE):
        wrong = difficult(random, error, (AT_ONCE, SAMPLES)).reshape(AT_ONCE, SAMPLES, 15, 5).sum(-1)
        errors = {name: wrong[:, :, number] for number, name in enumerate(names)}
        shares[start : start + AT_ONCE] = mean_corruption_error(errors)
    assert holds(covered(mean_intervals(shares), truth))
    assert not holds(covered(mean_intervals(shares, confidence=0.80), truth))


def trials(random: np.random.Generator) -> np.ndarray:
    """Decided for shape, for texture, for neither; (simulations, 3)."""
    return random.multinomial(SAMPLES, [SHAPE, TEXTURE, 1 - SHAPE - TEXTURE], size=SIMULATIONS)


@pytest.mark.parametrize("method", ["wilson", "ratio"])
def test_shape_bias(method: str) -> None:
    """Wilson on the decided trials, and the bootstrap of the ratio over all trials."""
    drawn, truth = trials(np.random.default_rng(2)), SHAPE / (SHAPE + TEXTURE)
    number = np.arange(SAMPLES)
    shape = (number < drawn[:, :1]).astype(float)
    decided = (number < drawn[:, :2].sum(1, keepdims=True)).astype(float)

    def share(confidence: float) -> float:
        if method == "ratio":
            return covered(ratio_intervals(shape, decided, confidence), truth)
        return covered([proportion_interval(int(a), int(a + b), confidence) for a, b, _ in drawn], truth)

    assert holds(share(0.95))
    assert not holds(share(0.80))


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
