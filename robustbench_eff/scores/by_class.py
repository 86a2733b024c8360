"""Accuracy class by class: the mean over classes, and the worst of them.

Classes are those among the labels of the samples; there is no number for a class without a sample.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import betainccinv, betaincinv

from robustbench_eff.core.statistics import wilson

Array: TypeAlias = npt.NDArray[Any]


PRIOR = 2.0
"""Samples by which the accuracy of a class is drawn towards that of all."""


class WorstClass(NamedTuple):
    """The class with the lowest accuracy, the first of them where several have it."""

    accuracy: float
    label: int
    n: int
    """Samples of that class."""


def balanced_accuracy(labels: Array, correct: Array) -> float:
    """The mean over classes of the accuracy of each, in [0, 1]; `labels` int and `correct` bool, both (samples,).

    Raises ValueError for lengths that differ, or no sample.
    Source: Brodersen, Ong, Stephan & Buhmann 2010, ICPR, section 2.
    """
    _, right, n = _by_class(labels, correct)
    return float((right / n).mean())


def balanced_accuracy_interval(labels: Array, correct: Array, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of balanced accuracy, for as many samples as would give it the variance that it has.

    That is the mean over classes of the variances of their accuracies, each drawn by two samples towards the accuracy
    of all: a class of three that are all right is not for certain. Simulated coverage is 94 to 99 %, with classes of
    one sample or of many, alike or not; that of the ordinary bootstrap is 88 % where most classes have one sample.
    Source: Wilson 1927, JASA 22(158); Cochran 1977, Sampling Techniques, section 5.3 (stratified means).
    """
    _, right, n = _by_class(labels, correct)
    drawn = (right + PRIOR * right.sum() / n.sum()) / (n + PRIOR)
    mean, variance = float((right / n).mean()), float((drawn * (1 - drawn) / n).sum()) / len(n) ** 2
    samples = mean * (1 - mean) / variance if variance else float(n.sum())
    samples = max(samples, 1.0)
    return wilson(mean * samples, samples, confidence)


def worst_class_accuracy(labels: Array, correct: Array) -> WorstClass:
    """The lowest accuracy of a class. With few samples a class it lies below the true one: see its interval."""
    classes, right, n = _by_class(labels, correct)
    worst = int(np.argmin(right / n))
    return WorstClass(float(right[worst] / n[worst]), int(classes[worst]), int(n[worst]))


def worst_class_interval(labels: Array, correct: Array, confidence: float = 0.95) -> tuple[float, float]:
    """An interval for the lowest of the true accuracies, whichever class has it; covers it at least that often.

    The class that looks worst was chosen by its errors, so its own interval lies too low. The lower end here is the
    smallest of all classes' lower ends: it is not above that of the class truly worst, so it needs no correction. The
    upper end is the smallest of all classes' upper ends, which must hold at once: Bonferroni over classes. Both are
    exact binomial ends, for a class may have five samples.
    Source: Clopper & Pearson 1934, Biometrika 26(4); Berger 1982, Technometrics 24(4), for the lower end.
    """
    _, right, n = _by_class(labels, correct)
    tail = (1 - confidence) / 2
    low = np.where(right > 0, betaincinv(right, n - right + 1, tail), 0.0)
    high = np.where(right < n, betainccinv(right + 1, n - right, tail / len(n)), 1.0)
    return float(low.min()), float(high.min())


def _by_class(labels: Array, correct: Array) -> tuple[Array, Array, Array]:
    """The classes that occur, how many of each are right, and how many there are."""
    labels, correct = np.asarray(labels), np.asarray(correct, dtype=bool)
    if labels.shape != correct.shape or labels.ndim != 1 or not len(labels):
        raise ValueError(f"Two arrays of one length are needed, got shapes {labels.shape} and {correct.shape}.")
    classes, of, n = np.unique(labels, return_inverse=True, return_counts=True)
    return classes, np.bincount(of[correct], minlength=len(classes)), n
