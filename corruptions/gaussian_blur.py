"""Gaussian blur: a Gaussian filter over each channel.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3.
"""

from __future__ import annotations

from robustbench_eff.core.types import Pixels

from .corruption import Kernel
from .gaussian_filter import gaussian, taps
from .quantize import fractions, levels


def _apply(pixels: Pixels, sigma: float, *, truncate: float = 4.0) -> Pixels:
    return levels(gaussian(fractions(pixels), sigma, truncate=truncate))


def _compiled(pixels: Pixels, sigma: float, *, truncate: float = 4.0) -> Pixels:
    from .compiled import blurs, jit

    return jit.apply_loop(blurs.gaussian_blur, pixels, taps(sigma, truncate))


GAUSSIAN_BLUR = Kernel(
    name="gaussian_blur",
    severities={"imagenet": (1.0, 2.0, 3.0, 4.0, 6.0), "cifar10": (0.4, 0.6, 0.7, 0.8, 1.0)},
    apply=_apply,
    compiled=_compiled,
)
