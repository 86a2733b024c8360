"""A cell in progress: what was dispatched of it, and how many samples the next shard has."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.shuffle import UnbiasedPrefix

from ..plan import PlannedCell, SampleIndices

MIN_SHARD_SIZE = 64
"""Number of samples below which shards are not cut further for several workers."""
SHARDS_PER_WORKER = 4
"""Number of shards of a cell that several workers get each, so that no worker waits long for the last shard."""


@dataclass(slots=True, eq=False)
class OpenCell:
    """A cell in progress."""

    planned: PlannedCell
    clean_predictions: npt.NDArray[np.int32] | None
    """Clean predictions of all its samples; None for a clean cell."""
    remaining: SampleIndices
    """Samples that were not dispatched yet, in the order in which they will be."""
    shard_size: int
    """Number of samples in the next shard."""
    largest_shard: int
    """Number of samples above which no shard grows."""
    fair_from: int
    """Number of dispatched samples from which on they form a prefix of `shuffled`."""
    num_given: int
    """Number of samples that were dispatched or are stored."""
    stored: tuple[int, float]
    """Number of stored samples and of correct ones among them; the store thread replaces both together. With several
    votes per sample, the fraction of right ones counts."""
    prefix: UnbiasedPrefix | None
    """Unbiased prefix of the stored samples, if the samples come in random order."""
    num_files: int
    """Number of files in which the store holds the cell."""
    has_gallery: bool
    """True if the store holds a picture of the cell."""
    lost: deque[SampleIndices] = field(default_factory=deque)
    """Shards that dead workers did not finish."""
    seconds: float = 0.0
    """Seconds that workers have spent on the cell in this run."""
    num_unstored: int = 0
    """Number of dispatched shards that are not stored yet."""
    failure: str = ""
    """Why the cell has failed; empty if it has not."""
    underway: dict[int, int] = field(default_factory=dict)
    """Passes of the shards that are being computed, by their first sample."""

    @property
    def has_shards(self) -> bool:
        """True if a shard waits to be dispatched."""
        return bool(len(self.remaining) or self.lost)

    @property
    def is_unbiased(self) -> bool:
        """True if all dispatched samples together form an unbiased sample of the cell."""
        return self.num_given >= self.fair_from

    def next_shard(self) -> SampleIndices:
        """Remove and return the next shard to dispatch, lost ones first."""
        if self.lost:
            return self.lost.popleft()
        rows, self.remaining = np.split(self.remaining, [self.shard_size])
        self.num_given += len(rows)
        return np.sort(rows)

    def drop_remaining(self) -> None:
        """Dispatch no further samples, apart from those of lost shards."""
        self.remaining = self.remaining[:0]

    def learn(self, samples: int, passes: int | None) -> None:
        """Let the next shards grow, to twice their size at most, where samples needed fewer passes than they might.

        Args:
            samples: Number of samples of a finished shard.
            passes: Their passes; None if they were not counted.
        """
        if passes is not None:
            affordable = affordable_size(self.planned, self.largest_shard, passes / samples)
            self.shard_size = min(affordable, 2 * self.shard_size)


def shard_size(planned: PlannedCell, workers: int) -> int:
    """Return the largest number of samples of a cell that form a shard.

    Args:
        planned: Cell of the plan.
        workers: Number of workers; several get smaller shards, so that none waits long for the last.
    """
    if workers == 1 or planned.per_shard_randomness:
        return planned.shard_size
    return min(planned.shard_size, max(MIN_SHARD_SIZE, planned.cell.samples // (SHARDS_PER_WORKER * workers)))


def affordable_size(planned: PlannedCell, largest: int, passes: float) -> int:
    """Return the number of samples whose work is that of a first shard at the largest number of passes.

    Args:
        planned: Cell of the plan.
        largest: Number of samples above which no shard grows.
        passes: Forward and backward passes that a sample needs.
    """
    return max(1, min(largest, int(planned.first_shard * planned.passes / max(1.0, passes))))
