"""Answers of models on which scores are held against independent implementations: at random, and of every odd kind."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]

SIZES = (1, 2, 3, 20, 60)
"""Numbers of samples."""
ANSWERS = ("random", "all right", "all wrong", "one class", "one prediction", "duplicated samples")
CONFIDENCES = ("random", "ties", "constant", "zeros and ones")
CLASSES = 4


class Answers(NamedTuple):
    """What a model says of some samples; each of shape (n,)."""

    labels: Array
    predictions: Array
    confidence: Array
    """In [0, 1], float64."""


def every_kind(seed: int = 0, repeats: int = 1) -> Iterator[Answers]:
    """Yield answers of every kind and size, the small ones first."""
    random = np.random.default_rng(seed)
    for n, kind, confidence, _ in product(SIZES, ANSWERS, CONFIDENCES, range(repeats)):
        labels, predictions = _labels_and_predictions(random, kind, n)
        yield Answers(labels, predictions, _confidence(random, confidence, n))


def rights(seed: int = 0, repeats: int = 1) -> Iterator[Array]:
    """Yield which of some samples are right, of every kind and size, bool, shape (n,)."""
    for labels, predictions, _ in every_kind(seed, repeats):
        yield labels == predictions


def _labels_and_predictions(random: np.random.Generator, kind: str, n: int) -> tuple[Array, Array]:
    labels = random.integers(CLASSES, size=n)
    predictions = np.where(random.random(n) < random.random(), labels, random.integers(CLASSES, size=n))
    if kind == "all right":
        predictions = labels.copy()
    elif kind == "all wrong":
        predictions = (labels + random.integers(1, CLASSES, size=n)) % CLASSES
    elif kind == "one class":
        labels = np.full(n, 2)
    elif kind == "one prediction":
        predictions = np.full(n, 1)
    elif kind == "duplicated samples":
        same = random.integers(max(n // 3, 1), size=n)
        labels, predictions = labels[same], predictions[same]
    return labels, predictions


def _confidence(random: np.random.Generator, kind: str, n: int) -> Array:
    if kind == "ties":
        return random.integers(11, size=n) / 10
    if kind == "constant":
        return np.full(n, random.random())
    if kind == "zeros and ones":
        return random.integers(2, size=n).astype(np.float64)
    return random.beta(4, 1, size=n)
