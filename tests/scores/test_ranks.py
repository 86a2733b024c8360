"""Ranks of a table: by hand, and how often all of them hold at once."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from robustbench_eff.core import statistics
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.core.statistics import PairTests, Ranks, table_ranks
from robustbench_eff.scores.per_sample import SampleContributions
from robustbench_eff.scores.ranks import pair_tests

MODELS, SAMPLES, TRIALS = 6, 400, 1000
TRUE_ACCURACY = np.array([0.80, 0.80, 0.74, 0.74, 0.74, 0.60])
ALLOWED = [(1, 2), (1, 2), (3, 5), (3, 5), (3, 5), (6, 6)]
"""The ranks that the ties leave open."""


def row(values: np.ndarray, weights: np.ndarray | None = None, metric: str = "accuracy") -> list[SampleContributions]:
    """One score of several models."""
    common = {
        "benchmark": "digits",
        "perturbation": "none",
        "metric": metric,
        "protocol": Protocol(),
    }
    ids = [str(number) for number in range(len(values[0]))]
    return [
        SampleContributions(
            sample_ids=ids,
            values=np.asarray(of_model, dtype=float),
            weights=None if weights is None else weights[number],
            **common,
        )
        for number, of_model in enumerate(values)
    ]


def rank_intervals(*rows: list[SampleContributions]) -> list[list[Ranks]]:
    return table_ranks([pair_tests(one) for one in rows])


def correlated(random: np.random.Generator) -> np.ndarray:
    """Answers of models that find the same samples hard."""
    difficulty = random.normal(size=SAMPLES)
    own = random.normal(size=(MODELS, SAMPLES))
    return 0.7 * difficulty + np.sqrt(1 - 0.49) * own < norm.ppf(TRUE_ACCURACY)[:, None]


def covered(found: list[Ranks]) -> bool:
    """Stricter than that every interval meets its ranks: it holds them all."""
    return all(
        best <= lowest and highest <= worst for (best, worst), (lowest, highest) in zip(found, ALLOWED, strict=True)
    )


def share_covered(trials: int = TRIALS) -> float:
    random = np.random.default_rng(0)
    return float(np.mean([covered(rank_intervals(row(correlated(random)))[0]) for _ in range(trials)]))


def test_all_true_ranks_are_covered_at_once() -> None:
    assert share_covered() >= 0.95


def test_without_holm_they_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "holm", np.asarray)
    assert share_covered(300) < 0.9


def test_clearly_different_models_have_one_rank_each() -> None:
    values = (np.arange(200) < np.array([[180], [60], [120]])).astype(float)
    assert rank_intervals(row(values)) == [[(1, 1), (3, 3), (2, 2)]]
    assert rank_intervals(row(values, metric="mCE")) == [[(3, 3), (1, 1), (2, 2)]]
    assert rank_intervals(row(values * 0.9)) == [[(1, 1), (3, 3), (2, 2)]]


def test_equal_models_have_all_ranks() -> None:
    values = np.random.default_rng(1).random(300)
    assert rank_intervals(row(np.stack([values] * 4))) == [[(1, 4)] * 4]
    assert rank_intervals(row(np.stack([values > 0.5] * 3))) == [[(1, 3)] * 3]
    assert rank_intervals(row(values[None, :])) == [[(1, 1)]]
    assert rank_intervals() == []


def test_a_row_has_wider_ranks_beside_others() -> None:
    """Seven samples that differ have p = .016, which is below .05 alone, not as one of four rows."""
    apart = row((np.arange(40) < np.array([[20], [27]])).astype(float))
    same = row(np.ones((2, 40)))
    assert rank_intervals(apart) == [[(2, 2), (1, 1)]]
    assert rank_intervals(apart, same, same, same)[0] == [(1, 2), (1, 2)]


def test_columns_of_a_table_may_have_different_models() -> None:
    few = PairTests(np.array([0.1, 0.9]), np.array([1e-9]))
    many = PairTests(np.array([0.1, 0.5, 0.9]), np.array([1.0, 1e-9, 1.0]))
    assert table_ranks([few, PairTests(np.zeros(0), np.zeros(0)), many]) == [
        [(2, 2), (1, 1)],
        [],
        [(2, 3), (1, 3), (1, 2)],
    ]


def test_thirty_models_can_be_told_apart_without_answers_of_0_and_1() -> None:
    random = np.random.default_rng(2)
    values = (random.random(400) + 0.02 * random.random((30, 400)) + np.arange(30)[:, None]) / 31.02
    assert rank_intervals(row(values)) == [[(30 - model, 30 - model) for model in range(30)]]


def test_both_tests_agree_on_answers_of_0_and_1() -> None:
    values = correlated(np.random.default_rng(3)).astype(float)
    almost = np.where(values == 1, 1 - 1e-9, values)
    ((exact,), (general,)) = rank_intervals(row(values)), rank_intervals(row(almost))
    assert sum(a != b for a, b in zip(exact, general, strict=True)) <= 2


@pytest.mark.parametrize("models", [23, 100])
def test_shape_biases_of_5_and_95_percent_are_told_apart_among_many(models: int) -> None:
    random = np.random.default_rng(4)
    bias = np.where(np.arange(models) % 2, 0.05, 0.95)[:, None]
    decided = (random.random((models, 400)) < 0.6).astype(float)
    shapes = decided * (random.random((models, 400)) < bias)
    (found,) = rank_intervals(row(shapes, decided, "shape_bias"))
    high = (models + 1) // 2
    assert found == [(high + 1, models) if model % 2 else (1, high) for model in range(models)]


def test_a_model_without_a_decision_has_all_ranks() -> None:
    decided = np.array([np.ones(50), np.ones(50), np.zeros(50)])
    shapes = np.array([np.ones(50), np.zeros(50), np.zeros(50)])
    assert rank_intervals(row(shapes, decided, "shape_bias")) == [[(1, 2), (2, 3), (1, 3)]]
