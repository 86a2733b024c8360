"""Plasma noise: mixes the image with coloured swirls, sines whose arguments are bent by sines.

Source: Mintun, Kirillov & Xie 2021, arXiv:2102.11273; constants as in facebookresearch/augmentation-corruption ba4d5a5.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .corruption import Kernel, RandomParameters, Size
from .pixel_grid import coordinates, per_image
from .quantize import WHITE
from .severity_ranges import between, shorter, strength

FINER, SLOWER = 1.93, 1.15
"""Factors of frequency and speed from one bend to the next."""
CURL = 0.3
PerImage = Float64[Tensor, "batch"]


def _sample(draws: RandomStreams, size: Size, level: float) -> RandomParameters:
    time, bends, sharpness, scale = draws.uniform((4,), stream="plasma_noise").double().unbind(1)
    return (
        between(0.0, 6 * math.pi, time),
        between(4.0, 7.0, bends).long(),
        between(0.5, 1.0, sharpness),
        between(0.075, 0.2, scale) * shorter(size),
    )


def _apply(
    pixels: Pixels, level: float, time: PerImage, bends: Int64[Tensor, batch], sharpness: PerImage, scale: PerImage
) -> Pixels:
    """Corrupt; `scale` is in pixels, `time` is the phase of the plasma in radians."""
    rows, columns = coordinates(pixels)
    x, y, moment = columns / per_image(scale), rows / per_image(scale), per_image(time)
    frequency, speed, damping = 1.0, 1.0, torch.ones_like(moment)
    for bend in range(int(bends.max())):
        right = torch.cos(y * frequency + moment / speed) / damping
        down = torch.sin(x * frequency + moment / speed) / damping
        active = (bends > bend)[:, None, None]
        x = torch.where(active, x + (right - down * CURL), x)
        y = torch.where(active, y + (down + right * CURL), y)
        frequency, speed, damping = frequency * FINER, speed * SLOWER, damping * (2.25 - per_image(sharpness))
    red, blue = torch.sin(x - moment), torch.sin(y + moment)
    green = torch.sin((x + y + torch.sin(moment)) * 0.5)
    colours = torch.stack((red, green, blue), -1)
    amount = strength(level, 64.0)
    return ((1 - amount / WHITE) * pixels.double() + amount * colours).clamp_(0, WHITE).to(torch.uint8)


PLASMA_NOISE = Kernel(
    name="plasma_noise",
    severities={"imagenet": (4.75, 7.0, 8.5, 9.25, 10.0)},
    sample=_sample,
    apply=_apply,
)
