"""Zoom blur: the mean of the image and of magnified images of its centre.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3, whose ranges of
magnifications end where NumPy's rounding lets them end.
"""

from __future__ import annotations

import numpy as np
import torch

from robustbench_eff.core.types import Pixels

from .corruption import Kernel
from .quantize import WHITE, fractions
from .zooming import centre_zoomed


def _apply(pixels: Pixels, reach: tuple[float, float]) -> Pixels:
    stop, step = reach
    factors = np.arange(1, stop, step)
    image = fractions(pixels).float()
    total = torch.zeros_like(image)
    for factor in factors.tolist():
        zoomed = centre_zoomed(image, factor)[:, : image.shape[1], : image.shape[2]]
        total[:, : zoomed.shape[1], : zoomed.shape[2]] += zoomed
    mean = (image + total) / (len(factors) + 1)
    return mean.clamp_(0, 1).mul_(WHITE).to(torch.uint8)


def _compiled(pixels: Pixels, reach: tuple[float, float]) -> Pixels:
    from .compiled import jit, motion

    stop, step = reach
    return jit.apply_loop(motion.zoom_blur, pixels, np.arange(1, stop, step))


ZOOM_BLUR = Kernel(
    name="zoom_blur",
    severities={
        "imagenet": ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
        "cifar10": ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
    },
    apply=_apply,
    compiled=_compiled,
)
