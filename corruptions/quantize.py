"""Conversion between 8-bit levels and fractions as in NumPy: division by 255, and truncation on the way back."""

from __future__ import annotations

from typing import TypeAlias

import torch
from jaxtyping import Float64
from torch import Tensor

from robustbench_eff.core.types import Pixels

Fractions: TypeAlias = Float64[Tensor, "batch height width 3"]
"""Levels divided by 255; values outside of [0, 1] are clipped on the way back."""

WHITE = 255


def fractions(pixels: Pixels) -> Fractions:
    """Return levels divided by 255, in float64: with less precision, whole levels could fall below themselves.

    Args:
        pixels: Levels from 0 to 255.
    """
    return divided(pixels.double(), WHITE)


def divided(values: Tensor, divisor: float) -> Tensor:
    """Return a true quotient on every device; a GPU multiplies by the inverse of a Python number.

    Args:
        values: Dividend.
        divisor: Divisor.
    """
    return values / torch.tensor(divisor, dtype=values.dtype, device=values.device)


def levels(values: Fractions) -> Pixels:
    """Return the levels of fractions, truncated and not rounded, as in the published images.

    Args:
        values: Fractions; they are clipped to [0, 1].
    """
    return values.clamp(0.0, 1.0).mul_(WHITE).to(torch.uint8)
