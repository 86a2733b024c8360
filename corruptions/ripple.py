"""Ripple: sine waves displace rows and columns along themselves.

Source: Mintun, Kirillov & Xie 2021, arXiv:2102.11273; constants as in facebookresearch/augmentation-corruption ba4d5a5.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .bilinear import interpolated
from .corruption import Kernel, RandomParameters, Size
from .pixel_grid import coordinates, per_image
from .quantize import WHITE
from .severity_ranges import between, shorter, strength

Pair = Float64[Tensor, "batch 2"]
"""Values for the vertical and the horizontal wave."""


def _sample(draws: RandomStreams, size: Size, level: float) -> RandomParameters:
    wavelength, phase = draws.uniform((2, 2), stream="ripple").double().unbind(1)
    return between(0.1, 0.3, wavelength) * shorter(size), between(0.0, 2 * math.pi, phase)


def _apply(pixels: Pixels, level: float, wavelengths: Pair, phases: Pair) -> Pixels:
    """Corrupt; `wavelengths` are in pixels."""
    amplitude = strength(level, 0.025) * shorter((pixels.shape[1], pixels.shape[2]))
    waves = zip(coordinates(pixels), wavelengths.unbind(1), phases.unbind(1), strict=True)
    rows, columns = (
        position + amplitude * torch.sin(2 * math.pi * position / per_image(wavelength) + per_image(phase))
        for position, wavelength, phase in waves
    )
    return interpolated(pixels.double(), rows, columns).clamp_(0, WHITE).to(torch.uint8)


RIPPLE = Kernel(
    name="ripple",
    severities={"cifar10": (5.5, 6.0, 6.5, 7.5, 8.0)},
    sample=_sample,
    apply=_apply,
)
