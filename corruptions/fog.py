"""Fog: adds a plasma fractal.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants and the fractal (diamond-square on a torus) as in
hendrycks/robustness 8190fe3.
"""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float, Float64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .corruption import Kernel, RandomParameters, Size
from .quantize import fractions, levels
from .random import uniforms

ROUGHNESS = 100.0
"""Roughness of the first level: half the range of its draws, and their factor."""


class Fog(NamedTuple):
    """Constants of a severity."""

    thickness: float
    decay: float
    """Divisor of the roughness from one level to the next."""


def _sample(draws: RandomStreams, size: Size, fog: Fog) -> RandomParameters:
    return (uniforms(draws, (_side(size) ** 2 - 1,), "fog"),)


def _apply(pixels: Pixels, fog: Fog, uniform: Float[Tensor, "batch numbers"]) -> Pixels:
    height, width = pixels.shape[1:3]
    image = fractions(pixels)
    brightest = image.amax((1, 2, 3), keepdim=True)
    plasma = plasma_fractal(uniform.double(), _side((height, width)), fog.decay)[:, :height, :width, None]
    return levels((image + fog.thickness * plasma) * brightest / (brightest + fog.thickness))


def _compiled(pixels: Pixels, fog: Fog, uniform: Float[Tensor, "batch numbers"]) -> Pixels:
    from .compiled import jit
    from .compiled import noise as loops

    side = _side((pixels.shape[1], pixels.shape[2]))
    return jit.apply_loop(loops.fog, pixels, float(fog.thickness), float(fog.decay), ROUGHNESS, side, uniform)


def plasma_fractal(
    uniform: Float64[Tensor, "batch numbers"], side: int, decay: float
) -> Float64[Tensor, "batch side side"]:
    """Return heights from 0 to 1 on a torus, by the diamond-square algorithm.

    The draws are used level by level: first for the centres of the squares, then for the middles of their horizontal
    edges, then for those of their vertical edges.

    Args:
        uniform: Draws of [0, 1), one for every point except the first: side^2 - 1.
        side: Side of the torus in pixels, a power of two.
        decay: Divisor of the roughness from one level to the next.
    """
    field = uniform.new_zeros((len(uniform), side, side))
    step, roughness, num_used = side, ROUGHNESS, 0
    while step >= 2:
        half, count = step // 2, side // step
        level_draws = uniform[:, num_used : num_used + 3 * count * count].view(-1, 3, count, count)
        num_used += 3 * count * count
        for_centres, for_rows, for_columns = (_rough(draws, roughness) for draws in level_draws.unbind(1))
        corners = field[:, ::step, ::step]
        rows = corners + corners.roll(-1, 1)
        centres = (rows + rows.roll(-1, 2)) / 4 + for_centres
        field[:, half::step, half::step] = centres
        field[:, ::step, half::step] = ((centres + centres.roll(1, 1)) + (corners + corners.roll(-1, 2))) / 4 + for_rows
        field[:, half::step, ::step] = (
            (centres + centres.roll(1, 2)) + (corners + corners.roll(-1, 1))
        ) / 4 + for_columns
        step, roughness = half, roughness / decay
    field -= field.amin((1, 2), keepdim=True)
    return field / field.amax((1, 2), keepdim=True)


def _rough(uniform: Tensor, roughness: float) -> Tensor:
    return roughness * (-roughness + 2 * roughness * uniform)


def _side(size: Size) -> int:
    """The smallest power of two that is at least the height and the width, and at least 4."""
    return 1 << (max(*size, 3) - 1).bit_length()


FOG = Kernel(
    name="fog",
    severities={
        "imagenet": (Fog(1.5, 2), Fog(2, 2), Fog(2.5, 1.7), Fog(2.5, 1.5), Fog(3, 1.4)),
        "cifar10": (Fog(0.2, 3), Fog(0.5, 3), Fog(0.75, 2.5), Fog(1, 2), Fog(1.5, 1.75)),
    },
    sample=_sample,
    apply=_apply,
    compiled=_compiled,
)
