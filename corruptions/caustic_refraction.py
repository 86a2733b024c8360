"""Caustic refraction: the image under rippled water, whose light bends it and is added to it.

Source: Mintun, Kirillov & Xie 2021, arXiv:2102.11273; constants as in facebookresearch/augmentation-corruption ba4d5a5.
The image is interpolated in float32, as NumPy before version 2 does it there; the rest is float64.
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
"""One ripple in radians, and where in the pattern the image lies: the published digits."""
WAVES = 5
THIN = 0.005
"""Of the lines of light."""
INDEX = 4.0
"""Of refraction."""
STEEP = 1e-3
"""Surfaces that are closer to level do not refract."""
SIGMA = 1.0
"""Of the smoothing of the light, in pixels."""
STEPS = 1000
"""In which a pixel's displacement is rounded."""
PerImage = Float64[Tensor, "batch"]


def _sample(draws: RandomStreams, size: Size, level: float) -> RandomParameters:
    time, ripple = draws.uniform((2,), stream="caustic_refraction").double().unbind(1)
    return between(0.5, 2.0, time), between(0.75, 1.25, ripple) * shorter(size)


def _apply(pixels: Pixels, level: float, time: PerImage, ripple: PerImage) -> Pixels:
    """`ripple` is the period of the pattern in pixels."""
    light = gaussian(_caustics(pixels, time, ripple), SIGMA, edge="reflect")
    framed = functional.pad(light, (1, 1, 1, 1))  # beyond the image it is dark
    down = framed[:, 2:, 1:-1] - framed[:, :-2, 1:-1]
    across = framed[:, 1:-1, 2:] - framed[:, 1:-1, :-2]
    bend = _refraction(down**2 + across**2) * strength(level, 0.5 * shorter((pixels.shape[1], pixels.shape[2])))
    moved = ((slope * bend * STEPS).round() / STEPS for slope in (down, across))
    places = (place + way for place, way in zip(coordinates(pixels), moved, strict=True))
    image = interpolated(fractions(pixels).float(), *places)
    for slope in (-across, down):
        image += (slope * strength(level, 2.0)).float()[..., None]
    return (image.clamp_(0, 1).double() * WHITE).to(torch.uint8)


def _caustics(pixels: Pixels, time: PerImage, ripple: PerImage) -> Plane:
    """Brightness from 0 to 1 of light that went through moving water."""
    here = [place / per_image(ripple) % 1 * TURN - FAR for place in coordinates(pixels)]
    down, across = here
    total = torch.ones_like(per_image(time))
    for wave in range(WAVES):
        moment = per_image(time) * (1.0 - 3.5 / (wave + 1))
        down, across = (
            here[0] + (torch.cos(moment - down) + torch.sin(moment + across)),
            here[1] + (torch.sin(moment - across) + torch.cos(moment + down)),
        )
        depth = (here[0] / (torch.sin(down + moment) / THIN)) ** 2 + (
            here[1] / (torch.cos(across + moment) / THIN)
        ) ** 2
        total = total + 1.0 / torch.sqrt(depth)
    return (1.17 - (total / WAVES) ** 1.4).abs().pow_(8).clamp_(0, 1)


def _refraction(steepness: Plane) -> Plane:
    """By what a surface's slope is multiplied to give the way of a ray that comes from above; 0 for a level one.

    `steepness` is the square of the slope. By Snell's law the refracted ray is normal * cos - tangent * sin of an
    angle whose sine is INDEX times smaller than that of the incident one.
    """
    length = torch.sqrt(steepness + 1.0)
    cosine = 1.0 / length
    sine = torch.sqrt(steepness) / length / INDEX
    way = (torch.sqrt(1.0 - sine**2) - cosine / INDEX) / length
    return way.masked_fill(cosine >= 1.0 - STEEP, 0.0)


CAUSTIC_REFRACTION = Kernel(
    name="caustic_refraction",
    severities={"imagenet": (2.35, 3.2, 4.9, 6.6, 9.15)},
    sample=_sample,
    apply=_apply,
)
