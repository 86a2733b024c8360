"""Motion: smears images along a line, in one direction, with weights that fall off like a Gaussian.

Source: imagecorruptions 1.1.2, which replaces the ImageMagick call of hendrycks/robustness 8190fe3; the two differ by
at most one level on 0.2 % of the values.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams

from .random import uniforms

Angles = Float[Tensor, "batch"]
"""Angles in degrees."""
Layers = Float64[Tensor, "batch height width ..."]


class Motion(NamedTuple):
    """Constants of a motion, in pixels."""

    radius: int
    """Half the length of the line, rounded down."""
    sigma: float
    """Standard deviation of the weights."""

    @property
    def weights(self) -> npt.NDArray[np.float64]:
        """Weights of the taps; the first tap is the pixel itself."""
        taps = 2 * self.radius + 1
        weights = np.exp(-(np.arange(taps) ** 2) / (2 * self.sigma**2)) / (np.sqrt(2 * np.pi) * self.sigma)
        scaled: npt.NDArray[np.float64] = weights / np.sum(weights)
        return scaled

    def steps(self, direction: Angles) -> Int64[Tensor, "batch taps 2"]:
        """Return the offset (down, across) of every tap, in whole pixels.

        Args:
            direction: Angle of the motion of each image, in degrees.
        """
        rows = [_steps(angle, 2 * self.radius + 1) for angle in direction.tolist()]
        return torch.from_numpy(np.stack(rows)).to(direction.device)


def angles(draws: RandomStreams, low: float, high: float, stream: str) -> Angles:
    """Return uniform angles in [low, high), in degrees.

    Args:
        draws: Random streams, one per image.
        low: Lower bound in degrees.
        high: Upper bound in degrees.
        stream: Name of the stream.
    """
    return low + (high - low) * uniforms(draws, (1,), stream)[:, 0].double()


def motion_blur(layers: Layers, motion: Motion, direction: Angles) -> Layers:
    """Smear images or single channels; beyond the edges their last pixels continue.

    Args:
        layers: Values of one channel, or channels last.
        motion: Length and weights of the smear.
        direction: Angle of each image, in degrees.
    """
    count, height, width = layers.shape[:3]
    weights = motion.weights
    down, across = motion.steps(direction).unbind(-1)
    # The smear ends where it leaves the image.
    inside = ((down.abs() < height) & (across.abs() < width)).cumprod(1).bool()
    total = torch.zeros_like(layers)
    row, column = torch.arange(height, device=layers.device), torch.arange(width, device=layers.device)
    rows = (row - down[..., None]).clamp_(0, height - 1)
    columns = (column - across[..., None]).clamp_(0, width - 1)
    image_index = torch.arange(count, device=layers.device)[:, None, None]
    for tap in range(len(weights)):
        live = inside[:, tap]
        moved = layers[image_index[live], rows[live, tap][:, :, None], columns[live, tap][:, None, :]]
        total[live] += moved.mul_(float(weights[tap]))
    return total


def _steps(angle: float, taps: int) -> npt.NDArray[np.int64]:
    """The offset (down, across) of every tap, in whole pixels."""
    radians = angle * (math.pi / 180)
    end = taps * np.array((np.sin(radians), np.cos(radians)))
    steps: npt.NDArray[np.int64] = -np.ceil(np.arange(taps)[:, None] * end / math.hypot(*end) - 0.5).astype(np.int64)
    return steps
