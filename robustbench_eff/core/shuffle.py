"""A fixed pseudo-random order of samples: any number of its first samples is a random subset of all.

Source of the hash: SplitMix64, Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators" (OOPSLA).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

UNKNOWN = -1
"""Marks a sample without a result."""


def shuffled(samples: int) -> npt.NDArray[np.int64]:
    """Return the positions 0 to `samples` - 1 in an order that looks random and is always the same.

    Args:
        samples: Number of samples.
    """
    with np.errstate(over="ignore"):
        words = (np.arange(1, samples + 1, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        words ^= words >> np.uint64(31)
    return np.argsort(words, kind="stable").astype(np.int64)


def fair_from(rows: npt.NDArray[np.int64], samples: int) -> int:
    """Return the length of the shortest prefix of `shuffled` that contains all given positions.

    Args:
        rows: Positions of samples, each in [0, samples).
        samples: Number of all samples.
    """
    places = np.flatnonzero(np.isin(shuffled(samples), rows))
    return int(places[-1]) + 1 if len(places) else 0


class UnbiasedPrefix:
    """The longest prefix of `shuffled` whose samples all have results: a random subset of all samples.

    The set of all samples with results is biased, because shards of misclassified samples finish sooner.
    """

    def __init__(self, samples: int) -> None:
        """Start without results.

        Args:
            samples: Number of all samples.
        """
        self._place = np.argsort(shuffled(samples))
        self._right = np.full(samples, UNKNOWN, np.float64)
        self.counts: tuple[int, float] = 0, 0
        """Number of samples in the prefix and number of correct ones among them; replaced together, for threads."""

    def add(self, rows: npt.NDArray[np.int64], right: npt.NDArray[np.bool_] | npt.NDArray[np.float64]) -> None:
        """Record results.

        Args:
            rows: Positions of the samples.
            right: True for every sample that is classified correctly, or the fraction of its votes that are right.
        """
        self._right[self._place[rows]] = right
        gaps = np.flatnonzero(self._right == UNKNOWN)
        length = int(gaps[0]) if len(gaps) else len(self._right)
        self.counts = length, float(self._right[:length].sum())


def drawn_fairly(rows: npt.NDArray[np.int64], samples: int) -> bool:
    """Return True if these positions, in any order, are a prefix of `shuffled`.

    Args:
        rows: Positions of samples, each in [0, samples), without repetition.
        samples: Number of all samples.
    """
    return fair_from(rows, samples) == len(rows)
