"""An order of samples in which the first of them, however many, are a fair sample of all.

Source of the hash: SplitMix64, Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators" (OOPSLA).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

UNKNOWN = -1


def shuffled(samples: int) -> npt.NDArray[np.int64]:
    """The positions 0 to `samples` - 1 in an order that looks random and is always the same."""
    with np.errstate(over="ignore"):
        words = (np.arange(1, samples + 1, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        words ^= words >> np.uint64(31)
    return np.argsort(words, kind="stable").astype(np.int64)


def fair_from(rows: npt.NDArray[np.int64], samples: int) -> int:
    """How many samples there are when the gaps that these positions leave in `shuffled` are filled."""
    places = np.flatnonzero(np.isin(shuffled(samples), rows))
    return int(places[-1]) + 1 if len(places) else 0


class UnbiasedPrefix:
    """Of the samples in the order of `shuffled` the first that are known without a gap: a fair sample of all, whoever
    was late. Which are known at all is none, since shards of beaten samples are done sooner."""

    def __init__(self, samples: int) -> None:
        self._place = np.argsort(shuffled(samples))
        self._right = np.full(samples, UNKNOWN, np.int8)
        self.counts = 0, 0
        """How many there are, and how many of them are right; replaced together."""

    def add(self, rows: npt.NDArray[np.int64], right: npt.NDArray[np.bool_]) -> None:
        """These positions are known."""
        self._right[self._place[rows]] = right
        gaps = np.flatnonzero(self._right == UNKNOWN)
        length = int(gaps[0]) if len(gaps) else len(self._right)
        self.counts = length, int(self._right[:length].sum())


def drawn_fairly(rows: npt.NDArray[np.int64], samples: int) -> bool:
    """Whether these positions, in any order, are the first so many of `shuffled`."""
    return fair_from(rows, samples) == len(rows)
