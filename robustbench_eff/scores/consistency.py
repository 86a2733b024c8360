"""Error consistency: whether two observers err on the same samples more often than their accuracies predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

DRAWS = 10_000
"""Number of resamples."""

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


class Agreement(NamedTuple):
    """Kappa and its parts for several tables of counts; each of shape (rows,)."""

    kappa: Array
    """NaN where the expected agreement is 1, or nothing was counted."""
    observed: Array
    """Fraction of samples on which both are right or both are wrong."""
    expected: Array
    """The same fraction for independent observers with these accuracies."""


def error_consistency(correct_a: Array, correct_b: Array, confidence: float = 0.95) -> ErrorConsistency:
    """Return kappa of two observers on the same samples, with its percentile bootstrap interval over samples.

    Resamples in which kappa is not defined are left out.

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
    counts = np.bincount(2 * a + b, minlength=4)
    agreement = agreement_of(counts[None, :])
    low = high = kappa = None
    if np.isfinite(agreement.kappa[0]):
        kappa = float(agreement.kappa[0])
        random = np.random.Generator(np.random.SFC64(0))
        draws = agreement_of(random.multinomial(len(a), counts / len(a), size=DRAWS)).kappa
        draws = draws[np.isfinite(draws)]
        if draws.std():
            low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    return ErrorConsistency(
        kappa=kappa,
        low=low,
        high=high,
        observed=float(agreement.observed[0]),
        expected=float(agreement.expected[0]),
        n=len(a),
    )


def agreement_of(counts: Array) -> Agreement:
    """Return kappa and the agreement of two observers.

    Args:
        counts: Number of samples on which neither is right, only b is, only a is, and both are, shape (rows, 4).
    """
    neither, only_b, only_a, both = counts.T / np.maximum(counts.sum(axis=1), 1)
    right_a, right_b = only_a + both, only_b + both
    observed = neither + both
    expected = right_a * right_b + (1 - right_a) * (1 - right_b)
    kappa = np.full(len(counts), np.nan)
    np.divide(observed - expected, 1 - expected, out=kappa, where=expected < 1)
    return Agreement(kappa, observed, expected)
