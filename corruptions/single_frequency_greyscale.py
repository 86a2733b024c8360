"""Single-frequency greyscale: adds a sine wave of random direction and length to all channels.

Source: Mintun, Kirillov & Xie 2021, arXiv:2102.11273; constants as in facebookresearch/augmentation-corruption ba4d5a5.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .corruption import Kernel, RandomParameters, Size
from .pixel_grid import coordinates, per_image
from .quantize import WHITE
from .severity_ranges import between, strength


def _sample(draws: RandomStreams, size: Size, level: float) -> RandomParameters:
    major, minor, order, phase = draws.uniform((4,), stream="single_frequency_greyscale").double().unbind(1)
    larger = between(-math.pi, math.pi, major)
    smaller = between(-1.0, 1.0, minor) * larger.abs()
    frequency = torch.stack((larger, smaller), 1)
    frequency = torch.where(order[:, None] < 0.5, frequency, frequency.flip(1))
    return frequency, between(0.0, 2 * math.pi, phase)


def _apply(
    pixels: Pixels, level: float, frequency: Float64[Tensor, "batch 2"], phase: Float64[Tensor, batch]
) -> Pixels:
    """Corrupt; `frequency` is (across, down) in radians per pixel."""
    rows, columns = coordinates(pixels)
    across, down = (per_image(component) for component in frequency.unbind(1))
    wave = torch.sin(columns * across + rows * down + per_image(phase))
    return (pixels + strength(level, 196.0) * wave[..., None]).clamp_(0, WHITE).to(torch.uint8)


SINGLE_FREQUENCY_GREYSCALE = Kernel(
    name="single_frequency_greyscale",
    severities={"imagenet": (1.0, 1.5, 2.0, 4.5, 5.0)},
    sample=_sample,
    apply=_apply,
)
