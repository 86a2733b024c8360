"""Outcomes of a shard: as computed, and in the form that is stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from robustbench_eff.storage.outcomes import SCHEMA

from .gallery import MAX_TILES, Sample, picture

PASSES = ("num_forwards", "num_backwards")
"""Columns that count passes."""


@dataclass(frozen=True, slots=True)
class ShardResult:
    """Outcomes of a shard in the form that is stored."""

    outcomes: pa.Table
    """One row per sample, with the columns of `SCHEMA`."""
    picture: bytes | None
    """PNG of successful attacks; None if there are none or the cell already has a picture."""
    seconds: float
    """Seconds that the worker needed."""

    @property
    def passes(self) -> int | None:
        """Forward and backward passes of all samples; None if they were not counted."""
        return _total(self.outcomes[name].to_numpy() for name in PASSES)


@dataclass(frozen=True, slots=True)
class ShardColumns:
    """Outcomes of a shard as computed; the rest of the work needs neither the device nor the model."""

    columns: dict[str, Any]
    """Columns by name, in the order of `SCHEMA` and in host memory."""
    successes: list[Sample]
    """Up to `MAX_TILES` samples that the classifier misclassifies, for a picture."""
    seconds: float
    """Seconds that the worker needed."""

    @property
    def passes(self) -> int | None:
        """Forward and backward passes of all samples; None if they were not counted."""
        return _total(np.asarray(self.columns[name]) for name in PASSES)

    def to_result(self) -> ShardResult:
        """Convert the outcomes into the form that is stored."""
        arrays = [
            pa.array(values.numpy() if isinstance(values, torch.Tensor) else values).cast(field.type)
            for field, values in zip(SCHEMA, self.columns.values(), strict=True)
        ]
        outcomes = pa.Table.from_arrays(arrays, schema=SCHEMA)
        return ShardResult(outcomes, picture(self.successes) if self.successes else None, self.seconds)


def merged_columns(parts: Sequence[ShardColumns]) -> ShardColumns:
    """Return the outcomes of several tasks one after the other.

    Args:
        parts: At least one.
    """
    if len(parts) == 1:
        return parts[0]
    columns = {name: _concatenated([part.columns[name] for part in parts]) for name in parts[0].columns}
    successes = [sample for part in parts for sample in part.successes]
    return ShardColumns(columns, successes[:MAX_TILES], sum(part.seconds for part in parts))


def _total(counts: Iterable[npt.NDArray[Any]]) -> int | None:
    kinds = list(counts)
    return None if any((count < 0).any() for count in kinds) else int(sum(count.sum() for count in kinds))


def _concatenated(values: Sequence[Any]) -> Any:
    if isinstance(values[0], torch.Tensor):
        return torch.cat(tuple(values))
    return np.concatenate(values) if isinstance(values[0], np.ndarray) else [item for part in values for item in part]
