"""Saturation: multiplies the saturation channel of HSV by one constant and adds another.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3.
"""

from __future__ import annotations

from robustbench_eff.core.types import Pixels

from .corruption import Kernel
from .hsv import hsv, rgb
from .quantize import fractions, levels


def _apply(pixels: Pixels, constants: tuple[float, float]) -> Pixels:
    factor, added = constants
    hue, saturation, value = hsv(fractions(pixels))
    return levels(rgb(hue, (saturation * factor + added).clamp_(0.0, 1.0), value))


def _compiled(pixels: Pixels, constants: tuple[float, float]) -> Pixels:
    from .compiled import color, jit

    return jit.apply_loop(color.hsv_changed, pixels, *constants, 0.0)


SATURATE = Kernel(
    name="saturate",
    severities={
        "imagenet": ((0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (20.0, 0.2)),
        "cifar10": ((0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2)),
    },
    apply=_apply,
    compiled=_compiled,
)
