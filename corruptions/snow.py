"""Snow: adds flakes, smeared by the wind, to a whitened image.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3. That code crops
the layer of flakes to the image and reduces it to 8 bits before ImageMagick smears it; imagecorruptions 1.1.2 smears
the whole layer in floating point: `SNOW_IMAGECORRUPTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .corruption import Kernel, RandomParameters, Size
from .quantize import WHITE, divided, fractions, levels
from .random import normals
from .smear import Angles, Layers, Motion, angles, motion_blur
from .zooming import centre_zoomed, zoomed_length

LUMA = torch.tensor((0.299, 0.587, 0.114)).tolist()
"""Weights of red, green and blue, rounded to float32."""


class Snow(NamedTuple):
    """Constants of a severity."""

    mean: float
    deviation: float
    zoom: float
    """Magnification of the flakes."""
    threshold: float
    """Noise below it is not a flake."""
    radius: int
    """Half the length of the smear, in pixels."""
    sigma: float
    """Standard deviation of the weights of the smear, in pixels."""
    clean_share: float
    """Share of the image that is not whitened."""


def _sample(draws: RandomStreams, size: Size, snow: Snow) -> RandomParameters:
    return normals(draws, size, "snow"), angles(draws, -135, -45, "snow/wind")


def _apply(pixels: Pixels, snow: Snow, noise: Float[Tensor, "batch height width"], wind: Angles) -> Pixels:
    flakes = motion_blur(_flakes(snow, noise, pixels.shape[1:3]), Motion(snow.radius, snow.sigma), wind)
    return _snowed(pixels, snow, flakes.round())


def _compiled(pixels: Pixels, snow: Snow, noise: Float[Tensor, "batch height width"], wind: Angles) -> Pixels:
    from .compiled import snow as loops

    return _in_loops(loops.snow, pixels, snow, noise, wind, (pixels.shape[1], pixels.shape[2]))


def _apply_imagecorruptions(
    pixels: Pixels, snow: Snow, noise: Float[Tensor, "batch height width"], wind: Angles
) -> Pixels:
    height, width = pixels.shape[1:3]
    flakes = motion_blur(_layer(snow, noise), Motion(snow.radius, snow.sigma), wind)[:, :height, :width]
    return _snowed(pixels, snow, (flakes * WHITE).round())


def _compiled_imagecorruptions(
    pixels: Pixels, snow: Snow, noise: Float[Tensor, "batch height width"], wind: Angles
) -> Pixels:
    from .compiled import snow as loops

    whole = (zoomed_length(pixels.shape[1], snow.zoom), zoomed_length(pixels.shape[2], snow.zoom))
    return _in_loops(loops.snow_imagecorruptions, pixels, snow, noise, wind, whole)


def _in_loops(
    loops: Callable[..., None],
    pixels: Pixels,
    snow: Snow,
    noise: Float[Tensor, "batch height width"],
    wind: Angles,
    size: Size,
) -> Pixels:
    """Corrupt by compiled loops, with a layer of flakes of the given size."""
    from .compiled import jit

    fall = (float(snow.mean), float(snow.deviation), float(snow.zoom), float(snow.threshold))
    motion = Motion(snow.radius, snow.sigma)
    return jit.apply_loop(
        loops, pixels, noise, fall, size, motion.weights, motion.steps(wind), snow.clean_share, np.array(LUMA)
    )


def _flakes(snow: Snow, noise: Float[Tensor, "batch height width"], size: torch.Size) -> Layers:
    """The layer cropped to the image, in whole levels."""
    return _layer(snow, noise)[:, : size[0], : size[1]].mul(WHITE).floor_()


def _layer(snow: Snow, noise: Float[Tensor, "batch height width"]) -> Layers:
    """Flakes from 0 to 1, approximately of the image's size."""
    layer = snow.mean + snow.deviation * noise.double()
    layer = centre_zoomed(layer[..., None], snow.zoom)[..., 0]
    return layer.masked_fill_(layer < snow.threshold, 0.0).clamp_(0, 1)


def _snowed(pixels: Pixels, snow: Snow, flakes: Float64[Tensor, "batch height width"]) -> Pixels:
    """The image under flakes in whole levels, and under the same flakes rotated by 180 degrees."""
    image = fractions(pixels).float()
    white = (_grey(image) * 1.5 + 0.5)[..., None]
    paled = snow.clean_share * image + (1 - snow.clean_share) * torch.maximum(image, white)
    layer = divided(flakes, WHITE)[..., None]
    return levels(paled.double() + layer + layer.flip(1, 2))


def _grey(image: Float32[Tensor, "batch height width 3"]) -> Float32[Tensor, "batch height width"]:
    """Luma in float32; as in OpenCV, only the product of green is rounded before it is added."""
    red, green, blue = (image[..., channel].double() * LUMA[channel] for channel in range(3))
    grey: Tensor = ((red + green.float()).float() + blue).float()
    return grey


SNOW = Kernel(
    name="snow",
    severities={
        "imagenet": (
            Snow(0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            Snow(0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            Snow(0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            Snow(0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            Snow(0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
        "cifar10": (
            Snow(0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            Snow(0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            Snow(0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            Snow(0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            Snow(0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
    },
    sample=_sample,
    apply=_apply,
    compiled=_compiled,
)
SNOW_IMAGECORRUPTIONS = Kernel(
    name="snow_imagecorruptions",
    severities={"imagenet": SNOW.severities["imagenet"]},
    sample=_sample,
    apply=_apply_imagecorruptions,
    compiled=_compiled_imagecorruptions,
)
