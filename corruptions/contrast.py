"""Contrast: every channel is scaled towards its mean over the image.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3.
"""

from __future__ import annotations

import torch

from robustbench_eff.core.types import Pixels

from .corruption import Kernel
from .quantize import WHITE, divided, levels


def _apply(pixels: Pixels, factor: float) -> Pixels:
    count, height, width, channels = pixels.shape
    flat = pixels.flatten(1, 2).transpose(1, 2).long()
    means = flat.sum(2, keepdim=True).double() / (WHITE * height * width)
    all_levels = divided(torch.arange(WHITE + 1, device=pixels.device).double(), WHITE)
    table = levels((all_levels - means) * factor + means)  # the output for every image, channel and level
    return table.gather(2, flat).transpose(1, 2).reshape(count, height, width, channels)


def _compiled(pixels: Pixels, factor: float) -> Pixels:
    from .compiled import color, jit

    return jit.apply_loop(color.contrast, pixels, factor)


CONTRAST = Kernel(
    name="contrast",
    severities={"imagenet": (0.4, 0.3, 0.2, 0.1, 0.05), "cifar10": (0.75, 0.5, 0.4, 0.3, 0.15)},
    apply=_apply,
    compiled=_compiled,
)
