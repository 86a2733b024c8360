"""Statistics of an attack's queries: the passes of several steps are added together, not one by one."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from robustbench_eff.core.types import Counts, PerSample, QueryStats, SampleIndices

UNKNOWN = -1
"""Value of a counter whose passes cannot be attributed to samples."""
MOST_PENDING = 64
"""Passes after which they are added in any case."""


class PassCounts:
    """Passes and events of one attack; consecutive passes of the same rows are pending until somebody asks."""

    def __init__(self, samples: int, device: torch.device | str) -> None:
        """Begin with zeros.

        Args:
            samples: Number of samples of the attack.
            device: Device of the counts.
        """
        self._stats = QueryStats.none(samples, device)
        self._rows: SampleIndices | None = None
        """Index of the sample that each image of the pending passes belongs to."""
        self._forwards: list[int] = []
        self._backwards: list[int] = []
        self._sizes: list[tuple[int, PerSample]] = []
        """Numbers of the passes with gradients, and `sizes` of each."""

    @property
    def stats(self) -> QueryStats:
        """The statistics, of all passes so far; they change with the attack."""
        self.flush()
        return self._stats

    @property
    def pending(self) -> int:
        """Number of passes that are not in the statistics yet."""
        return len(self._forwards)

    def note(self, message: str) -> None:
        """See `Oracle.note`."""
        self._stats.notes.extend([message] if message not in self._stats.notes else [])

    def add(self, rows: SampleIndices, times: int, sizes: PerSample | None = None) -> None:
        """Add a pass, which may stay pending.

        Args:
            rows: Index of the sample that each image belongs to; not changed afterwards.
            times: How often the images were passed forwards, and with gradients backwards.
            sizes: 0 where the gradient of an image was zero, NaN where it had a NaN; None for a pass without gradients.
        """
        if rows is not self._rows or self.pending >= MOST_PENDING:
            self.flush()
        self._rows = rows
        if sizes is not None:
            self._sizes.append((self.pending, sizes))
        self._forwards.append(times)
        self._backwards.append(0 if sizes is None else times)

    def add_call(self, images: int, *, with_gradients: bool) -> None:
        """Add a pass of an attack that does not say which samples it asks about.

        Args:
            images: Number of images; all samples if there are as many.
            with_gradients: Whether a backward pass may follow.
        """
        stats = self.stats
        if images == len(stats.num_forwards):
            stats.num_forwards += torch.where(stats.num_forwards == UNKNOWN, 0, 1)
        else:
            stats.num_forwards.fill_(UNKNOWN)
        if with_gradients:
            stats.num_backwards.fill_(UNKNOWN)

    def add_at_once(self, rows: SampleIndices, times: int, *, backwards: bool = False) -> None:
        """Add passes beside the pending ones, such as those that confirm a success.

        Args:
            rows: Index of the sample that each image belongs to.
            times: How often the images were passed.
            backwards: Count them backwards, too.
        """
        passes = torch.full_like(rows, times)
        self._stats.num_forwards.index_add_(0, rows, passes)
        if backwards:
            self._stats.num_backwards.index_add_(0, rows, passes)

    def add_false_positives(self, rows: SampleIndices, refuted: Tensor) -> None:
        """Add successes against the copy that the network did not confirm.

        Args:
            rows: Index of the sample that each image belongs to.
            refuted: True where that was so.
        """
        self._stats.false_positives.index_add_(0, rows, refuted.long())

    def flush(self, counted: np.ndarray | None = None) -> None:
        """Add the pending passes to the statistics.

        Args:
            counted: Number of pending passes that count for each image, int64: those before it was finished; None for
                all of them.
        """
        rows, stats = self._rows, self._stats
        if rows is not None:
            first = None if counted is None else torch.from_numpy(counted)
            stats.num_forwards.index_add_(0, rows, _sums(self._forwards, first, rows))
            if self._sizes:
                stats.num_backwards.index_add_(0, rows, _sums(self._backwards, first, rows))
                stats.zero_gradients.index_add_(0, rows, self._zero_gradients(first))
        self._rows, self._forwards, self._backwards, self._sizes = None, [], [], []

    def _zero_gradients(self, counted: Counts | None) -> Counts:
        """Return for how many pending passes the gradient of each image was zero or not a number."""
        sizes = torch.stack([values for _, values in self._sizes])
        numbers = torch.tensor([number for number, _ in self._sizes])[:, None]
        times = torch.tensor(self._backwards)[numbers]
        times = times if counted is None else times * (numbers < counted)
        empty = (sizes == 0) | sizes.isnan()
        return (empty * times.to(empty.device)).sum(0)


def _sums(passes: list[int], counted: Counts | None, rows: SampleIndices) -> Counts:
    """Return the sum of all passes, or of as many as count for each image."""
    if counted is None:
        return torch.full_like(rows, sum(passes))
    return torch.tensor([0, *passes]).cumsum(0)[counted].to(rows.device)
