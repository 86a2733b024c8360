"""Whether two observers err on the same samples, beyond what their accuracies make likely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

DRAWS = 10_000

Right: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorConsistency:
    """Cohen's kappa of who is right on which sample: 1 the same errors, 0 independent ones."""

    kappa: float | None
    """None where both are always right, or both always wrong; without an interval where one is."""
    low: float | None
    high: float | None
    observed: float
    """How often both are right or both wrong, in [0, 1]."""
    expected: float
    """The same of independent observers with these accuracies."""
    n: int


def error_consistency(correct_a: Right, correct_b: Right, confidence: float = 0.95) -> ErrorConsistency:
    """Kappa of two observers on the same samples, bool (samples,), with its percentile bootstrap over samples.

    Draws in which kappa has no value are left out. Raises ValueError for lengths that differ, or none.
    Source: Geirhos, Meding & Wichmann 2020, arXiv:2006.16736, equations 1 to 4.
    """
    a, b = np.asarray(correct_a, dtype=bool), np.asarray(correct_b, dtype=bool)
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise ValueError(f"Two arrays of one length are needed, got shapes {a.shape} and {b.shape}.")
    cells = np.bincount(2 * a + b, minlength=4)
    kappas, observed, expected = (column[0] for column in kappa_of(cells[None, :]))
    low = high = kappa = None
    if np.isfinite(kappas):
        kappa = float(kappas)
        draws = kappa_of(np.random.Generator(np.random.SFC64(0)).multinomial(len(a), cells / len(a), size=DRAWS))[0]
        draws = draws[np.isfinite(draws)]
        if draws.std():
            low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    return ErrorConsistency(
        kappa=kappa, low=low, high=high, observed=float(observed), expected=float(expected), n=len(a)
    )


def kappa_of(cells: npt.NDArray[Any]) -> tuple[Right, Right, Right]:
    """Kappa, observed and expected agreement of counts (rows, 4): neither right, b alone, a alone, both.

    Kappa is NaN where the expected agreement is 1, or nothing was counted.
    """
    neither, only_b, only_a, both = cells.T / np.maximum(cells.sum(axis=1), 1)
    right_a, right_b = only_a + both, only_b + both
    observed = neither + both
    expected = right_a * right_b + (1 - right_a) * (1 - right_b)
    kappa = np.full(len(cells), np.nan)
    np.divide(observed - expected, 1 - expected, out=kappa, where=expected < 1)
    return kappa, observed, expected
