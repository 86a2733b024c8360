"""Windows that Square Attack changes: their size at each step, their position, and the shape of the bumps.

Source: Andriushchenko et al. 2020, arXiv:1912.00049, Algorithms 2 and 3; for L1 Croce & Hein 2021, arXiv:2103.01208;
constants as in pyautoattack 0.2.0.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import NamedTuple, TypeAlias

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from robustbench_eff.core.threat import LpNorm
from robustbench_eff.core.types import Images

HALVED_AFTER = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""Steps after which the fraction of pixels in a window halves."""
BUMP_POWER = {"l2": 2, "l1": 4}
"""Exponent of a bump's decay from its peak."""

Window: TypeAlias = Int64[Tensor, "batch coordinates"]
"""Coordinates of each sample's window in its flattened image, channel by channel and row by row."""


def window_side(step: int, p_init: float, images: Images, norm: LpNorm) -> int:
    """Return the side of the windows at a step, in pixels.

    At least 1 in L-infinity; odd and at least 3 in L2 and L1; never larger than the image.

    Args:
        step: Number of the step, starting at 0.
        p_init: Fraction of the pixels that the first windows change, in (0, 1].
        images: Images of the size to attack.
        norm: Norm of the ball.
    """
    height, width = images.shape[2:]
    p = p_init / 2 ** bisect_left(HALVED_AFTER, step)
    side = round(math.sqrt(p * height * width))
    side = max(side, 1) if norm == "linf" else max(side, 3) // 2 * 2 + 1
    return min(side, height, width)


class WindowLayout(NamedTuple):
    """Where the pixels of windows of one size are."""

    shape: tuple[int, int]
    """Channels and pixels of one window."""
    row: int
    """Pixels of a row of the image."""
    room: Tensor
    """Positions of the corner, vertically and horizontally, shape (2,)."""
    coordinates: Int64[Tensor, coordinates]
    """Coordinates of the window in the top left corner, in the flattened image."""


class Windows:
    """Square windows of one size, anywhere in the image."""

    def __init__(self, side: int, images: Images) -> None:
        """Prepare the coordinates of a window.

        Args:
            side: Side of the windows, in pixels.
            images: Images of the size and on the device of those to attack.
        """
        channels, height, width = images.shape[1:]
        channel = torch.arange(channels, device=images.device) * height * width
        inside = torch.arange(side, device=images.device)
        self.layout = WindowLayout(
            shape=(channels, side * side),
            row=width,
            room=torch.tensor([height - side, width - side], device=images.device),
            coordinates=(channel[:, None, None] + inside[:, None] * width + inside).flatten(),
        )
        """Where the pixels of a window are."""

    def at(self, positions: Float[Tensor, "batch 2"]) -> Window:
        """Return the windows at random positions; see `windows_at`.

        Args:
            positions: Vertical and horizontal position of the top left corner, uniform in [0, 1).
        """
        return windows_at(positions, self.layout)


def windows_at(positions: Float[Tensor, "batch 2"], layout: WindowLayout) -> Window:
    """Return the windows at random positions.

    As in the reference, the last possible row and column are never a corner, unless they are the only ones.

    Args:
        positions: Vertical and horizontal position of the top left corner, uniform in [0, 1).
        layout: Where the pixels of a window are.
    """
    corner = (positions * layout.room).long()
    return (corner[:, :1] * layout.row + corner[:, 1:]) + layout.coordinates


def two_bumps(side: int, norm: LpNorm, images: Images) -> Float[Tensor, "side side"]:
    """Return a bump in the upper half and its negative in the lower half, of length 1 together.

    Args:
        side: Side of the window, in pixels.
        norm: Norm of the length, L2 or L1.
        images: Tensor whose dtype and device the result takes.
    """
    order = float(norm[1:])
    upper, lower = _bump(side // 2, side, BUMP_POWER[norm]), _bump(side - side // 2, side, BUMP_POWER[norm])
    both = torch.cat([half / half.norm(order) for half in (upper, -lower) if len(half)])
    unit: Tensor = both / both.norm(order)
    return unit.to(images)


def _bump(height: int, width: int, power: int) -> Tensor:
    """Return concentric squares around the center; square k is 1 / (k + 1)^power higher than the next larger one."""
    rings = torch.arange(max(height, width) // 2 + 1)
    heights = (1 / (rings + 1.0) ** power).flip(0).cumsum(0).flip(0)
    from_centre_row = (torch.arange(height) - height // 2).abs()
    from_centre_column = (torch.arange(width) - width // 2).abs()
    bump: Tensor = heights[torch.maximum(from_centre_row[:, None], from_centre_column[None])]
    return bump
