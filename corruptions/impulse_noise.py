"""Impulse noise: random channel values become black or white, with equal probability.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3. imagecorruptions
1.1.2 draws from the same distribution, but its generator cannot be seeded: this kernel stands for both.
Differs: one draw decides both whether a value changes and which of the two it becomes.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .corruption import Kernel, RandomParameters, Size
from .quantize import WHITE
from .random import uniforms


def _sample(draws: RandomStreams, size: Size, amount: float) -> RandomParameters:
    return (uniforms(draws, (*size, 3), "impulse_noise"),)


def _apply(pixels: Pixels, amount: float, uniform: Float[Tensor, "batch height width 3"]) -> Pixels:
    return pixels.masked_fill(uniform < amount, 0).masked_fill_(uniform < amount / 2, WHITE)


def _compiled(pixels: Pixels, amount: float, uniform: Float[Tensor, "batch height width 3"]) -> Pixels:
    from .compiled import jit
    from .compiled import noise as loops

    return jit.apply_loop(loops.impulse_noise, pixels.flatten(1), amount, uniform.float().flatten(1)).view_as(pixels)


IMPULSE_NOISE = Kernel(
    name="impulse_noise",
    severities={"imagenet": (0.03, 0.06, 0.09, 0.17, 0.27), "cifar10": (0.01, 0.02, 0.03, 0.05, 0.07)},
    sample=_sample,
    apply=_apply,
    compiled=_compiled,
)
