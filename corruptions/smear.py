"""Motion: the image is smeared along a line, to one side, with weights that fall off like a Gaussian.

Source: imagecorruptions 1.1.2, which does without ImageMagick what hendrycks/robustness 8190fe3 asks of it; the two
differ by at most one level on 0.2 % of the values.
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
"""In degrees."""
Layers = Float64[Tensor, "batch height width ..."]


class Motion(NamedTuple):
    """How far and how evenly."""

    radius: int
    sigma: float
    """Both in pixels."""

    @property
    def weights(self) -> npt.NDArray[np.float64]:
        """Of the taps, the first being the pixel itself."""
        taps = 2 * self.radius + 1
        weights = np.exp(-(np.arange(taps) ** 2) / (2 * self.sigma**2)) / (np.sqrt(2 * np.pi) * self.sigma)
        scaled: npt.NDArray[np.float64] = weights / np.sum(weights)
        return scaled

    def steps(self, direction: Angles) -> Int64[Tensor, "batch taps 2"]:
        """How far the image moves (down, across) for every tap, in whole pixels."""
        rows = [_steps(angle, 2 * self.radius + 1) for angle in direction.tolist()]
        return torch.from_numpy(np.stack(rows)).to(direction.device)


def angles(draws: RandomStreams, low: float, high: float, stream: str) -> Angles:
    """Uniform in [low, high)."""
    return low + (high - low) * uniforms(draws, (1,), stream)[:, 0].double()


def motion_blur(layers: Layers, motion: Motion, direction: Angles) -> Layers:
    """`layers` along `direction`; beyond the edges lie their last pixels."""
    count, height, width = layers.shape[:3]
    weights = motion.weights
    down, across = motion.steps(direction).unbind(-1)
    inside = ((down.abs() < height) & (across.abs() < width)).cumprod(1).bool()  # it ends where it leaves the image
    total = torch.zeros_like(layers)
    row, column = torch.arange(height, device=layers.device), torch.arange(width, device=layers.device)
    rows = (row - down[..., None]).clamp_(0, height - 1)
    columns = (column - across[..., None]).clamp_(0, width - 1)
    image = torch.arange(count, device=layers.device)[:, None, None]
    for tap in range(len(weights)):
        live = inside[:, tap]
        moved = layers[image[live], rows[live, tap][:, :, None], columns[live, tap][:, None, :]]
        total[live] += moved.mul_(float(weights[tap]))
    return total


def _steps(angle: float, taps: int) -> npt.NDArray[np.int64]:
    """How far the image moves (down, across) for every tap, in whole pixels."""
    radians = angle * (math.pi / 180)
    end = taps * np.array((np.sin(radians), np.cos(radians)))
    steps: npt.NDArray[np.int64] = -np.ceil(np.arange(taps)[:, None] * end / math.hypot(*end) - 0.5).astype(np.int64)
    return steps
