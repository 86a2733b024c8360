"""Caustic refraction: the image under rippled water, which refracts it and adds caustics of light.

Source: Mintun, Kirillov & Xie 2021, arXiv:2102.11273; constants as in facebookresearch/augmentation-corruption ba4d5a5.
The image is interpolated in float32, as that code does with NumPy before version 2; the rest is float64.
"""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from jaxtyping import Float64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .bilinear import interpolated
from .corruption import Kernel, RandomParameters, Size
from .gaussian_filter import gaussian
from .pixel_grid import Plane, coordinates, per_image
from .quantize import WHITE, fractions
from .severity_ranges import between, shorter, strength

TURN, FAR = 6.28318530718, 250
"""Period of the pattern in radians, and its offset at the upper left pixel; with the published digits."""
WAVES = 5
THIN = 0.005
"""Thinness of the lines of light."""
INDEX = 4.0
"""Index of refraction."""
STEEP = 1e-3
"""Surfaces whose cosine is closer to 1 than this do not refract."""
SIGMA = 1.0
"""Standard deviation of the smoothing of the light, in pixels."""
STEPS = 1000
"""Displacements are rounded to this fraction of a pixel."""
PerImage = Float64[Tensor, "batch"]


def _sample(draws: RandomStreams, size: Size, level: float) -> RandomParameters:
    time, ripple = draws.uniform((2,), stream="caustic_refraction").double().unbind(1)
    return between(0.5, 2.0, time), between(0.75, 1.25, ripple) * shorter(size)


def _apply(pixels: Pixels, level: float, time: PerImage, ripple: PerImage) -> Pixels:
    """Corrupt; `time` is the phase of the water, `ripple` the period of the pattern in pixels."""
    light = gaussian(_caustics(pixels, time, ripple), SIGMA, edge="reflect")
    framed = functional.pad(light, (1, 1, 1, 1))  # beyond the image there is no light
    down = framed[:, 2:, 1:-1] - framed[:, :-2, 1:-1]
    across = framed[:, 1:-1, 2:] - framed[:, 1:-1, :-2]
    bend = _refraction(down**2 + across**2) * strength(level, 0.5 * shorter((pixels.shape[1], pixels.shape[2])))
    offsets = ((slope * bend * STEPS).round() / STEPS for slope in (down, across))
    rows, columns = (position + offset for position, offset in zip(coordinates(pixels), offsets, strict=True))
    image = interpolated(fractions(pixels).float(), rows, columns)
    for slope in (-across, down):
        image += (slope * strength(level, 2.0)).float()[..., None]
    return (image.clamp_(0, 1).double() * WHITE).to(torch.uint8)


def _caustics(pixels: Pixels, time: PerImage, ripple: PerImage) -> Plane:
    """Brightness, from 0 to 1, of light that passed through moving water."""
    y, x = (position / per_image(ripple) % 1 * TURN - FAR for position in coordinates(pixels))
    down, across = y, x
    total = torch.ones_like(per_image(time))
    for wave in range(WAVES):
        moment = per_image(time) * (1.0 - 3.5 / (wave + 1))
        down, across = (
            y + (torch.cos(moment - down) + torch.sin(moment + across)),
            x + (torch.sin(moment - across) + torch.cos(moment + down)),
        )
        depth = (y / (torch.sin(down + moment) / THIN)) ** 2 + (x / (torch.cos(across + moment) / THIN)) ** 2
        total = total + 1.0 / torch.sqrt(depth)
    return (1.17 - (total / WAVES) ** 1.4).abs().pow_(8).clamp_(0, 1)


def _refraction(steepness: Plane) -> Plane:
    """Factor from a surface's slope to the displacement of a vertical ray, given the squared slope; 0 if it is level.

    By Snell's law the refracted ray is normal * cos - tangent * sin of an angle whose sine is INDEX times smaller than
    that of the incident one.
    """
    length = torch.sqrt(steepness + 1.0)
    cosine = 1.0 / length
    sine = torch.sqrt(steepness) / length / INDEX
    factor = (torch.sqrt(1.0 - sine**2) - cosine / INDEX) / length
    return factor.masked_fill(cosine >= 1.0 - STEEP, 0.0)


CAUSTIC_REFRACTION = Kernel(
    name="caustic_refraction",
    severities={"imagenet": (2.35, 3.2, 4.9, 6.6, 9.15)},
    sample=_sample,
    apply=_apply,
)
