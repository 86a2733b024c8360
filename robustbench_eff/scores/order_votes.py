"""Accuracy over several orders of a stream: the mean over orders, with an interval over orders and samples."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.statistics import proportion_interval


def interval_over_orders(votes: npt.NDArray[np.bool_], confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of the mean accuracy over orders that were drawn at random, on samples that were too.

    The distance of each end from the mean is the root of a sum of two squares: that of the exact interval over the
    samples, at the mean accuracy; and that of Student's t interval over the accuracies of the orders, with one degree
    of freedom less than there are orders. If all orders agree, it is the exact interval. Student's t
    assumes that orders do not rarely collapse: no interval from three orders can show what none of them did.

    Args:
        votes: Whether each sample was right in each order, shape (n, orders), n at least 1.
        confidence: Coverage of the interval.

    Source:
        Zou & Donner 2008, Statistics in Medicine 27(10): limits of a sum from those of its parts (MOVER).
    """
    from scipy.stats import t as student  # the import takes a second, which a table without streams does not need

    samples, orders = votes.shape
    accuracies = votes.mean(axis=0)
    mean = float(accuracies.mean())
    low, high = proportion_interval(mean * samples, samples, confidence)
    half_width = 0.0
    if orders > 1:
        quantile = float(student.ppf((1 + confidence) / 2, orders - 1))
        half_width = quantile * float(accuracies.std(ddof=1)) / math.sqrt(orders)
    return max(0.0, mean - math.hypot(mean - low, half_width)), min(1.0, mean + math.hypot(high - mean, half_width))
