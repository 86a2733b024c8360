"""Pixelation: shrinks the image and enlarges it again, both with a box filter.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3. Pillow resizes, as
in that code, or compiled loops with the same integer arithmetic; images on a GPU are copied to the CPU.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from robustbench_eff.core.types import Pixels

from .corruption import Kernel
from .thread_map import one_by_one


def _apply(pixels: Pixels, share: float) -> Pixels:
    height, width = pixels.shape[1:3]
    small, box = (int(width * share), int(height * share)), Image.Resampling.BOX

    def blocks(image: Tensor) -> Tensor:
        resized = Image.fromarray(image.numpy()).resize(small, box).resize((width, height), box)
        return torch.from_numpy(np.array(resized))

    return one_by_one(blocks, pixels)


def _compiled(pixels: Pixels, share: float) -> Pixels:
    from .compiled import blocks, jit

    height, width = pixels.shape[1:3]
    return jit.apply_loop(blocks.pixelate, pixels, int(height * share), int(width * share))


PIXELATE = Kernel(
    name="pixelate",
    severities={"imagenet": (0.6, 0.5, 0.4, 0.3, 0.25), "cifar10": (0.95, 0.9, 0.85, 0.75, 0.65)},
    apply=_apply,
    compiled=_compiled,
)
