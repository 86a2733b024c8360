"""Accuracy by class: the mean over classes, and the lowest.

The classes are those that occur among the labels of the samples.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import betainccinv, betaincinv

from .bounded_means import interval_from_spread

Array: TypeAlias = npt.NDArray[Any]


class WorstClass(NamedTuple):
    """The class with the lowest accuracy; the one with the smallest index if several have it."""

    accuracy: float
    label: int
    """Index of the class."""
    n: int
    """Number of samples of the class."""
    tied: int
    """Number of other classes with the same accuracy."""
    classes: int
    """Number of classes that occur."""


def balanced_accuracy(labels: Array, correct: Array) -> float:
    """Return the mean of the accuracies of all classes, in [0, 1].

    Args:
        labels: Label of each sample, int, shape (samples,).
        correct: Whether each prediction is correct, bool, or the fraction of right votes, shape (samples,).

    Raises:
        ValueError: The shapes differ, or there are no samples.

    Source: Brodersen, Ong, Stephan & Buhmann 2010, ICPR, section 2.
    """
    by_class = _by_class(labels, correct)
    return float((by_class.correct / by_class.n).mean())


def balanced_accuracy_interval(labels: Array, correct: Array, confidence: float = 0.95) -> tuple[float, float]:
    """Return the confidence interval of balanced accuracy.

    Balanced accuracy is a mean over samples, each weighted by the size of its class: the interval is that of
    `bounded_means.mean_interval`, with the weight of a sample of the smallest class for the largest value. A sample
    deviates from the accuracy of the other samples of its class and one sample with the overall accuracy, so a class of
    one sample has a variance, too. The interval is computed for the
    accuracy or for the error, whichever is smaller.

    Args:
        labels: Label of each sample, int, shape (samples,).
        correct: Whether each prediction is correct, bool, or the fraction of right votes, shape (samples,).
        confidence: Coverage of the interval, between 0 and 1.

    Raises:
        ValueError: The shapes differ, or there are no samples.

    Source: Cochran 1977, Sampling Techniques, section 5.3 (stratified means).
    """
    correct = np.asarray(correct, dtype=float)
    classes, right, n = _by_class(labels, correct)
    index = np.searchsorted(classes, labels)
    others = (right[index] - correct + correct.mean()) / n[index]
    squares = float((((correct - others) * n.min() / n[index]) ** 2).sum())
    largest = len(correct) / (len(n) * n.min())
    mean = float((right / n).mean())
    rarer = min(mean, 1 - mean)
    low, high = interval_from_spread(rarer / largest, squares, len(correct), confidence=confidence)
    low, high = low * largest, min(high * largest, 1.0)
    return (low, high) if mean == rarer else (1 - high, 1 - low)


def worst_class_accuracy(labels: Array, correct: Array) -> WorstClass:
    """Return the class with the lowest accuracy.

    If classes have few samples, this accuracy is lower than the lowest true accuracy: see `worst_class_interval`.

    Args:
        labels: Label of each sample, int, shape (samples,).
        correct: Whether each prediction is correct, bool, or the fraction of right votes, shape (samples,).

    Raises:
        ValueError: The shapes differ, or there are no samples.
    """
    classes, right, n = _by_class(labels, correct)
    worst = int(np.argmin(right / n))
    accuracy = float(right[worst] / n[worst])
    tied = int((right / n == accuracy).sum()) - 1
    return WorstClass(accuracy, int(classes[worst]), int(n[worst]), tied, len(classes))


def worst_class_interval(labels: Array, correct: Array, confidence: float = 0.95) -> tuple[float, float]:
    """Return a conservative confidence interval for the lowest true accuracy of a class, whichever class has it.

    The class with the lowest measured accuracy was selected by its errors, so its own interval is too low. The lower
    end is the smallest of all classes' lower ends: it is at most that of the class with the lowest true accuracy, so it
    does not need a correction. The upper end is the smallest of all classes' upper ends, all of which must hold
    simultaneously, hence Bonferroni over classes. Both are exact binomial ends, because a class may have five samples.

    Args:
        labels: Label of each sample, int, shape (samples,).
        correct: Whether each prediction is correct, bool, or the fraction of right votes, shape (samples,).
        confidence: Coverage of the interval, between 0 and 1.

    Raises:
        ValueError: The shapes differ, or there are no samples.

    Source: Clopper & Pearson 1934, Biometrika 26(4); Berger 1982, Technometrics 24(4), for the lower end.
    """
    _, right, n = _by_class(labels, correct)
    tail = (1 - confidence) / 2
    low = np.where(right > 0, betaincinv(right, n - right + 1, tail), 0.0)
    high = np.where(right < n, betainccinv(right + 1, n - right, tail / len(n)), 1.0)
    return float(low.min()), float(high.min())


class _ByClass(NamedTuple):
    """Counts of the classes that occur; each of shape (classes,)."""

    labels: Array
    correct: Array
    n: Array


def _by_class(labels: Array, correct: Array) -> _ByClass:
    labels, correct = np.asarray(labels), np.asarray(correct, dtype=float)
    if labels.shape != correct.shape or labels.ndim != 1 or not len(labels):
        raise ValueError(f"Two arrays of the same length are needed, got shapes {labels.shape} and {correct.shape}.")
    classes, index, n = np.unique(labels, return_inverse=True, return_counts=True)
    return _ByClass(classes, np.bincount(index, weights=correct, minlength=len(classes)), n)
