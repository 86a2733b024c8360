"""Accuracy by class against scikit-learn and against loops; the interval of the worst class by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.scores.by_class import (
    balanced_accuracy,
    balanced_accuracy_interval,
    worst_class_accuracy,
    worst_class_interval,
)

samples = st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=80)


@given(samples)
def test_the_mean_and_the_worst_agree_with_loops(drawn: list[tuple[int, bool]]) -> None:
    labels, correct = np.array([label for label, _ in drawn]), np.array([right for _, right in drawn])
    by_class = {label: correct[labels == label] for label in sorted(set(labels.tolist()))}
    assert balanced_accuracy(labels, correct) == pytest.approx(np.mean([of.mean() for of in by_class.values()]))
    lowest = min(by_class, key=lambda label: by_class[label].mean())
    found = worst_class_accuracy(labels, correct)
    assert found == (by_class[lowest].mean(), lowest, len(by_class[lowest]))
    low, high = worst_class_interval(labels, correct)
    assert 0 <= low <= found.accuracy <= high <= 1


def test_balanced_accuracy_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    labels, predictions = random.integers(4, size=500), random.integers(4, size=500)
    expected = balanced_accuracy_score(labels, predictions)
    assert balanced_accuracy(labels, labels == predictions) == pytest.approx(expected)


def test_with_equal_classes_it_is_the_interval_of_an_accuracy() -> None:
    """Two classes of 200 with 150 right each: the interval of 300 of 400, and of all or none."""
    labels, correct = np.repeat([0, 1], 200), np.tile(np.arange(200) < 150, 2)
    assert balanced_accuracy_interval(labels, correct) == pytest.approx(proportion_interval(300, 400), abs=1e-3)
    assert balanced_accuracy_interval(labels, np.ones(400)) == pytest.approx(proportion_interval(400, 400))
    assert balanced_accuracy_interval(np.array([3]), np.array([False])) == proportion_interval(0, 1)


@pytest.mark.parametrize("spread", ["equal", "one_worse", "beta"])
def test_the_interval_of_the_worst_class_covers_the_lowest_true_accuracy(spread: str) -> None:
    """The plain interval of the class that looks worst does not where classes are alike."""
    random = np.random.default_rng(4)
    accuracies = {
        "equal": np.full(50, 0.8),
        "one_worse": np.append(np.full(49, 0.8), 0.6),
        "beta": random.beta(16, 4, size=50),
    }[spread]
    labels, covered, naive = np.repeat(range(50), 40), [], []
    for _ in range(400):
        correct = random.random(len(labels)) < accuracies[labels]
        low, high = worst_class_interval(labels, correct)
        covered.append(low <= accuracies.min() <= high)
        worst = worst_class_accuracy(labels, correct)
        low, high = proportion_interval(round(worst.accuracy * worst.n), worst.n)
        naive.append(low <= accuracies.min() <= high)
    assert np.mean(covered) >= 0.95
    assert spread != "equal" or np.mean(naive) < 0.8


def test_labels_without_answers_are_refused() -> None:
    for labels, correct in (([1], [True, False]), ([], [])):
        with pytest.raises(ValueError, match="the same length"):
            balanced_accuracy(np.array(labels), np.array(correct))
