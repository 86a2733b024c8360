"""Brightness: a constant is added to the value channel of HSV.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3.
"""

from __future__ import annotations

from robustbench_eff.core.types import Pixels

from .corruption import Kernel
from .hsv import hsv, rgb
from .quantize import fractions, levels


def _apply(pixels: Pixels, added: float) -> Pixels:
    hue, saturation, value = hsv(fractions(pixels))
    return levels(rgb(hue, saturation, (value + added).clamp_(0.0, 1.0)))


def _compiled(pixels: Pixels, added: float) -> Pixels:
    from .compiled import color, jit

    return jit.apply_loop(color.hsv_changed, pixels, 1.0, 0.0, added)


BRIGHTNESS = Kernel(
    name="brightness",
    severities={"imagenet": (0.1, 0.2, 0.3, 0.4, 0.5), "cifar10": (0.05, 0.1, 0.15, 0.2, 0.3)},
    apply=_apply,
    compiled=_compiled,
)
