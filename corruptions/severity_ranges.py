"""Numbers from a range as in ImageNet-C-bar: by the level of a severity, or by a uniform draw."""

from __future__ import annotations

from jaxtyping import Float64
from torch import Tensor

from .corruption import Size

HIGHEST = 10
"""Level at which a constant has its largest value."""


def strength(level: float, largest: float) -> float:
    """Return the constant of a severity, proportional to its published level.

    Args:
        level: Published level, 0 to 10.
        largest: Constant at level 10.
    """
    return level * largest / HIGHEST


def between(low: float, high: float, uniform: Float64[Tensor, ...]) -> Float64[Tensor, ...]:
    """Return draws scaled to [low, high).

    Args:
        low: Lower bound.
        high: Upper bound.
        uniform: Draws of [0, 1).
    """
    return low + (high - low) * uniform


def shorter(size: Size) -> int:
    """Return the shorter side, the unit of lengths; the published images are square.

    Args:
        size: Height and width of the image.
    """
    return min(size)
