"""Gaussian noise: adds a normal draw to every channel value, like a sensor in low light.

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
    return (normals(draws, (*size, 3), "gaussian_noise"),)


def _apply(pixels: Pixels, deviation: float, noise: Float[Tensor, "batch height width 3"]) -> Pixels:
    return levels(fractions(pixels) + deviation * noise.double())


def _compiled(pixels: Pixels, deviation: float, noise: Float[Tensor, "batch height width 3"]) -> Pixels:
    from .compiled import jit
    from .compiled import noise as loops

    return jit.apply_loop(loops.gaussian_noise, pixels.flatten(1), deviation, noise.flatten(1)).view_as(pixels)


GAUSSIAN_NOISE = Kernel(
    name="gaussian_noise",
    severities={"imagenet": (0.08, 0.12, 0.18, 0.26, 0.38), "cifar10": (0.04, 0.06, 0.08, 0.09, 0.10)},
    sample=_sample,
    apply=_apply,
    compiled=_compiled,
)
