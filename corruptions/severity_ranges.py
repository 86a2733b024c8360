"""Numbers out of a range, as ImageNet-C-bar takes them: by a severity's level, or by a uniform draw."""

from __future__ import annotations

from jaxtyping import Float64
from torch import Tensor

from .corruption import Size

HIGHEST = 10
"""Level at which a constant takes its largest value."""


def strength(level: float, largest: float) -> float:
    """The constant of a severity whose published level is `level`, 0 to 10; 0 at level 0."""
    return level * largest / HIGHEST


def between(low: float, high: float, uniform: Float64[Tensor, ...]) -> Float64[Tensor, ...]:
    """Draws of [0, 1) spread over [low, high)."""
    return low + (high - low) * uniform


def shorter(size: Size) -> int:
    """The side that lengths are measured in; the published images are square."""
    return min(size)
