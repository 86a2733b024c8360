"""Between 8-bit levels and fractions, as NumPy does it: division by 255, and truncation on the way back."""

from __future__ import annotations

from typing import TypeAlias

import torch
from jaxtyping import Float64
from torch import Tensor

from robustbench_eff.core.types import Pixels

Fractions: TypeAlias = Float64[Tensor, "batch height width 3"]
"""Levels divided by 255; what is outside [0, 1] is clipped on the way back."""

WHITE = 255


def fractions(pixels: Pixels) -> Fractions:
    """Levels divided by 255, in float64: with less precision, results that are whole levels would fall below them."""
    return divided(pixels.double(), WHITE)


def divided(values: Tensor, by: float) -> Tensor:
    """A true division on every device: by a plain number a GPU would multiply with the inverse."""
    return values / torch.tensor(by, dtype=values.dtype, device=values.device)


def levels(values: Fractions) -> Pixels:
    """The levels of fractions, clipped to [0, 1] and truncated, not rounded: so were the published images made."""
    return values.clamp(0.0, 1.0).mul_(WHITE).to(torch.uint8)
