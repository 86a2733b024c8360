"""Speckle noise: multiplies every channel value by 1 plus a normal draw.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .corruption import Kernel, RandomParameters, Size
from .quantize import fractions, levels
from .random import normals


def _sample(draws: RandomStreams, size: Size, deviation: float) -> RandomParameters:
    return (normals(draws, (*size, 3), "speckle_noise"),)


def _apply(pixels: Pixels, deviation: float, noise: Float[Tensor, "batch height width 3"]) -> Pixels:
    clean = fractions(pixels)
    return levels(clean + clean * (deviation * noise.double()))


def _compiled(pixels: Pixels, deviation: float, noise: Float[Tensor, "batch height width 3"]) -> Pixels:
    from .compiled import jit
    from .compiled import noise as loops

    return jit.apply_loop(loops.speckle_noise, pixels.flatten(1), deviation, noise.flatten(1)).view_as(pixels)


SPECKLE_NOISE = Kernel(
    name="speckle_noise",
    severities={"imagenet": (0.15, 0.2, 0.35, 0.45, 0.6), "cifar10": (0.06, 0.1, 0.12, 0.16, 0.2)},
    sample=_sample,
    apply=_apply,
    compiled=_compiled,
)
