"""Pixelation: the image is made small and large again, by means of boxes.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3. Pillow resizes, as
there; a GPU's images go through the CPU.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from robustbench_eff.types import Pixels

from .corruption import Kernel


def _apply(pixels: Pixels, share: float) -> Pixels:
    return torch.stack([_blocks(image, share) for image in pixels.cpu()]).to(pixels.device)


def _blocks(image: Tensor, share: float) -> Tensor:
    height, width = image.shape[:2]
    small, box = (int(width * share), int(height * share)), Image.Resampling.BOX
    blocks = Image.fromarray(image.numpy()).resize(small, box).resize((width, height), box)
    return torch.from_numpy(np.array(blocks))


PIXELATE = Kernel(
    name="pixelate",
    severities={"imagenet": (0.6, 0.5, 0.4, 0.3, 0.25), "cifar10": (0.95, 0.9, 0.85, 0.75, 0.65)},
    apply=_apply,
)
