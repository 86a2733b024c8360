"""How many samples of a cell form a shard: what is computed between two writes, and lost when a run is stopped.

Shards of equal settings are equal in every run with one worker, so sizes follow from counted work and not from a clock.
"""

from __future__ import annotations

from typing import NamedTuple

from .adapted_cells import stream_shard_size
from .plan import CellRuntime
from .query_interface import shard_size
from .settings import Settings

OPERATIONS = 4e12
"""Floating-point operations of a shard: well under a minute on the processors in use."""
OPERATIONS_ON_CUDA = 4e15
"""The same on the GPUs in use."""
LEAST_OPERATIONS = 1e7
"""Operations that a pass is counted as at least: small networks need most of their time for other things."""
OUTSIDE_TORCH = 1e9
"""Operations that a pass is counted as where torch cannot count them."""
EXPENSIVE = 10
"""Passes per sample from which on the operations of a pass are counted."""


class ShardSizes(NamedTuple):
    """Numbers of samples in the shards of a cell."""

    first: int
    """In the first shard: surely no more work than `OPERATIONS`."""
    largest: int
    """In any later one; they grow as far as the passes that samples were found to need permit."""


def shard_sizes(runtime: CellRuntime, settings: Settings, device: str) -> ShardSizes:
    """Return how many samples of a cell form a shard.

    Args:
        runtime: The cell.
        settings: The options of the run; a shard size of the user is used as it is.
        device: Torch device that evaluates the cell.
    """
    largest = shard_size(runtime.classifier, settings, device)
    if runtime.stream is not None:
        whole = stream_shard_size(runtime.stream, largest, len(runtime.images))
        return ShardSizes(whole, whole)
    if settings.shard_size is not None or runtime.per_shard_randomness:
        return ShardSizes(largest, largest)
    first = min(largest, _affordable(runtime, device))
    draws = runtime.votes or runtime.classifier.draws  # what a network draws at random depends on the shard
    return ShardSizes(first, first if draws else largest)


def _affordable(runtime: CellRuntime, device: str) -> int:
    """The number of samples whose passes, at most, need no more than `OPERATIONS`."""
    if runtime.passes < EXPENSIVE:
        return runtime.cell.samples
    attacked = runtime.queried.surrogate or runtime.classifier
    operations = max(LEAST_OPERATIONS, attacked.flops or OUTSIDE_TORCH)
    budget = OPERATIONS_ON_CUDA if device.startswith("cuda") else OPERATIONS
    return max(1, int(budget / (runtime.passes * operations)))
