"""Elastic transform: a smooth random field moves the pixels, at the lower severities after a random affine map.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261 (after Simard et al. 2003); constants as in hendrycks/robustness
8190fe3, whose affine map is that of OpenCV before version 5, in steps of 1/32 pixel. imagecorruptions 1.1.2 omits the
affine map and uses other constants: `ELASTIC_TRANSFORM_IMAGECORRUPTIONS`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .affine import FINE_BITS, STEP_BITS, Maps, affine_maps, inverse_maps, warped
from .corruption import Kernel, RandomParameters, Size
from .gaussian_filter import MANY, gaussian, taps
from .quantize import WHITE, fractions
from .random import uniforms

TRUNCATE = 3.0
"""Radius of the smoothing, in standard deviations."""


class Elastic(NamedTuple):
    """Constants of a severity, in pixels."""

    strength: float
    sigma: float
    """Standard deviation of the smoothing of the field."""
    affine: float
    """Largest displacement of a corner by the affine map."""


class Wobble(NamedTuple):
    """Constants of a severity of imagecorruptions; lengths are in image heights."""

    strength: float
    sigma: float = 0.01
    reach: float = 0.005
    """Largest displacement before smoothing."""


class _Displacement(NamedTuple):
    """How a field of uniform draws becomes displacements; lengths are in pixels."""

    reach: float
    sigma: float
    strength: float


class _Neighbours(NamedTuple):
    """The two pixels around each coordinate."""

    lower: Int64[Tensor, "batch height width"]
    upper: Int64[Tensor, "batch height width"]
    fraction: Float64[Tensor, "batch height width"]
    """Distance of the coordinate from the lower pixel."""


Uniform = Float[Tensor, "batch height width"]


def _sample(draws: RandomStreams, size: Size, elastic: Elastic) -> RandomParameters:
    return (draws.uniform((3, 2), stream="elastic/affine"), *_field(draws, size))


def _sample_imagecorruptions(draws: RandomStreams, size: Size, wobble: Wobble) -> RandomParameters:
    return _field(draws, size)


def _field(draws: RandomStreams, size: Size) -> tuple[Uniform, Uniform]:
    return uniforms(draws, size, "elastic/across"), uniforms(draws, size, "elastic/down")


def _apply(
    pixels: Pixels, elastic: Elastic, corners: Float[Tensor, "batch 3 2"], across: Uniform, down: Uniform
) -> Pixels:
    image = warped(fractions(pixels).float(), _maps(pixels, elastic, corners))
    displacement = _Displacement(1.0, elastic.sigma, elastic.strength)
    moves = [_moves(field, displacement) for field in (across, down)]
    return _levels(_displaced(image, *moves))


def _compiled(
    pixels: Pixels, elastic: Elastic, corners: Float[Tensor, "batch 3 2"], across: Uniform, down: Uniform
) -> Pixels:
    from .compiled import elastic as loops
    from .compiled import jit

    inverse = inverse_maps(_maps(pixels, elastic, corners))
    displacement = _Displacement(1.0, elastic.sigma, elastic.strength)
    moves = [_moves_compiled(field, displacement) for field in (across, down)]
    return jit.apply_loop(loops.warped_displaced, pixels, inverse, FINE_BITS, STEP_BITS, *moves)


def _apply_imagecorruptions(pixels: Pixels, wobble: Wobble, across: Uniform, down: Uniform) -> Pixels:
    moves = [_moves(field, _in_pixels(wobble, pixels)) for field in (across, down)]
    return _levels(_displaced(fractions(pixels).float(), *moves))


def _compiled_imagecorruptions(pixels: Pixels, wobble: Wobble, across: Uniform, down: Uniform) -> Pixels:
    from .compiled import elastic as loops
    from .compiled import jit

    moves = [_moves_compiled(field, _in_pixels(wobble, pixels)) for field in (across, down)]
    return jit.apply_loop(loops.displaced, pixels, *moves)


def _in_pixels(wobble: Wobble, pixels: Pixels) -> _Displacement:
    height = pixels.shape[1]
    return _Displacement(height * wobble.reach, height * wobble.sigma, wobble.strength)


def _maps(pixels: Pixels, elastic: Elastic, corners: Float[Tensor, "batch 3 2"]) -> Maps:
    offsets = (-elastic.affine + 2 * elastic.affine * corners.double()).float()
    return affine_maps(offsets, (pixels.shape[1], pixels.shape[2]))


def _moves(uniform: Uniform, displacement: _Displacement) -> Float32[Tensor, "batch height width"]:
    """Displacement of every pixel along one dimension, in pixels, from draws of [0, 1)."""
    reach, sigma, strength = displacement
    field: Tensor = -reach + 2 * reach * uniform.double()
    return (gaussian(field, sigma, truncate=TRUNCATE, edge="reflect") * strength).float()


def _moves_compiled(uniform: Uniform, displacement: _Displacement) -> Float32[Tensor, "batch height width"]:
    """The same in compiled loops, unless the smoothing is a matrix product."""
    reach, sigma, strength = displacement
    weights = taps(sigma, TRUNCATE) if sigma > 0 else np.ones(1)
    if len(weights) > MANY:
        return _moves(uniform, displacement)
    from .compiled import elastic as loops
    from .compiled import jit

    return jit.apply_loop(loops.moves, uniform, reach, weights, float(strength))


def _displaced(
    image: Float32[Tensor, "batch height width 3"],
    across: Float32[Tensor, "batch height width"],
    down: Float32[Tensor, "batch height width"],
) -> Float32[Tensor, "batch height width 3"]:
    """Bilinear interpolation at (row + down, column + across); beyond the edges lies the mirror image."""
    count, height, width, _ = image.shape
    row, column = torch.arange(height, device=image.device), torch.arange(width, device=image.device)
    upper, lower, below = _neighbours(row[:, None] + down.double(), height)
    near, far, beyond = _neighbours(column + across.double(), width)
    image_index = torch.arange(count, device=image.device)[:, None, None]
    image64 = image.double()
    total = torch.zeros_like(image64)
    for rows, height_weight in ((upper, 1.0 - below), (lower, below)):
        for columns, width_weight in ((near, 1.0 - beyond), (far, beyond)):
            total += image64[image_index, rows, columns].mul_(height_weight[..., None]).mul_(width_weight[..., None])
    return total.float()


def _neighbours(position: Float64[Tensor, "batch height width"], length: int) -> _Neighbours:
    """The two pixels around each coordinate; coordinates outside of the image are mirrored as SciPy does."""
    period = 2 * length
    position = torch.where(position < -period, position + period * (-position / period).trunc(), position)
    mirrored = (-position).clamp_min(1e-15) - 1.0
    position = torch.where(position < -length, position + period, torch.where(position < 0, mirrored, position))
    position = torch.where(position > length - 1, position - period * (position / period).trunc(), position)
    position = torch.where(position >= length, period - position - 1.0, position)
    first = position.floor()
    index = torch.stack((first, first + 1)).long().remainder(period)
    lower, upper = torch.minimum(index, period - 1 - index)
    return _Neighbours(lower, upper, position - first)


def _levels(image: Float32[Tensor, "batch height width 3"]) -> Pixels:
    return image.clamp(0, 1).mul_(WHITE).to(torch.uint8)


ELASTIC_TRANSFORM = Kernel(
    name="elastic_transform",
    severities={
        "imagenet": (
            Elastic(244 * 2, 244 * 0.7, 244 * 0.1),
            Elastic(244 * 2, 244 * 0.08, 244 * 0.2),
            Elastic(244 * 0.05, 244 * 0.01, 244 * 0.02),
            Elastic(244 * 0.07, 244 * 0.01, 244 * 0.02),
            Elastic(244 * 0.12, 244 * 0.01, 244 * 0.02),
        ),
        "cifar10": (
            Elastic(0.0, 0.0, 32 * 0.08),
            Elastic(32 * 0.05, 32 * 0.2, 32 * 0.07),
            Elastic(32 * 0.08, 32 * 0.06, 32 * 0.06),
            Elastic(32 * 0.1, 32 * 0.04, 32 * 0.05),
            Elastic(32 * 0.1, 32 * 0.03, 32 * 0.03),
        ),
    },
    sample=_sample,
    apply=_apply,
    compiled=_compiled,
)
ELASTIC_TRANSFORM_IMAGECORRUPTIONS = Kernel(
    name="elastic_transform_imagecorruptions",
    severities={"imagenet": tuple(Wobble(250 * share) for share in (0.05, 0.065, 0.085, 0.1, 0.12))},
    sample=_sample_imagecorruptions,
    apply=_apply_imagecorruptions,
    compiled=_compiled_imagecorruptions,
)
