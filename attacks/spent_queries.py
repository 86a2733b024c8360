"""Counters of the queries of an attack."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import torch

from robustbench_eff.core.types import QueryStats, SampleIndices

from .pass_counts import PassCounts
from .random_outputs import Attempts


class SpentQueries:
    """Counters of the queries that the running attack makes for each of its samples."""

    counts: PassCounts

    def __init__(self) -> None:
        """Begin without samples."""
        self.attempts = Attempts(0)
        self.draws: int | None = None
        """Draws that an answer averages over; None for a network that draws nothing at random."""
        self.watch(0)

    @property
    def effort(self) -> QueryStats:
        """Statistics of the attack that is running or ran last."""
        return self.counts.stats

    def watch(self, samples: int, device: torch.device | str = "cpu") -> None:
        """Start counting for a new attack.

        Args:
            samples: Number of samples of the attack.
            device: Device of the counters.
        """
        self.counts = PassCounts(samples, device)
        if self.attempts.owners is None:
            self.attempts = Attempts(samples)

    @contextmanager
    def part(self, rows: SampleIndices) -> Iterator[Self]:
        """Lend this object to an attack on a subset of the samples; its passes are added to their counters.

        Args:
            rows: Indices of the subset among the samples of this attack.

        Yields:
            This object.
        """
        whole, self.attempts.owners = self.counts, rows
        try:
            yield self
        finally:
            self.attempts.owners = None
            whole.stats.add(self.effort, rows)
            self.counts = whole

    def note(self, message: str) -> None:
        """Record, once, a deviation from what the attack's name promises.

        Args:
            message: What was done instead, and why.
        """
        self.counts.note(message)

    def uncount(self, rows: SampleIndices) -> None:
        """Take back the count of queries that turned out not to be needed: of moves tried ahead in vain.

        Args:
            rows: Index of the sample that each query was made for.
        """
        self.counts.add_at_once(rows, -(self.draws or 1))
