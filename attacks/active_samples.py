"""Bookkeeping of the samples that are still under attack: recording successes, dropping samples, fitting memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from robustbench_eff.core.types import AllImages, Images, Labels, Mask, SampleIndices

State = TypeVar("State")

MAX_STATE_VALUES = 2**27
"""Pixel values that one tensor of an attack's state may hold: half a gigabyte of float32."""
CPU_CHUNK_VALUES = 2**16
"""Pixel values per tensor that a CPU processes at once, so that intermediate results stay in its cache."""


@dataclass(frozen=True, slots=True)
class LiveSamples:
    """The samples that are still under attack."""

    rows: SampleIndices
    clean: Images
    labels: Labels


def select_rows(state: State, keep: Mask | SampleIndices) -> State:
    """Return a copy of a dataclass of tensors with only the selected rows.

    Args:
        state: Dataclass whose fields are all tensors with the same number of rows.
        keep: Rows to keep, as a mask or by their positions.
    """
    keep = keep.nonzero()[:, 0] if keep.dtype == torch.bool else keep  # once, not in every field
    fields = dataclasses.fields(state)  # type: ignore[arg-type]
    return dataclasses.replace(state, **{field.name: getattr(state, field.name)[keep] for field in fields})  # type: ignore[type-var]


def record_successes(adversarial: AllImages, rows: SampleIndices, images: Images, success: Mask) -> Mask:
    """Write the first successful image of every sample into `adversarial`.

    Args:
        adversarial: Results of all samples; changed in place.
        rows: Index of the sample that each of `images` belongs to; several may belong to the same sample.
        images: Candidate images.
        success: True for candidates that are adversarial.

    Returns:
        A mask over `images`: True where the sample has not been attacked successfully. If one candidate of a sample
        succeeds, all of its candidates are False.
    """
    order = torch.arange(len(rows), device=rows.device)
    first = torch.full((len(adversarial),), len(rows), device=rows.device)
    first.scatter_reduce_(0, rows[success], order[success], "amin")
    won = first < len(rows)
    adversarial[won] = images[first[won]]
    return ~won[rows]


def memory_chunks(images: Images, paths: int) -> Iterator[SampleIndices]:
    """Yield the indices of `images` in chunks that fit into memory.

    Samples are attacked independently, so the grouping does not change any outcome.

    Args:
        images: All images of the attack.
        paths: Copies of each image that the attack's state holds.

    Yields:
        Consecutive indices; a single empty tensor if there are no images.
    """
    size = max(1, MAX_STATE_VALUES // (paths * images[:1].numel() or 1))
    yield from torch.arange(len(images), device=images.device).split(size)


def map_chunks(function: Callable[..., Images], *tensors: Tensor) -> Images:
    """Apply a function to tensors, on a CPU in chunks whose intermediate results fit into its cache.

    This is two to three times faster than one call where a dozen element-wise operations follow each other.

    Args:
        function: Maps tensors with the same number of rows to images; each row must depend on its own row only.
        *tensors: Its arguments. The first one determines the chunk size.

    Returns:
        The results of all rows, in order.
    """
    size = max(1, CPU_CHUNK_VALUES // (tensors[0][:1].numel() or 1))
    if tensors[0].device.type != "cpu" or len(tensors[0]) <= size:
        return function(*tensors)
    return torch.cat([function(*chunk) for chunk in zip(*(tensor.split(size) for tensor in tensors), strict=True)])
