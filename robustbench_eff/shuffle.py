"""An order of samples in which the first of them, however many, are a fair sample of all.

Source of the hash: SplitMix64, Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators" (OOPSLA).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


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


def drawn_fairly(rows: npt.NDArray[np.int64], samples: int) -> bool:
    """Whether these positions, in any order, are the first so many of `shuffled`."""
    return fair_from(rows, samples) == len(rows)
