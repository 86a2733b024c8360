"""Rank intervals: by hand, and how often all of them hold at once."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from robustbench_eff.core import statistics
from robustbench_eff.scores.ranks import rank_intervals

MODELS, SAMPLES, TRIALS = 6, 400, 1000
TRUE_ACCURACY = np.array([0.80, 0.80, 0.74, 0.74, 0.74, 0.60])
ALLOWED = [(1, 2), (1, 2), (3, 5), (3, 5), (3, 5), (6, 6)]
"""The ranks that the ties leave open."""


def correlated(random: np.random.Generator) -> np.ndarray:
    """Answers of models that find the same samples hard."""
    difficulty = random.normal(size=SAMPLES)
    own = random.normal(size=(MODELS, SAMPLES))
    return 0.7 * difficulty + np.sqrt(1 - 0.49) * own < norm.ppf(TRUE_ACCURACY)[:, None]


def covered(found: list[statistics.Ranks]) -> bool:
    """Stricter than that every interval meets its ranks: it holds them all."""
    return all(
        best <= lowest and highest <= worst for (best, worst), (lowest, highest) in zip(found, ALLOWED, strict=True)
    )


def share_covered(trials: int = TRIALS) -> float:
    random = np.random.default_rng(0)
    return float(np.mean([covered(rank_intervals(correlated(random))) for _ in range(trials)]))


def test_all_true_ranks_are_covered_at_once() -> None:
    assert share_covered() >= 0.95


def test_without_holm_they_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "holm", list)
    assert share_covered(300) < 0.9


def test_clearly_different_models_have_one_rank_each() -> None:
    values = (np.arange(200) < np.array([[180], [60], [120]])).astype(float)
    assert rank_intervals(values) == [(1, 1), (3, 3), (2, 2)]
    assert rank_intervals(values, higher_is_better=False) == [(3, 3), (1, 1), (2, 2)]
    assert rank_intervals(values * 0.5) == [(1, 1), (3, 3), (2, 2)]


def test_equal_models_have_all_ranks() -> None:
    values = np.random.default_rng(1).random(300)
    assert rank_intervals(np.stack([values] * 4)) == [(1, 4)] * 4
    assert rank_intervals(np.stack([values > 0.5] * 3)) == [(1, 3)] * 3
    assert rank_intervals(values[None, :]) == [(1, 1)]


def test_thirty_models_can_be_told_apart_without_answers_of_0_and_1() -> None:
    random = np.random.default_rng(2)
    values = random.random(400) + 0.02 * random.random((30, 400)) + np.arange(30)[:, None]
    assert rank_intervals(values) == [(30 - model, 30 - model) for model in range(30)]


def test_both_tests_agree_on_answers_of_0_and_1() -> None:
    values = correlated(np.random.default_rng(3))
    exact, drawn = rank_intervals(values), rank_intervals(values + np.array([0.5]))
    assert sum(a != b for a, b in zip(exact, drawn, strict=True)) <= 2
