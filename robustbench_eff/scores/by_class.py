"""Accuracy class by class: the mean over classes, and the worst of them.

Classes are those among the labels of the samples; there is no number for a class without a sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

from .bootstrap import BLOCKS, DRAWS, DRAWS_AT_ONCE, resample_counts

Array: TypeAlias = npt.NDArray[Any]


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
    """The percentile bootstrap of balanced accuracy over 10,000 resamples of the samples.

    A class that is absent from a resample is left out of its mean.
    """
    _, right, n = _by_class(labels, correct)
    cells = np.stack([n - right, right], axis=1).ravel()
    draws = [_balanced(counts.reshape(len(counts), -1, 2)) for counts in _resampled(cells)]
    low, high = np.quantile(np.concatenate(draws), [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


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
    low = np.where(right > 0, beta.ppf(tail, right, n - right + 1), 0.0)
    high = np.where(right < n, beta.isf(tail / len(n), right + 1, n - right), 1.0)
    return float(low.min()), float(high.min())


def _by_class(labels: Array, correct: Array) -> tuple[Array, Array, Array]:
    """The classes that occur, how many of each are right, and how many there are."""
    labels, correct = np.asarray(labels), np.asarray(correct, dtype=bool)
    if labels.shape != correct.shape or labels.ndim != 1 or not len(labels):
        raise ValueError(f"Two arrays of one length are needed, got shapes {labels.shape} and {correct.shape}.")
    classes, of, n = np.unique(labels, return_inverse=True, return_counts=True)
    return classes, np.bincount(of[correct], minlength=len(classes)), n


def _resampled(cells: Array) -> Iterator[Array]:
    """How many samples of each cell are in each draw, shape (some draws, cells); which ones they are is no matter."""
    n, occur = int(cells.sum()), cells > 0
    starts = (np.cumsum(cells) - cells)[occur]
    random = np.random.Generator(np.random.SFC64(0))
    for start in range(0, DRAWS, DRAWS_AT_ONCE):
        counts = np.zeros((DRAWS_AT_ONCE, len(cells)))
        if n <= BLOCKS:
            chunk = resample_counts(n)[start : start + DRAWS_AT_ONCE]
            counts[:, occur] = np.add.reduceat(chunk, starts, axis=1, dtype=np.int32)
        else:
            counts[:, occur] = random.multinomial(n, cells[occur] / n, size=DRAWS_AT_ONCE)
        yield counts


def _balanced(counts: Array) -> Array:
    """Balanced accuracy of counts (draws, classes, wrong and right)."""
    n = counts.sum(axis=2)
    accuracy = counts[:, :, 1] / np.maximum(n, 1)
    mean: Array = accuracy.sum(axis=1) / (n > 0).sum(axis=1)
    return mean
