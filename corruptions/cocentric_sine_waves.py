"""Cocentric sine waves: adds wavy rings around a random point, with a sawtooth profile.

Source: Mintun, Kirillov & Xie 2021, arXiv:2102.11273; constants as in facebookresearch/augmentation-corruption ba4d5a5.
"""

from __future__ import annotations

import torch
from jaxtyping import Float64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .corruption import Kernel, RandomParameters, Size
from .pixel_grid import coordinates, per_image
from .quantize import WHITE
from .severity_ranges import between, shorter, strength

PerImage = Float64[Tensor, "batch"]


def _sample(draws: RandomStreams, size: Size, level: float) -> RandomParameters:
    row, column, frequency, amplitude, width = draws.uniform((5,), stream="cocentric_sine_waves").double().unbind(1)
    widest = shorter(size) / 10
    centre = torch.stack((size[0] * row, size[1] * column), 1)
    # 1 - u, because rings of zero width would have no phase.
    return centre, between(0.0, 10.0, frequency), widest * amplitude, widest * (1 - width)


def _apply(
    pixels: Pixels,
    level: float,
    centre: Float64[Tensor, "batch 2"],
    frequency: PerImage,
    amplitude: PerImage,
    width: PerImage,
) -> Pixels:
    """Corrupt; a ring of `width` pixels swings by `amplitude` pixels, `frequency` times around the `centre`."""
    rows, columns = coordinates(pixels)
    down, across = rows - per_image(centre[:, 0]), columns - per_image(centre[:, 1])
    angle = torch.atan2(across, down) * per_image(frequency)
    distance = torch.sqrt(across**2 + down**2) + torch.sin(angle) * per_image(amplitude)
    rings = distance.remainder(per_image(width)) / per_image(width) - 0.5
    return (pixels + strength(level, 128.0) * rings[..., None]).clamp_(0, WHITE).to(torch.uint8)


COCENTRIC_SINE_WAVES = Kernel(
    name="cocentric_sine_waves",
    severities={"imagenet": (3.0, 5.0, 8.0, 9.0, 10.0)},
    sample=_sample,
    apply=_apply,
)
