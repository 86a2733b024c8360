"""Error consistency: whether two observers err on the same samples more often than their accuracies predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .bounded_means import interval_from_spread

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorConsistency:
    """Cohen's kappa of the correctness of two observers."""

    kappa: float | None
    """1 for the same errors, 0 for independent errors; None if both are always right, or both are always wrong.

    If only one of them is, kappa does not have an interval.
    """
    low: float | None
    high: float | None
    observed: float
    """Fraction of samples on which both are right or both are wrong."""
    expected: float
    """The same fraction for independent observers with these accuracies."""
    n: int
    """Number of samples."""


class Answers(NamedTuple):
    """Whether two observers are right on the same samples; bool arrays of shape (samples,)."""

    a: Array
    b: Array
    seen: Array
    """Whether both answered."""


class MeanConsistency(NamedTuple):
    """The mean of kappa over pairs of observers, with its interval; None without a pair for which it is defined."""

    kappa: float | None
    low: float | None
    high: float | None
    undefined: int
    """Number of pairs left out, because kappa is not defined for them."""


def error_consistency(correct_a: Array, correct_b: Array, confidence: float = 0.95) -> ErrorConsistency:
    """Return kappa of two observers on the same samples, with its interval over samples.

    Args:
        correct_a: Whether the first observer is right on each sample, bool, shape (samples,).
        correct_b: Whether the second observer is right on each sample, bool, shape (samples,).
        confidence: Coverage of the interval, between 0 and 1.

    Raises:
        ValueError: The shapes differ, or there are no samples.

    Source: Geirhos, Meding & Wichmann 2020, arXiv:2006.16736, equations 1 to 4.
    """
    a, b = np.asarray(correct_a, dtype=bool), np.asarray(correct_b, dtype=bool)
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise ValueError(f"Two arrays of the same length are needed, got shapes {a.shape} and {b.shape}.")
    pair = Answers(a, b, np.ones(len(a), dtype=bool))
    agreement = _agreement(pair)
    mean = mean_consistency([pair], confidence)
    varies = 0 < a.sum() < len(a) and 0 < b.sum() < len(b)
    return ErrorConsistency(
        kappa=mean.kappa,
        low=mean.low if varies else None,
        high=mean.high if varies else None,
        observed=agreement.observed,
        expected=agreement.expected,
        n=len(a),
    )


def mean_consistency(pairs: Sequence[Answers], confidence: float = 0.95) -> MeanConsistency:
    """Return the mean of kappa over pairs of observers, with its interval over samples.

    Kappa is linear in what each sample adds for small changes of their weights. Only samples on which independent
    observers may differ tell anything about it: their expected number, of pairs the harmonic mean, is the number of
    samples of the interval, so it is wide for observers that are nearly always right or answered little together.

    Args:
        pairs: Answers of each pair to the same samples.
        confidence: Coverage of the interval, between 0 and 1.

    Source: Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans, chapter 6 (infinitesimal jackknife).
    """
    known = [(pair, agreement) for pair in pairs if (agreement := _agreement(pair)).expected < 1]
    if not known:
        return MeanConsistency(None, None, None, len(pairs))
    kappas = [(agreement.observed - agreement.expected) / (1 - agreement.expected) for _, agreement in known]
    added = np.mean([_influence(*of_pair, kappa) for of_pair, kappa in zip(known, kappas, strict=True)], 0)
    informative = [agreement.n * (1 - agreement.expected) for _, agreement in known]
    samples = max(1.0, 1 / float(np.mean([1 / number for number in informative])))
    kappa = float(np.mean(kappas))
    squares = float((added**2).sum()) * (samples / 2) ** 2
    low, high = interval_from_spread((kappa + 1) / 2, squares, samples, confidence=confidence)
    return MeanConsistency(kappa, 2 * low - 1, 2 * high - 1, len(pairs) - len(known))


class _Agreement(NamedTuple):
    """How often two observers are both right or both wrong, and the accuracy of each."""

    observed: float
    expected: float
    """1 if both are always right or both always wrong, or nothing was seen by both."""
    accuracy_a: float
    accuracy_b: float
    n: int


def _agreement(pair: Answers) -> _Agreement:
    n = int(pair.seen.sum())
    if not n:
        return _Agreement(1.0, 1.0, 1.0, 1.0, 0)
    right_a, right_b = (float((of & pair.seen).sum()) / n for of in (pair.a, pair.b))
    observed = float(((pair.a == pair.b) & pair.seen).sum()) / n
    return _Agreement(observed, right_a * right_b + (1 - right_a) * (1 - right_b), right_a, right_b, n)


def _influence(pair: Answers, agreement: _Agreement, kappa: float) -> Array:
    """Return by how much kappa changes per unit of weight of each sample, divided by their number; shape (samples,)."""
    _, expected, right_a, right_b, n = agreement
    observed_change = (pair.a == pair.b) - agreement.observed
    expected_change = (pair.a - right_a) * (2 * right_b - 1) + (pair.b - right_b) * (2 * right_a - 1)
    change: Array = pair.seen * (observed_change - (1 - kappa) * expected_change) / (n * (1 - expected))
    return change
