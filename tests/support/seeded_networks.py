"""Weights and images that are the same in every process, and a digest of the shapes of a network's tensors."""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Mapping

import torch
from torch import Tensor


def seeded_state(shapes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a value for every tensor, drawn under a seed that its name gives.

    Args:
        shapes: Tensors of the shapes and types that are wanted, which need no values.
    """
    return {name: _values(name, tensor) for name, tensor in shapes.items()}


def _values(name: str, like: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    if not like.is_floating_point():
        return torch.zeros(like.shape, dtype=like.dtype)
    drawn = torch.rand(like.shape, generator=generator)
    if name.endswith(("running_var", "threshold", "bn.weight", "norm.weight")) or like.dim() == 0:
        return 0.5 + 0.5 * drawn
    if like.dim() == 1:
        return 0.5 + drawn if name.endswith("weight") else 0.2 * (drawn - 0.5)
    fan_in = math.prod(like.shape[1:])
    is_last_of_member = name.startswith("models.") and name.endswith(("linear.weight", "fc.weight"))
    gain = 1e-4 if is_last_of_member else 1.0  # so that no probability is 0
    return gain * (drawn - 0.5) * math.sqrt(24 / fan_in)


def images_of(size: int) -> Tensor:
    """Return two images of noise in [0, 1].

    Args:
        size: Side of the images in pixels.
    """
    return torch.rand((2, 3, size, size), generator=torch.Generator().manual_seed(size))


def shapes_digest(tensors: Mapping[str, Tensor]) -> str:
    """Return a digest of names and shapes, without the counters of batch norms.

    Args:
        tensors: Tensors by name.
    """
    lines = sorted(f"{name} {tuple(tensor.shape)}" for name, tensor in tensors.items() if "num_batches" not in name)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
