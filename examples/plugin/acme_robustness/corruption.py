"""Vignette: the image darkens towards its corners, by a quadratic function of the distance from the center.

Source: an example, not a published corruption; natural vignetting falls off as the fourth power of a cosine.
"""

from __future__ import annotations

import torch

from robustbench_eff.core.types import Pixels
from robustbench_eff.corruptions import Kernel


def _apply(pixels: Pixels, strength: float) -> Pixels:
    height, width = pixels.shape[1:3]
    down = torch.linspace(-1, 1, height, device=pixels.device)[:, None]
    across = torch.linspace(-1, 1, width, device=pixels.device)[None, :]
    light = 1 - strength * (down.square() + across.square()) / 2
    return (pixels * light[None, :, :, None]).round().clamp(0, 255).to(torch.uint8)


VIGNETTE = Kernel(
    name="acme/vignette",
    severities={"imagenet": (0.2, 0.4, 0.6, 0.8, 1.0), "cifar10": (0.2, 0.4, 0.6, 0.8, 1.0)},
    apply=_apply,
)
