"""Accuracy by class: the mean over classes, and the lowest.

The classes are those that occur among the labels of the samples.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import betainccinv, betaincinv

from robustbench_eff.core.statistics import proportion_interval

Array: TypeAlias = npt.NDArray[Any]

PRIOR = 2.0
"""Pseudo-samples with the overall accuracy that are added to each class."""


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
    """Return the confidence interval of balanced accuracy: Wilson's, for the effective number of samples.

    That is the number of samples with which an accuracy would have the variance of balanced accuracy, which follows
    from the variances of the accuracies of all classes. Two pseudo-samples with the overall accuracy are added to each
    class, because a class of three correct samples does not have a variance of 0. The simulated coverage is 94 to 99 %,
    with classes of one sample or of many, of equal or different accuracy; that of the ordinary bootstrap is 88 % if
    most classes have one sample.

    Args:
        labels: Label of each sample, int, shape (samples,).
        correct: Whether each prediction is correct, bool, or the fraction of right votes, shape (samples,).
        confidence: Coverage of the interval, between 0 and 1.

    Raises:
        ValueError: The shapes differ, or there are no samples.

    Source: Wilson 1927, JASA 22(158); Cochran 1977, Sampling Techniques, section 5.3 (stratified means).
    """
    _, right, n = _by_class(labels, correct)
    shrunk = (right + PRIOR * right.sum() / n.sum()) / (n + PRIOR)
    mean, variance = float((right / n).mean()), float((shrunk * (1 - shrunk) / n).sum()) / len(n) ** 2
    samples = mean * (1 - mean) / variance if variance else float(n.sum())
    samples = max(samples, 1.0)
    return proportion_interval(mean * samples, samples, confidence)


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
