"""Transverse chromatic abberation: magnifies two of the three channels about the centre.

Source: Mintun, Kirillov & Xie 2021, arXiv:2102.11273; constants as in facebookresearch/augmentation-corruption ba4d5a5,
whose spelling of the name is kept. All three channels are smoothed as well: pixels serve as spline coefficients.
"""

from __future__ import annotations

import torch
from jaxtyping import Int64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .corruption import Kernel, RandomParameters, Size
from .cubic_spline import TAPS, Taps, taps
from .quantize import WHITE
from .severity_ranges import strength

Order = Int64[Tensor, "batch 3"]
"""Magnification of each channel: 0 for none, 2 for the largest."""


def _sample(draws: RandomStreams, size: Size, level: float) -> RandomParameters:
    return (draws.uniform((3,), stream="transverse_chromatic_abberation").argsort(dim=1, stable=True),)


def _apply(pixels: Pixels, level: float, order: Order) -> Pixels:
    image = pixels.movedim(3, 1).double().contiguous()
    row, down = (tensor.to(image.device)[order][..., None] for tensor in _magnified(image.shape[2], level))
    column, across = (tensor.to(image.device)[order][:, :, None] for tensor in _magnified(image.shape[3], level))
    total = torch.zeros_like(image)
    # The order matters, because sums that end in one half are common and are rounded up.
    for above in range(TAPS):
        lines = image.gather(2, row[:, :, :, above].expand_as(image)) * down[:, :, :, above]
        for left in range(TAPS):
            total += lines.gather(3, column[..., left].expand_as(image)) * across[..., left]
    return (total.clamp_min_(0) + 0.5).clamp_(max=WHITE).to(torch.uint8).movedim(1, 3)


def _magnified(length: int, level: float) -> Taps:
    """Taps (3, length) along one direction for every magnification; ends coincide before the centre is cropped.

    They are computed on the CPU, because a GPU divides by a constant with its inverse, which moves the halves.
    """
    largest = strength(level, 0.5)
    positions = []
    for scale in (1.0, 1.0 + largest / 2, 1.0 + largest):
        magnified = round(length * scale)
        margin = (magnified - length) // 2
        position = torch.arange(margin, margin + length, dtype=torch.float64)
        positions.append(position * ((length - 1) / max(1, magnified - 1)))
    return taps(torch.stack(positions), length)


TRANSVERSE_CHROMATIC_ABBERATION = Kernel(
    name="transverse_chromatic_abberation",
    severities={"cifar10": (1.0, 2.0, 5.0, 9.0, 10.0)},
    sample=_sample,
    apply=_apply,
)
