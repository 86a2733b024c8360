"""Fog: a plasma fractal is added.

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
"""Of the first level: half the range of its draws, and what they are multiplied by."""


class Fog(NamedTuple):
    """Constants of a severity."""

    thickness: float
    decay: float
    """By how much the roughness is divided from one level to the next."""


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
    """Heights from 0 to 1 on a torus of `side` (a power of two); all points but one take a number of [0, 1) each.

    Numbers go level by level, in each to the centres of the squares, then to the middles of their horizontal and of
    their vertical edges.
    """
    field = uniform.new_zeros((len(uniform), side, side))
    step, roughness, used = side, ROUGHNESS, 0
    while step >= 2:
        half, count = step // 2, side // step

        def rough(sums: Tensor) -> Tensor:
            nonlocal used
            numbers = uniform[:, used : used + count * count].view(-1, count, count)  # noqa: B023
            used += count * count  # noqa: B023
            return sums / 4 + roughness * (-roughness + 2 * roughness * numbers)  # noqa: B023

        corners = field[:, ::step, ::step]
        rows = corners + corners.roll(-1, 1)
        centres = rough(rows + rows.roll(-1, 2))
        field[:, half::step, half::step] = centres
        field[:, ::step, half::step] = rough((centres + centres.roll(1, 1)) + (corners + corners.roll(-1, 2)))
        field[:, half::step, ::step] = rough((centres + centres.roll(1, 2)) + (corners + corners.roll(-1, 1)))
        step, roughness = half, roughness / decay
    field -= field.amin((1, 2), keepdim=True)
    return field / field.amax((1, 2), keepdim=True)


def _side(size: Size) -> int:
    """The smallest power of two that the image fits into."""
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
