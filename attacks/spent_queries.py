"""Counters of the queries of an attack."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import torch

from robustbench_eff.core.types import QueryStats, SampleIndices

from .random_outputs import Attempts


class SpentQueries:
    """What the attack that is running has spent on each of its samples."""

    effort: QueryStats

    def __init__(self) -> None:
        """Begin without samples."""
        self.attempts = Attempts(0)
        self.draws: int | None = None
        """Draws that an answer averages over; None for a network that draws nothing at random."""
        self.watch(0)

    def watch(self, samples: int, device: torch.device | str = "cpu") -> None:
        """Start counting for a new attack.

        Args:
            samples: Number of samples of the attack.
            device: Device of the counters.
        """
        self.effort = QueryStats.none(samples, device)
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
        whole, self.attempts.owners = self.effort, rows
        try:
            yield self
        finally:
            self.attempts.owners = None
            whole.add(self.effort, rows)
            self.effort = whole

    def note(self, message: str) -> None:
        """Record, once, a deviation from what the attack's name promises.

        Args:
            message: What was done instead, and why.
        """
        self.effort.notes.extend([message] if message not in self.effort.notes else [])

    def uncount(self, rows: SampleIndices) -> None:
        """Take back the count of queries that turned out not to be needed: of moves tried ahead in vain.

        Args:
            rows: Index of the sample that each query was made for.
        """
        self.effort.num_forwards.index_add_(0, rows, torch.full_like(rows, -(self.draws or 1)))
